//! Attesting: an in-toto statement in a DSSE envelope, signed by a key, as a Sigstore bundle v0.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::json;
use wharf_policy::Digest;

use crate::oci::BUNDLE_TYPE;
use crate::sigstore::{PAYLOAD_TYPE, pre_authentication_encoding};
use crate::{KeyError, SigningKey};

/// The statement, written in one go: a predicate that is raw JSON stays what it is to the byte.
#[derive(Serialize)]
struct Statement<'a, P: ?Sized> {
    #[serde(rename = "_type")]
    kind: &'static str,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: &'a str,
    predicate: &'a P,
}

#[derive(Serialize)]
struct Subject {
    digest: Sha256,
}

#[derive(Serialize)]
struct Sha256 {
    sha256: String,
}

/// Attests something of a file: the statement of that predicate type, with that predicate, about the
/// file of that digest. The answer is one line of what is kept at
/// [`attestations_path`](crate::attestations_path).
///
/// What others wrote is given as [`RawValue`](serde_json::value::RawValue): of a
/// [`Value`](serde_json::Value) members that were there twice and the digits of large numbers are gone.
///
/// # Errors
/// The predicate is not one that JSON can say, or the cryptography fails.
pub fn attest(
    subject: Digest,
    predicate_type: &str,
    predicate: &(impl Serialize + ?Sized),
    key: &SigningKey,
) -> Result<Vec<u8>, KeyError> {
    let statement = Statement {
        kind: "https://in-toto.io/Statement/v1",
        subject: [Subject {
            digest: Sha256 {
                sha256: subject.to_hex(),
            },
        }],
        predicate_type,
        predicate,
    };
    let payload =
        serde_json::to_vec(&statement).map_err(|error| KeyError::Failed(error.to_string()))?;
    let signature = key.sign(&pre_authentication_encoding(PAYLOAD_TYPE, &payload))?;
    let bundle = json!({
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": { "publicKey": { "hint": key.public().hint() } },
        "dsseEnvelope": {
            "payload": STANDARD.encode(&payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{ "sig": STANDARD.encode(signature.as_bytes()) }],
        },
    });
    Ok(bundle.to_string().into_bytes())
}
