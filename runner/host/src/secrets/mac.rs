//! HMAC (RFC 2104), with keys that nobody finds by trying: who has one result can try as many as he
//! likes, where nobody sees it.

use aws_lc_rs::hmac;

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
    Ok(compute(algorithm, key, message))
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

pub(super) fn compute(algorithm: DigestAlgorithm, key: &[u8], message: &[u8]) -> Vec<u8> {
    let digest = match algorithm {
        DigestAlgorithm::Sha256 => hmac::HMAC_SHA256,
        DigestAlgorithm::Sha384 => hmac::HMAC_SHA384,
        DigestAlgorithm::Sha512 => hmac::HMAC_SHA512,
    };
    let key = hmac::Key::new(digest, key);
    hmac::sign(&key, message).as_ref().to_vec()
}
