//! That a log entry is about *this* signature: same bytes signed, same signature, same signer.
//!
//! Without it, a good entry of somebody else's signature would lend its time and its place in the
//! log to any bundle it is put in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sigstore_types::{DerCertificate, DerPublicKey};

use super::bundle::{Content, Entry, Kind};
use super::envelope::pre_authentication_encoding;
use super::hash::Hash;
use super::key_details;
use super::verifying_key::Kind as KeyKind;
use super::wire::Bytes;
use super::{Artifact, Rejection};

/// Who signed, in the form that entries name it, and with what kind of key.
#[derive(Debug, Clone, Copy)]
pub(super) enum By<'a> {
    /// The certificate, in DER.
    Certificate(&'a [u8], KeyKind),
    /// The SubjectPublicKeyInfo.
    Key(&'a [u8], KeyKind),
}

/// Checks that an entry is about this content, signed by this signer.
pub(super) fn check(
    entry: &Entry,
    content: &Content,
    artifact: &Artifact<'_>,
    by: By<'_>,
) -> Result<(), Rejection> {
    check_kind(entry)?;
    let signature = content.signature();
    match (entry.kind, content) {
        (Kind::HashedRekordV1, _) => {
            let body: Body<HashedV1> = read(entry)?;
            let data = body.spec.data.hash;
            is_of(
                content,
                artifact,
                short(&data.algorithm)?,
                &hex(&data.value)?,
            )?;
            same_signature(signature, &body.spec.signature.content.0)?;
            by.is_pem(&body.spec.signature.public_key.content.0)
        }
        (Kind::HashedRekordV2, _) => {
            let body: Body<SpecHashedV2> = read(entry)?;
            let logged = body.spec.hashed_rekord_v002;
            let data = &logged.data;
            let hash = proto(&data.algorithm)?;
            is_of(content, artifact, hash, &data.digest.0)?;
            same_signature(signature, &logged.signature.content.0)?;
            by.is_verifier(&logged.signature.verifier, Some(hash))
        }
        (Kind::DsseV1, Content::Envelope { payload, .. }) => {
            let body: Body<DsseV1> = read(entry)?;
            let hash = &body.spec.payload_hash;
            same_payload(payload, short(&hash.algorithm)?, &hex(&hash.value)?)?;
            let [logged] = one(body.spec.signatures)?;
            same_signature(signature, &logged.signature.0)?;
            by.is_pem(&logged.verifier.0)
        }
        (Kind::DsseV2, Content::Envelope { payload, .. }) => {
            let body: Body<SpecDsseV2> = read(entry)?;
            let logged = body.spec.dsse_v002;
            let hash = &logged.payload_hash;
            same_payload(payload, proto(&hash.algorithm)?, &hash.digest.0)?;
            let [logged] = one(logged.signatures)?;
            same_signature(signature, &logged.content.0)?;
            // The logged hash is of the payload, and not of what was signed.
            by.is_verifier(&logged.verifier, None)
        }
        (
            Kind::IntotoV1,
            Content::Envelope {
                payload_type,
                payload,
                ..
            },
        ) => {
            let body: Body<IntotoV1> = read(entry)?;
            let logged = body.spec.content;
            let hash = &logged.payload_hash;
            same_payload(payload, short(&hash.algorithm)?, &hex(&hash.value)?)?;
            if *payload_type != logged.envelope.payload_type {
                return Err(refused("it is about an envelope of another payload type"));
            }
            let [logged] = one(logged.envelope.signatures)?;
            // These entries have the text of the signature, in base64 once more.
            let text = STANDARD
                .decode(&logged.sig.0)
                .map_err(|_| refused("its signature is not base64"))?;
            same_signature(signature, &text)?;
            by.is_pem(&logged.public_key.0)
        }
        (Kind::DsseV1 | Kind::DsseV2 | Kind::IntotoV1, Content::Message { .. }) => Err(refused(
            "it is about an envelope, and the bundle has a message signature",
        )),
    }
}

/// The kind beside the entry is not logged; the one inside is.
fn check_kind(entry: &Entry) -> Result<(), Rejection> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named {
        kind: String,
        api_version: String,
    }
    let named: Named = read(entry)?;
    if (named.kind.as_str(), named.api_version.as_str()) != entry.kind.name() {
        return Err(refused("it is of another kind than the bundle says"));
    }
    Ok(())
}

/// The logged digest is of what was signed.
fn is_of(
    content: &Content,
    artifact: &Artifact<'_>,
    hash: Hash,
    logged: &[u8],
) -> Result<(), Rejection> {
    let actual = match content {
        Content::Message { .. } => artifact.hashed(hash)?,
        Content::Envelope {
            payload_type,
            payload,
            ..
        } => hash.of(&pre_authentication_encoding(payload_type, payload)),
    };
    if actual == logged {
        Ok(())
    } else {
        Err(refused(
            "it is about something else: the logged digest is another",
        ))
    }
}

fn same_payload(payload: &[u8], hash: Hash, logged: &[u8]) -> Result<(), Rejection> {
    if hash.of(payload) == logged {
        Ok(())
    } else {
        Err(refused(
            "it is about another envelope: the logged payload is another",
        ))
    }
}

fn same_signature(signature: &[u8], logged: &[u8]) -> Result<(), Rejection> {
    if signature == logged {
        Ok(())
    } else {
        Err(refused("it is about another signature"))
    }
}

fn one<T>(logged: Vec<T>) -> Result<[T; 1], Rejection> {
    <[T; 1]>::try_from(logged)
        .map_err(|all| refused(format!("it has {} signatures and must have one", all.len())))
}

impl By<'_> {
    /// Rekor v1 names certificates and keys in PEM.
    fn is_pem(self, pem: &[u8]) -> Result<(), Rejection> {
        let pem = std::str::from_utf8(pem).map_err(|_| refused("its signer is not PEM"))?;
        let same = match self {
            Self::Certificate(der, _) => {
                DerCertificate::from_pem(pem).is_ok_and(|logged| logged.as_bytes() == der)
            }
            Self::Key(spki, _) => {
                DerPublicKey::from_pem(pem).is_ok_and(|logged| logged.as_bytes() == spki)
            }
        };
        same_signer(same)
    }

    /// Rekor v2 also says how the signer signs: the log verified it in that way, and no other.
    fn is_verifier(self, logged: &Verifier, hash: Option<Hash>) -> Result<(), Rejection> {
        let (same, kind) = match (self, &logged.x509_certificate, &logged.public_key) {
            (Self::Certificate(der, kind), Some(logged), None) => (logged.raw_bytes.0 == der, kind),
            (Self::Key(spki, kind), None, Some(logged)) => (logged.raw_bytes.0 == spki, kind),
            (Self::Certificate(_, kind) | Self::Key(_, kind), _, _) => (false, kind),
        };
        same_signer(same)?;
        match key_details::fit(&logged.key_details, kind, hash) {
            true => Ok(()),
            false => Err(refused(format!(
                "it is about a signature of another kind: {:?}",
                logged.key_details.chars().take(40).collect::<String>()
            ))),
        }
    }
}

fn same_signer(same: bool) -> Result<(), Rejection> {
    if same {
        Ok(())
    } else {
        Err(refused("it is about a signature by somebody else"))
    }
}

fn read<T: DeserializeOwned>(entry: &Entry) -> Result<T, Rejection> {
    crate::strict_json::from_slice(&entry.body)
        .map_err(|error| refused(format!("its body is not what its kind says: {error}")))
}

fn short(name: &str) -> Result<Hash, Rejection> {
    Hash::by_short_name(name).ok_or_else(|| unknown_hash(name))
}

fn proto(name: &str) -> Result<Hash, Rejection> {
    Hash::by_proto_name(name).ok_or_else(|| unknown_hash(name))
}

fn unknown_hash(name: &str) -> Rejection {
    Rejection::Unsupported(format!(
        "its log entry uses the hash {:?}",
        name.chars().take(40).collect::<String>()
    ))
}

fn hex(digits: &str) -> Result<Vec<u8>, Rejection> {
    super::hash::from_hex(digits).ok_or_else(|| refused("its digest is not hexadecimal"))
}

fn refused(why: impl Into<String>) -> Rejection {
    Rejection::Log(why.into())
}

// The bodies, as far as they are looked at. They are covered by the inclusion proof, so fields
// that are not known here are Rekor's own.

#[derive(Deserialize)]
struct Body<S> {
    spec: S,
}

#[derive(Deserialize)]
struct HashedV1 {
    data: HashedV1Data,
    signature: HashedV1Signature,
}

#[derive(Deserialize)]
struct HashedV1Data {
    hash: NamedHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedV1Signature {
    content: Bytes,
    public_key: Pem,
}

#[derive(Deserialize)]
struct Pem {
    content: Bytes,
}

#[derive(Deserialize)]
struct NamedHash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseV1 {
    payload_hash: NamedHash,
    signatures: Vec<DsseV1Signature>,
}

#[derive(Deserialize)]
struct DsseV1Signature {
    signature: Bytes,
    verifier: Bytes,
}

#[derive(Deserialize)]
struct IntotoV1 {
    content: IntotoContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoContent {
    envelope: IntotoEnvelope,
    payload_hash: NamedHash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoEnvelope {
    payload_type: String,
    signatures: Vec<IntotoSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoSignature {
    sig: Bytes,
    public_key: Bytes,
}

#[derive(Deserialize)]
struct SpecHashedV2 {
    #[serde(rename = "hashedRekordV002")]
    hashed_rekord_v002: HashedV2,
}

#[derive(Deserialize)]
struct HashedV2 {
    data: ProtoHash,
    signature: V2Signature,
}

#[derive(Deserialize)]
struct SpecDsseV2 {
    #[serde(rename = "dsseV002")]
    dsse_v002: DsseV2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseV2 {
    payload_hash: ProtoHash,
    signatures: Vec<V2Signature>,
}

#[derive(Deserialize)]
struct ProtoHash {
    algorithm: String,
    digest: Bytes,
}

#[derive(Deserialize)]
struct V2Signature {
    content: Bytes,
    verifier: Verifier,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier {
    x509_certificate: Option<Raw>,
    public_key: Option<Raw>,
    #[serde(default)]
    key_details: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    raw_bytes: Bytes,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::bundle::{Bundle, Signer};
    use super::*;

    /// Whether the entry of a bundle is about its signature once its body is changed.
    fn checked(
        name: &str,
        spec: &str,
        kind: KeyKind,
        change: impl Fn(&mut Value),
    ) -> Result<(), Rejection> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sigstore");
        let read = |path: &str| std::fs::read(format!("{folder}/{path}")).unwrap();
        let bundle = Bundle::parse(&read(&format!("bundles/{name}.json"))).unwrap();
        let mut entry = bundle.entries[0].clone();
        let mut body: Value = serde_json::from_slice(&entry.body).unwrap();
        change(&mut body["spec"][spec]);
        entry.body = body.to_string().into_bytes();
        let Signer::Certificate { leaf, .. } = &bundle.signer else {
            panic!("{name} is by a key");
        };
        let artifact = read("artifacts/python-rekor-v2.txt");
        check(
            &entry,
            &bundle.content,
            &Artifact::from_bytes(&artifact),
            By::Certificate(leaf, kind),
        )
    }

    #[test]
    fn an_entry_of_rekor_v2_says_how_its_signer_signs_and_that_must_fit() {
        for (name, spec, verifier) in [
            ("python-rekor-v2", "hashedRekordV002", "/signature/verifier"),
            ("dsse-rekor-v2-alpha", "dsseV002", "/signatures/0/verifier"),
        ] {
            let details = |details: Value, kind| {
                checked(name, spec, kind, |spec| {
                    spec.pointer_mut(verifier).unwrap()["keyDetails"] = details.clone();
                })
            };
            checked(name, spec, KeyKind::P256, |_| {}).unwrap();
            details(json!("PKIX_ECDSA_P256_SHA_256"), KeyKind::P256).unwrap();
            details(json!("PKIX_ECDSA_P256_SHA_256"), KeyKind::P384).unwrap_err();
            for other in [
                json!("PKIX_ECDSA_P384_SHA_384"),
                json!("PKIX_ED25519"),
                json!("anything"),
            ] {
                let error = details(other.clone(), KeyKind::P256).unwrap_err();
                assert!(
                    error.to_string().contains("of another kind"),
                    "{other}: {error}"
                );
            }
            checked(name, spec, KeyKind::P256, |spec| {
                let verifier = spec.pointer_mut(verifier).unwrap();
                verifier.as_object_mut().unwrap().remove("keyDetails");
            })
            .unwrap();
        }
    }

    #[test]
    fn the_hash_of_an_entry_of_rekor_v2_is_the_one_that_its_signer_signs_with() {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/sigstore/artifacts/python-rekor-v2.txt"
        );
        let digest = STANDARD.encode(Hash::Sha512.of(&std::fs::read(file).unwrap()));
        let error = checked(
            "python-rekor-v2",
            "hashedRekordV002",
            KeyKind::P256,
            |spec| {
                spec["data"] = json!({ "algorithm": "SHA2_512", "digest": digest });
            },
        )
        .unwrap_err();
        assert!(error.to_string().contains("of another kind"), "{error}");
    }
}
