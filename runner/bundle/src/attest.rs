//! Attesting: an in-toto statement in a DSSE envelope, signed by a key, as a Sigstore bundle v0.3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_policy::Digest;

use crate::oci::BUNDLE_TYPE;
use crate::sigstore::{PAYLOAD_TYPE, pre_authentication_encoding};
use crate::{KeyError, SigningKey};

/// Attests something of a file: the statement of that predicate type, with that predicate, about the
/// file of that digest. The answer is one line of what is kept at
/// [`attestations_path`](crate::attestations_path).
///
/// # Errors
/// The cryptography fails.
pub fn attest(
    subject: Digest,
    predicate_type: &str,
    predicate: &Value,
    key: &SigningKey,
) -> Result<Vec<u8>, KeyError> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": subject.to_hex() } }],
        "predicateType": predicate_type,
        "predicate": predicate,
    });
    let payload = statement.to_string().into_bytes();
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
