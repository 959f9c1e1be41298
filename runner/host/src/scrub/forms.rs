//! The ways to write a secret that are searched for.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

type Form = Zeroizing<Vec<u8>>;

/// Lines of a longer secret (a PEM file) that are searched for on their own, because a log is
/// written line by line. Shorter ones and PEM borders are ordinary text.
const SHORTEST_LINE: usize = 16;

/// What the usual percent-encoders leave as it is besides letters and digits, and whether they
/// write a space as `+`.
const PERCENT: [(&[u8], bool); 9] = [
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

/// Every form of a value, some of them perhaps twice.
pub(super) fn of(value: &[u8]) -> Vec<Form> {
    let mut forms = whole(value);
    if value.contains(&b'\n') {
        for line in value.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            if line.len() >= SHORTEST_LINE && !line.starts_with(b"-----") {
                forms.push(Zeroizing::new(line.to_vec()));
            }
        }
    }
    forms
}

fn whole(value: &[u8]) -> Vec<Form> {
    let mut forms = vec![Zeroizing::new(value.to_vec())];
    let mut add = |text: String| forms.push(Zeroizing::new(text.into_bytes()));
    add(hex::encode(value));
    add(hex::encode_upper(value));
    for form in base64_forms(value) {
        if form.contains(['+', '/', '=']) {
            add(percent(form.as_bytes(), b"-_.~", true, false));
            add(form.replace('/', "\\/"));
        }
        add(form);
    }
    for (keep, plus) in PERCENT {
        add(percent(value, keep, true, plus));
        add(percent(value, keep, false, plus));
    }
    if let Ok(text) = std::str::from_utf8(value) {
        for style in [
            JsonStyle {
                ascii: false,
                slash: false,
                html: false,
            },
            JsonStyle {
                ascii: true,
                slash: false,
                html: false,
            },
            JsonStyle {
                ascii: false,
                slash: true,
                html: false,
            },
            JsonStyle {
                ascii: true,
                slash: true,
                html: false,
            },
            JsonStyle {
                ascii: false,
                slash: false,
                html: true,
            },
        ] {
            add(json(text, style, false));
            add(json(text, style, true));
        }
    }
    forms
}

/// Base64 of the value alone, and the part of the base64 of something longer that depends on
/// nothing but the value, for each of the three ways in which it can lie.
fn base64_forms(value: &[u8]) -> Vec<String> {
    let mut forms = vec![
        STANDARD.encode(value),
        STANDARD_NO_PAD.encode(value),
        URL_SAFE.encode(value),
        URL_SAFE_NO_PAD.encode(value),
    ];
    // The end of the token of basic authentication (RFC 7617), whoever the user is: it hides no bit
    // of the secret, for what stands before it is known.
    for before in 0..3usize {
        let mut pair = Zeroizing::new(vec![0; before]);
        pair.push(b':');
        pair.extend_from_slice(value);
        let first = (before * 8).div_ceil(6);
        for engine in [&STANDARD, &STANDARD_NO_PAD] {
            forms.push(engine.encode(&pair)[first..].to_owned());
        }
    }
    for before in 0..3usize {
        let mut longer = Zeroizing::new(vec![0; before]);
        longer.extend_from_slice(value);
        // Characters that begin within the value and end within it.
        let first = (before * 8).div_ceil(6);
        let last = (longer.len() * 8) / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&longer)[first..last].to_owned());
        }
    }
    forms
}

/// Percent-encodes everything but letters, digits and `keep`.
fn percent(value: &[u8], keep: &[u8], upper: bool, plus: bool) -> String {
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

/// How a JSON writer escapes what it need not.
#[derive(Clone, Copy)]
struct JsonStyle {
    /// Everything beyond ASCII as `\u`.
    ascii: bool,
    /// `/` as `\/`.
    slash: bool,
    /// `<`, `>` and `&` as `\u`.
    html: bool,
}

/// The inside of a JSON string.
fn json(text: &str, style: JsonStyle, upper: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let escape = |out: &mut String, unit: u16| {
        let _ = if upper {
            write!(out, "\\u{unit:04X}")
        } else {
            write!(out, "\\u{unit:04x}")
        };
    };
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if style.slash => out.push_str("\\/"),
            '<' | '>' | '&' if style.html => escape(&mut out, c as u16),
            c if c < ' ' || (style.ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escape(&mut out, *unit);
                }
            }
            c => out.push(c),
        }
    }
    out
}
