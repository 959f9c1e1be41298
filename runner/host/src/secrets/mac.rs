//! HMAC (RFC 2104), with keys that nobody finds by trying: who has one result can try as many as he
//! likes, where nobody sees it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use super::Failure;
use crate::bindings::secrets::DigestAlgorithm;

/// The shortest key, in bytes. A password is shorter, and is no key.
const SHORTEST: usize = 16;

/// The MAC of a message, for the plugin.
pub(super) fn hmac(
    algorithm: DigestAlgorithm,
    key: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, Failure> {
    long_enough(key, SHORTEST, "be an HMAC key")?;
    compute_with(algorithm, key, message)
}

/// Refuses a key that is too short for what it is to do.
pub(super) fn long_enough(
    key: &[u8],
    shortest: usize,
    purpose: &'static str,
) -> Result<(), Failure> {
    match key.len() < shortest {
        true => Err(Failure::TooShort { purpose, shortest }),
        false => Ok(()),
    }
}

pub(super) fn compute_with(
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
