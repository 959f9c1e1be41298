//! A signature of an image as `cosign verify IMAGE` expects it: an in-toto statement about the
//! manifest, in a DSSE envelope. It stands beside the signature of the component, never for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wharf_policy::Digest;

use super::BUNDLE_TYPE;
use crate::sigstore::{PAYLOAD_TYPE, pre_authentication_encoding};
use crate::{KeyError, SigningKey};

/// The predicate type that means: this image, and nothing more.
pub const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Signs that an image is good: a Sigstore bundle over the digest of its manifest.
///
/// # Errors
/// The cryptography fails.
pub fn sign_manifest(manifest: Digest, key: &SigningKey) -> Result<Vec<u8>, KeyError> {
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": manifest.to_hex() } }],
        "predicateType": PREDICATE,
        "predicate": {},
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
