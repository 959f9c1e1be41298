//! A signature of an image as `cosign verify IMAGE` expects it: an in-toto statement about the
//! manifest, in a DSSE envelope. It stands beside the signature of the component, never for it.

use serde_json::json;
use wharf_policy::Digest;

use crate::{KeyError, SigningKey, attest};

/// The predicate type that means: this image, and nothing more.
pub const PREDICATE: &str = "https://sigstore.dev/cosign/sign/v1";

/// Signs that an image is good: a Sigstore bundle over the digest of its manifest.
///
/// # Errors
/// The cryptography fails.
pub fn sign_manifest(manifest: Digest, key: &SigningKey) -> Result<Vec<u8>, KeyError> {
    attest(manifest, PREDICATE, &json!({}), key)
}
