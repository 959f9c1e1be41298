//! HMAC (RFC 2104).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::Failure;
use crate::bindings::secrets::DigestAlgorithm;

pub(super) fn hmac(
    algorithm: DigestAlgorithm,
    key: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, Failure> {
    match algorithm {
        DigestAlgorithm::Sha256 => compute::<Hmac<Sha256>>(key, message),
        DigestAlgorithm::Sha384 => compute::<Hmac<Sha384>>(key, message),
        DigestAlgorithm::Sha512 => compute::<Hmac<Sha512>>(key, message),
    }
}

fn compute<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Result<Vec<u8>, Failure> {
    // HMAC takes keys of any length; the trait says otherwise for other MACs.
    let mut mac = <M as KeyInit>::new_from_slice(key)
        .map_err(|_| Failure::Invalid("the secret cannot be an HMAC key".to_owned()))?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}
