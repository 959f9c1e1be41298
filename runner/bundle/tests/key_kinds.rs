//! Every kind of key that the specification allows, over files, digests and envelopes.

#![allow(clippy::unwrap_used)]

use aws_lc_rs::encoding::{AsBigEndian as _, AsDer as _};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Rejection, TrustRoot, VerifiedArtifact, VerifyingKey, verify_file,
};

const FILE: &[u8] = b"any file";

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key with a way to sign, and what its signatures say they are over.
struct Signer {
    name: &'static str,
    spki: Vec<u8>,
    sign: Sign,
    algorithm: &'static str,
    needs_file: bool,
}

impl Signer {
    fn key(&self) -> VerifyingKey {
        VerifyingKey::from_pem(&pem(&self.spki)).unwrap()
    }
}

fn pem(spki: &[u8]) -> String {
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(spki)
    )
}

fn signers() -> Vec<Signer> {
    let mut signers = Vec::new();
    for (name, algorithm, hash) in [
        ("P-256", &ECDSA_P256_SHA256_ASN1_SIGNING, "SHA2_256"),
        ("P-384", &ECDSA_P384_SHA384_ASN1_SIGNING, "SHA2_384"),
        ("P-521", &ECDSA_P521_SHA512_ASN1_SIGNING, "SHA2_512"),
    ] {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        signers.push(Signer {
            name,
            spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
            sign: Box::new(move |bytes| {
                pair.sign(&SystemRandom::new(), bytes)
                    .unwrap()
                    .as_ref()
                    .to_vec()
            }),
            algorithm: hash,
            needs_file: hash != "SHA2_256",
        });
    }
    for (name, padding, hash) in [
        ("RSA PKCS#1", &RSA_PKCS1_SHA256, "SHA2_256"),
        ("RSA PKCS#1 over SHA-512", &RSA_PKCS1_SHA512, "SHA2_512"),
        ("RSA PSS", &RSA_PSS_SHA256, "SHA2_256"),
    ] {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        signers.push(Signer {
            name,
            spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
            sign: Box::new(move |bytes| {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &SystemRandom::new(), bytes, &mut signature)
                    .unwrap();
                signature
            }),
            algorithm: hash,
            needs_file: hash != "SHA2_256",
        });
    }
    let pair = Ed25519KeyPair::generate().unwrap();
    signers.push(Signer {
        name: "Ed25519",
        spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
        sign: Box::new(move |bytes| pair.sign(bytes).as_ref().to_vec()),
        algorithm: "SHA2_256",
        needs_file: true,
    });
    signers.push(ed25519ph());
    signers
}

/// Signs the SHA-512, so that logs can have the signature.
fn ed25519ph() -> Signer {
    let pair = Ed25519KeyPair::generate().unwrap();
    let secret = pair.seed().unwrap().as_be_bytes().unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(secret.as_ref().try_into().unwrap());
    Signer {
        name: "Ed25519ph",
        spki: pair.public_key().as_der().unwrap().as_ref().to_vec(),
        sign: Box::new(move |bytes| {
            let digest = Sha512::new_with_prefix(bytes);
            key.sign_prehashed(digest, None)
                .unwrap()
                .to_bytes()
                .to_vec()
        }),
        algorithm: "SHA2_512",
        needs_file: true,
    }
}

fn bundle(content: &str, value: Value) -> Vec<u8> {
    json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "" } },
        content: value,
    })
    .to_string()
    .into_bytes()
}

fn message(signer: &Signer, named: bool) -> Vec<u8> {
    let digest = match signer.algorithm {
        "SHA2_256" => Sha256::digest(FILE).to_vec(),
        "SHA2_384" => Sha384::digest(FILE).to_vec(),
        _ => Sha512::digest(FILE).to_vec(),
    };
    let mut value = json!({ "signature": STANDARD.encode((signer.sign)(FILE)) });
    if named {
        value["messageDigest"] =
            json!({ "algorithm": signer.algorithm, "digest": STANDARD.encode(digest) });
    }
    bundle("messageSignature", value)
}

fn attestation(signer: &Signer, statement: &Value) -> Vec<u8> {
    let kind = "application/vnd.in-toto+json";
    let payload = statement.to_string();
    let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
    bundle(
        "dsseEnvelope",
        json!({
            "payload": STANDARD.encode(&payload),
            "payloadType": kind,
            "signatures": [{ "sig": STANDARD.encode((signer.sign)(signed.as_bytes())) }],
        }),
    )
}

fn statement(digests: Value) -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "other", "digest": { "sha256": "00".repeat(32) } }, { "name": "file", "digest": digests }],
        "predicateType": "https://example.test/predicate",
        "predicate": {},
    })
}

fn verify(
    artifact: &Artifact<'_>,
    bundle: &[u8],
    key: &VerifyingKey,
) -> Result<VerifiedArtifact, Rejection> {
    let root = TrustRoot::public_good().unwrap();
    verify_file(
        artifact,
        bundle,
        Expected::Key(key),
        &root,
        Evidence::KeyAlone,
    )
}

#[test]
fn every_kind_of_key_verifies_files_and_only_its_own_signatures() {
    let signers = signers();
    for signer in &signers {
        let bundle = message(signer, true);
        let file = Artifact::from_bytes(FILE);
        verify(&file, &bundle, &signer.key())
            .unwrap_or_else(|error| panic!("{}: {error}", signer.name));
        let error = verify(&Artifact::from_bytes(b"other"), &bundle, &signer.key()).unwrap_err();
        assert_eq!(error.kind(), "wrong-artifact", "{}: {error}", signer.name);
        for other in signers.iter().filter(|other| other.name != signer.name) {
            let error = verify(&file, &bundle, &other.key()).unwrap_err();
            assert_eq!(
                error.kind(),
                "bad-signature",
                "{} by {}",
                signer.name,
                other.name
            );
        }
        let unnamed = message(signer, false);
        let usual = !signer.name.contains("SHA-512");
        assert_eq!(
            verify(&file, &unnamed, &signer.key()).is_ok(),
            usual,
            "{}",
            signer.name
        );
    }
}

#[test]
fn a_digest_is_enough_where_the_signature_is_over_it() {
    for signer in signers() {
        let bundle = message(&signer, true);
        let digest = Artifact::from_digest(wharf_bundle::digest(FILE));
        let verified = verify(&digest, &bundle, &signer.key());
        assert_eq!(verified.is_err(), signer.needs_file, "{}", signer.name);
        if let Err(error) = verified {
            assert_eq!(error.kind(), "unsupported", "{}: {error}", signer.name);
        }
        let streamed = Artifact::from_reader(FILE).unwrap();
        let verified = verify(&streamed, &bundle, &signer.key());
        assert_eq!(
            verified.is_ok(),
            !signer.name.starts_with("Ed25519"),
            "{}",
            signer.name
        );
    }
}

#[test]
fn attestations_are_found_by_any_digest_of_any_subject() {
    for signer in signers()
        .iter()
        .filter(|signer| !signer.name.contains("SHA-512") && signer.name != "Ed25519ph")
    {
        for digests in [
            json!({ "sha256": hex(&Sha256::digest(FILE)) }),
            json!({ "sha384": hex(&Sha384::digest(FILE)) }),
            json!({ "sha512": hex(&Sha512::digest(FILE)), "gitCommit": "abc" }),
            json!({ "sha256": hex(&Sha256::digest(FILE)).to_uppercase() }),
        ] {
            let bundle = attestation(signer, &statement(digests));
            let verified = verify(&Artifact::from_bytes(FILE), &bundle, &signer.key())
                .unwrap_or_else(|error| panic!("{}: {error}", signer.name));
            assert_eq!(
                verified.predicate_type(),
                Some("https://example.test/predicate")
            );
            let error =
                verify(&Artifact::from_bytes(b"other"), &bundle, &signer.key()).unwrap_err();
            assert_eq!(error.kind(), "wrong-artifact", "{}: {error}", signer.name);
        }
    }
}

#[test]
fn of_several_bundles_the_one_of_whom_was_asked_for_counts() {
    let signers = signers();
    let bundles: Vec<Vec<u8>> = signers.iter().map(|one| message(one, true)).collect();
    let all = bundles.join(&b'\n');
    let file = Artifact::from_bytes(FILE);
    for signer in &signers {
        verify(&file, &all, &signer.key())
            .unwrap_or_else(|error| panic!("{}: {error}", signer.name));
        // Bundles without a hint may be anybody's: what they say of another file is told.
        let error = verify(&Artifact::from_bytes(b"other"), &all, &signer.key()).unwrap_err();
        assert_eq!(error.kind(), "wrong-artifact", "{error}");
    }
    let stranger = ed25519ph();
    assert_eq!(
        verify(&file, &all, &stranger.key()).unwrap_err().kind(),
        "bad-signature"
    );

    // Whose hint names another is not tried, and nothing but bundles may be in the file.
    let named = |signer: &Signer| {
        let mut bundle: Value = serde_json::from_slice(&message(signer, true)).unwrap();
        let hint = STANDARD.encode(Sha256::digest(&signer.spki));
        bundle["verificationMaterial"]["publicKey"]["hint"] = json!(hint);
        bundle.to_string().into_bytes()
    };
    let two = [named(&signers[0]), named(&signers[1])].concat();
    verify(&file, &two, &signers[1].key()).unwrap();
    assert_eq!(
        verify(&file, &two, &stranger.key()).unwrap_err().kind(),
        "wrong-signer"
    );
    for more in [&b"{}"[..], b"null", b"x", b"{", &two[..two.len() - 1]] {
        let error = verify(&file, &[&two, more].concat(), &signers[0].key()).unwrap_err();
        assert_eq!(error.kind(), "malformed", "{error}");
    }
    let error = verify(&file, &two.repeat(9), &signers[0].key()).unwrap_err();
    assert_eq!(error.kind(), "malformed", "{error}");
    assert_eq!(
        verify(&file, b"", &signers[0].key()).unwrap_err().kind(),
        "malformed"
    );
}

#[test]
fn an_envelope_is_not_signed_by_its_hash() {
    let signer = ed25519ph();
    let about = statement(json!({ "sha256": hex(&Sha256::digest(FILE)) }));
    let bundle = attestation(&signer, &about);
    let error = verify(&Artifact::from_bytes(FILE), &bundle, &signer.key()).unwrap_err();
    assert_eq!(error.kind(), "bad-signature", "{error}");
}

#[test]
fn a_statement_that_is_not_quite_one_is_refused() {
    let all = signers();
    let signer = &all[0];
    let good = statement(json!({ "sha256": hex(&Sha256::digest(FILE)) }));
    verify(
        &Artifact::from_bytes(FILE),
        &attestation(signer, &good),
        &signer.key(),
    )
    .unwrap();
    for (field, value) in [
        ("_type", Value::Null),
        ("_type", json!("https://in-toto.io/Statement/v2")),
        ("_type", json!("")),
        ("subject", json!([])),
        ("subject", json!({})),
        ("subject", json!([{ "name": "file" }])),
        ("subject", json!([{ "name": "file", "digest": {} }])),
        (
            "subject",
            json!([{ "name": "file", "digest": { "sha1": "00" } }]),
        ),
        (
            "subject",
            json!([{ "name": "file", "digest": { "sha256": "zz" } }]),
        ),
        ("predicateType", Value::Null),
        ("predicateType", json!("")),
    ] {
        for gone in [false, true] {
            let mut bad = good.clone();
            if gone {
                bad.as_object_mut().unwrap().remove(field);
            } else {
                bad[field] = value.clone();
            }
            let verified = verify(
                &Artifact::from_bytes(FILE),
                &attestation(signer, &bad),
                &signer.key(),
            );
            assert!(verified.is_err(), "{field} {value} {gone}");
        }
    }
    let mut other: Value = serde_json::from_slice(&attestation(signer, &good)).unwrap();
    other["dsseEnvelope"]["payloadType"] = json!("text/plain");
    let bytes = other.to_string();
    assert!(verify(&Artifact::from_bytes(FILE), bytes.as_bytes(), &signer.key()).is_err());
}

#[test]
fn what_is_no_key_of_these_kinds_is_refused() {
    let small = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let mut cut = small.public_key().as_der().unwrap().as_ref().to_vec();
    cut.truncate(100);
    for bad in [
        String::new(),
        "key".to_owned(),
        pem(&cut),
        pem(&[]),
        pem(b"\x30\x00"),
    ] {
        assert!(VerifyingKey::from_pem(&bad).is_err(), "{bad}");
    }
    let good = pem(&signers()[3].spki);
    assert!(VerifyingKey::from_pem(&format!("{good}{good}")).is_err());
    assert!(VerifyingKey::from_pem(&good.replace("PUBLIC", "PRIVATE")).is_err());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
