//! Percent-encoding as the usual libraries write it, with large and with small digits.

use std::fmt::Write as _;

use super::{Form, form};

/// What the usual percent-encoders leave as it is besides letters and digits, and whether they
/// write a space as `+`.
const STYLES: [(&[u8], bool); 9] = [
    // Encoders that keep nothing.
    (b"", false),
    // RFC 3986, Python `quote(…, safe="")`.
    (b"-_.~", false),
    // Python `quote`.
    (b"-_.~/", false),
    // Go `QueryEscape`, Python `quote_plus`.
    (b"-_.~", true),
    // HTML forms, Java `URLEncoder`.
    (b"-_.*", true),
    // PHP `urlencode`.
    (b"-_.", true),
    // JavaScript `encodeURIComponent` and `encodeURI`.
    (b"-_.~!'()*", false),
    (b"-_.~!'()*;/?:@&=+$,#", false),
    // A path segment (RFC 3986 `pchar`), Go `PathEscape`.
    (b"-_.~!$&'()*+,;=:@", false),
];

pub(super) fn forms(value: &[u8]) -> impl Iterator<Item = Form> {
    STYLES
        .into_iter()
        .flat_map(|(keep, plus)| [true, false].map(|upper| form(encoded(value, keep, upper, plus))))
}

/// Percent-encodes everything but letters, digits and `keep`.
fn encoded(value: &[u8], keep: &[u8], upper: bool, plus: bool) -> String {
    let mut out = String::with_capacity(value.len() * 3);
    for &byte in value {
        if byte.is_ascii_alphanumeric() || keep.contains(&byte) {
            out.push(char::from(byte));
        } else if plus && byte == b' ' {
            out.push('+');
        } else {
            // Writing to a string does not fail.
            let _ = if upper {
                write!(out, "%{byte:02X}")
            } else {
                write!(out, "%{byte:02x}")
            };
        }
    }
    out
}
