//! RFC 3161 timestamps: that a signature existed at a time, by the word of an authority.

use jiff::Timestamp;
use sigstore_types::{SignatureBytes, TimestampToken};

use super::Rejection;
use super::trusted_root::TrustRoot;

/// Checks every timestamp of a bundle. One that does not verify spoils the bundle, even where
/// another would do: it is there to make something believed.
pub(super) fn verify_all(
    tokens: &[Vec<u8>],
    signature: &[u8],
    root: &TrustRoot,
    now: Timestamp,
) -> Result<Vec<Timestamp>, Rejection> {
    let times: Vec<Timestamp> = tokens
        .iter()
        .map(|token| verify(token, signature, root))
        .collect::<Result<_, _>>()?;
    not_in_future(&times, now)?;
    Ok(times)
}

/// A time that has not come proves that somebody's clock is wrong, and nothing else.
pub(super) fn not_in_future(times: &[Timestamp], now: Timestamp) -> Result<(), Rejection> {
    match times.iter().find(|time| **time > now) {
        Some(time) => Err(Rejection::Timestamp(format!(
            "its time {time} is in the future"
        ))),
        None => Ok(()),
    }
}

/// The authority that signed the token must itself have been trusted at the time it gives: the
/// window of one authority says nothing about the tokens of another.
fn verify(token: &[u8], signature: &[u8], root: &TrustRoot) -> Result<Timestamp, Rejection> {
    let token = TimestampToken::from_bytes(token);
    let signature = SignatureBytes::from_bytes(signature);
    let mut why = format!(
        "the trusted root ({}) has no timestamp authority",
        root.name()
    );
    for authority in root.timestamp_authorities() {
        match sigstore_tsa::verify_timestamp_for_authority(&token, &signature, authority) {
            Ok(time) => return Ok(time),
            Err(error @ sigstore_tsa::Error::TimestampOutsideValidity { .. }) => {
                return Err(Rejection::Timestamp(error.to_string()));
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(Rejection::Timestamp(why))
}
