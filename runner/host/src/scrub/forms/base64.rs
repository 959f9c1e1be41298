//! Base64: of the value alone, of something longer, and of the pair of basic authentication.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Base64 of the value alone, of something longer, and of the pair of basic authentication.
pub(super) fn forms(value: &[u8]) -> Vec<String> {
    let mut forms = vec![
        STANDARD.encode(value),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ];
    forms.extend(within(value));
    for before in 0..3 {
        // The end of the token of basic authentication (RFC 7617), whoever the user is. No bit of
        // the secret is left beside it, for what stands before the secret is known.
        let pair = behind(before, b":", value);
        for engine in [&STANDARD, &STANDARD_NO_PAD] {
            let whole = Zeroizing::new(engine.encode(&pair));
            forms.push(whole[first(before)..].to_owned());
        }
    }
    forms
}

/// The part of the base64 of something longer that depends on nothing but the value, for each of the
/// three ways in which it can lie.
pub(crate) fn within(value: &[u8]) -> Vec<String> {
    let mut parts = Vec::new();
    for before in 0..3 {
        let longer = behind(before, b"", value);
        let last = (longer.len() * 8) / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let whole = Zeroizing::new(engine.encode(&longer));
            parts.push(whole[first(before)..last].to_owned());
        }
    }
    parts
}

/// The first character that begins within what so many bytes stand before.
fn first(before: usize) -> usize {
    (before * 8).div_ceil(6)
}

/// The value behind so many bytes of anything, and these.
fn behind(bytes: usize, these: &[u8], value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut longer = Zeroizing::new(Vec::with_capacity(bytes + these.len() + value.len()));
    longer.resize(bytes, 0);
    longer.extend_from_slice(these);
    longer.extend_from_slice(value);
    longer
}
