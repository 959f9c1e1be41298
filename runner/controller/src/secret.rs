//! Tokens: made of randomness, kept as hashes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::model::TokenHash;

const PREFIX: &str = "whf_";

/// The system gave no randomness: nothing that needs a secret can be done.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no randomness: {0}; without it no secret can be made")]
pub struct NoRandomness(getrandom::Error);

/// 32 bytes that nobody can guess.
pub(crate) fn random() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

/// A new token.
pub(crate) fn new_token() -> Result<String, NoRandomness> {
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random()?)))
}

/// The hash of a token, if the text could be one.
pub(crate) fn hash_token(text: &str) -> Option<TokenHash> {
    let digits = text.strip_prefix(PREFIX)?;
    (digits.len() == 43).then(|| TokenHash(Sha256::digest(text.as_bytes()).into()))
}
