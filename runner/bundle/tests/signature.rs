//! Sigstore bundles: what the one accepted form is, and that nothing near it passes.

#![allow(clippy::unwrap_used)]

mod common;

use common::{key, stranger};
use proptest::prelude::*;
use serde_json::{Value, json};
use wharf_bundle::{
    KeyError, PublicKey, Refusal, SignatureFile, SigningKey, digest, sign, signature_path,
    verify_with_key,
};

const FILE: &[u8] = b"any file";

fn signed() -> Value {
    serde_json::from_slice(&sign(FILE, key()).unwrap()).unwrap()
}

fn verify(bundle: &Value) -> Result<(), Refusal> {
    let keys = [stranger().public().clone(), key().public().clone()];
    verify_with_key(FILE, bundle.to_string().as_bytes(), &keys).map(drop)
}

#[test]
fn what_is_signed_verifies_with_its_key_and_no_other() {
    let bundle = sign(FILE, key()).unwrap();
    let both = [stranger().public().clone(), key().public().clone()];
    assert_eq!(
        verify_with_key(FILE, &bundle, &both).unwrap(),
        key().public()
    );
    let error = verify_with_key(FILE, &bundle, &both[..1]).unwrap_err();
    assert!(matches!(error, Refusal::UnknownSigner { .. }), "{error}");
    let fingerprint = key().public().fingerprint().to_string();
    assert!(error.to_string().contains(&fingerprint), "{error}");
    assert!(verify_with_key(FILE, &bundle, &[]).is_err());
}

#[test]
fn the_file_that_is_written_has_the_form_that_cosign_reads() {
    let bundle = signed();
    assert_eq!(
        bundle["mediaType"],
        "application/vnd.dev.sigstore.bundle.v0.3+json"
    );
    assert_eq!(
        bundle["messageSignature"]["messageDigest"]["algorithm"],
        "SHA2_256"
    );
    assert_eq!(
        signature_path("a/b.wasm".as_ref()),
        std::path::Path::new("a/b.wasm.sigstore.json")
    );
}

#[test]
fn a_change_of_the_file_is_told_from_a_change_of_the_signature() {
    let bundle = sign(FILE, key()).unwrap();
    let keys = [key().public().clone()];
    assert_eq!(
        verify_with_key(b"any fil3", &bundle, &keys).unwrap_err(),
        Refusal::Tampered {
            signed: digest(FILE),
            actual: digest(b"any fil3"),
        }
    );
}

#[test]
fn every_field_is_needed_but_those_that_prove_nothing() {
    for (parent, field) in [
        ("", "mediaType"),
        ("", "verificationMaterial"),
        ("", "messageSignature"),
        ("/verificationMaterial", "publicKey"),
        ("/messageSignature", "messageDigest"),
        ("/messageSignature", "signature"),
        ("/messageSignature/messageDigest", "algorithm"),
        ("/messageSignature/messageDigest", "digest"),
    ] {
        for gone in [false, true] {
            let mut bundle = signed();
            let object = bundle.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            if gone {
                object.remove(field).unwrap();
            } else {
                object[field] = Value::Null;
            }
            let error = verify(&bundle).unwrap_err();
            assert!(
                matches!(error, Refusal::MalformedSignature(_)),
                "{field}: {error}"
            );
        }
    }
    let mut bundle = signed();
    let material = bundle["verificationMaterial"].as_object_mut().unwrap();
    material.retain(|field, _| field == "publicKey");
    material["publicKey"] = json!({});
    verify(&bundle).unwrap();
}

#[test]
fn a_changed_or_added_field_is_refused() {
    let other = sign(b"another file", key()).unwrap();
    let other: Value = serde_json::from_slice(&other).unwrap();
    let theirs: Value = serde_json::from_slice(&sign(FILE, stranger()).unwrap()).unwrap();
    let signature = "/messageSignature/signature";
    let digest = "/messageSignature/messageDigest/digest";
    let algorithm = "/messageSignature/messageDigest/algorithm";
    let hint = "/verificationMaterial/publicKey/hint";
    let padded = |at: &str| {
        let bundle = signed();
        let text = bundle.pointer(at).unwrap().as_str().unwrap().to_owned();
        json!(format!("{text}="))
    };
    for (at, value) in [
        (
            "/mediaType",
            json!("application/vnd.dev.sigstore.bundle+json;version=0.1"),
        ),
        (
            "/mediaType",
            json!("application/vnd.dev.sigstore.bundle+json;version=0.2"),
        ),
        (
            "/mediaType",
            json!("application/vnd.dev.sigstore.bundle.v0.4+json"),
        ),
        ("/mediaType", json!("")),
        (algorithm, json!("SHA2_512")),
        (algorithm, json!("sha256")),
        (algorithm, json!("HASH_ALGORITHM_UNSPECIFIED")),
        (digest, other.pointer(digest).unwrap().clone()),
        (digest, json!("")),
        (digest, json!("AAAA")),
        (digest, padded(digest)),
        (signature, other.pointer(signature).unwrap().clone()),
        (signature, theirs.pointer(signature).unwrap().clone()),
        (signature, json!("")),
        (signature, json!("AAAA")),
        (signature, json!("A".repeat(4096))),
        (hint, theirs.pointer(hint).unwrap().clone()),
        (hint, json!("some other key")),
        (hint, json!(7)),
        ("/surprise", json!(1)),
        (
            "/dsseEnvelope",
            json!({"payload": "", "payloadType": "", "signatures": []}),
        ),
        ("/verificationMaterial/surprise", json!(1)),
        (
            "/verificationMaterial/certificate",
            json!({"rawBytes": "AAAA"}),
        ),
        (
            "/verificationMaterial/x509CertificateChain",
            json!({"certificates": []}),
        ),
        ("/verificationMaterial/tlogEntries", json!({})),
        ("/verificationMaterial/publicKey/rawBytes", json!("AAAA")),
        ("/messageSignature/surprise", json!(1)),
        ("/messageSignature/messageDigest/surprise", json!(1)),
    ] {
        let mut bundle = signed();
        let (parent, field) = at.rsplit_once('/').unwrap();
        bundle.pointer_mut(parent).unwrap()[field] = value.clone();
        assert!(verify(&bundle).is_err(), "{at} = {value} was taken");
    }
}

#[test]
fn a_field_that_comes_twice_is_refused() {
    let once = signed().to_string();
    for field in [
        "mediaType",
        "messageSignature",
        "publicKey",
        "signature",
        "digest",
    ] {
        let needle = format!("\"{field}\":");
        let twice = once.replacen(&needle, &format!("\"{field}\":null,\"{field}\":"), 1);
        assert_ne!(once, twice);
        assert!(
            verify_with_key(FILE, twice.as_bytes(), &[key().public().clone()]).is_err(),
            "{field}"
        );
    }
}

#[test]
fn a_log_entry_or_timestamp_that_does_not_verify_spoils_the_signature() {
    let entry = json!({
        "logIndex": "1",
        "logId": {"keyId": "A".repeat(43) + "="},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
        "canonicalizedBody": "e30=",
    });
    for (field, value) in [
        ("tlogEntries", json!([entry])),
        ("tlogEntries", json!([{"logIndex": "1"}])),
        (
            "timestampVerificationData",
            json!({"rfc3161Timestamps": [{"signedTimestamp": "AAAA"}]}),
        ),
        ("timestampVerificationData", json!({"x": 1})),
    ] {
        let mut bundle = signed();
        bundle["verificationMaterial"][field] = value.clone();
        assert!(verify(&bundle).is_err(), "{value}");
    }
    let mut bundle = signed();
    bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    bundle["verificationMaterial"]["timestampVerificationData"] = json!({});
    verify(&bundle).unwrap();
}

#[test]
fn a_signature_file_that_is_too_large_or_cut_is_refused() {
    let bundle = sign(FILE, key()).unwrap();
    let keys = [key().public().clone()];
    for end in 0..bundle.len() {
        assert!(verify_with_key(FILE, &bundle[..end], &keys).is_err());
    }
    let mut padded = bundle.clone();
    padded.resize((1 << 20) + 1, b' ');
    let error = verify_with_key(FILE, &padded, &keys).unwrap_err();
    assert!(error.to_string().contains("bytes"), "{error}");
    let deep = "[".repeat(1 << 20);
    assert!(SignatureFile::parse(deep.as_bytes()).is_err());
}

#[test]
fn only_p256_keys_are_keys() {
    use sigstore::crypto::signing_key::ecdsa::{ECDSAKeys, EllipticCurve};
    let p384 = ECDSAKeys::new(EllipticCurve::P384).unwrap();
    let pem = p384.as_inner().public_key_to_pem().unwrap();
    assert_eq!(PublicKey::from_pem(&pem).unwrap_err(), KeyError::NotP256);
    let private = p384.as_inner().private_key_to_encrypted_pem(b"x").unwrap();
    assert_eq!(
        SigningKey::from_encrypted_pem(&private, &"x".into()).unwrap_err(),
        KeyError::NotP256
    );
}

#[test]
fn a_key_in_the_clear_or_of_another_form_is_refused_whatever_the_password() {
    use sigstore::crypto::signing_key::ecdsa::{ECDSAKeys, EllipticCurve};
    let keys = ECDSAKeys::new(EllipticCurve::P256).unwrap();
    let clear = keys.as_inner().private_key_to_pem().unwrap();
    for pem in [clear.as_str(), "", &key().public().to_pem()] {
        let error = SigningKey::from_encrypted_pem(pem, &"".into()).unwrap_err();
        assert!(matches!(error, KeyError::NotAnEncryptedKey(_)), "{error}");
        assert!(!error.to_string().contains("PRIVATE KEY-----"));
    }
    let pem = key().public().to_pem();
    let error = PublicKey::from_pem(&format!("{pem}{pem}")).unwrap_err();
    assert!(matches!(error, KeyError::NotAPublicKey(_)), "{error}");
    assert!(PublicKey::from_pem(&clear).is_err());
}

#[test]
fn a_nonce_of_the_wrong_length_is_an_error_and_not_a_panic() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let json = json!({
        "kdf": {"name": "scrypt", "params": {"N": 32768, "r": 8, "p": 1}, "salt": STANDARD.encode([0; 32])},
        "cipher": {"name": "nacl/secretbox", "nonce": STANDARD.encode([0; 7])},
        "ciphertext": STANDARD.encode([0; 64]),
    });
    let body = STANDARD.encode(json.to_string());
    let label = "ENCRYPTED SIGSTORE PRIVATE KEY";
    let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let error = SigningKey::from_encrypted_pem(&pem, &"x".into()).unwrap_err();
    assert!(error.to_string().contains("nonce"), "{error}");
}

#[test]
fn a_key_shows_its_fingerprint_and_never_itself() {
    let shown = format!("{:?}", key());
    assert!(shown.contains(&key().public().fingerprint().to_string()));
    assert!(shown.len() < 100, "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_parsing_panic(text in "\\PC{0,200}") {
        let _ = SignatureFile::parse(text.as_bytes());
        let _ = PublicKey::from_pem(&text);
    }

    #[test]
    fn a_changed_byte_of_the_signature_or_digest_is_refused(
        at in any::<prop::sample::Index>(),
        bit in 0..8u8,
        of_digest in any::<bool>(),
    ) {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let place = if of_digest { "/messageSignature/messageDigest/digest" } else { "/messageSignature/signature" };
        let mut bundle = signed();
        let field = bundle.pointer_mut(place).unwrap();
        let mut bytes = STANDARD.decode(field.as_str().unwrap()).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        *field = json!(STANDARD.encode(bytes));
        prop_assert!(verify(&bundle).is_err());
    }
}
