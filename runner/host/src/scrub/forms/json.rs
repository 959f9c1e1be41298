//! The inside of JSON strings, as the usual writers escape it.

use std::fmt::Write as _;

use super::{Form, form};

/// How a JSON writer escapes what it need not.
#[derive(Clone, Copy)]
struct Style {
    /// Everything beyond ASCII as `\u`.
    ascii: bool,
    /// `/` as `\/`.
    slash: bool,
    /// These as `\u`.
    more: &'static [char],
}

const PLAIN: Style = Style {
    ascii: false,
    slash: false,
    more: &[],
};

const STYLES: [Style; 7] = [
    PLAIN,
    // Python.
    Style {
        ascii: true,
        ..PLAIN
    },
    // PHP, with and without JSON_UNESCAPED_UNICODE.
    Style {
        slash: true,
        ..PLAIN
    },
    Style {
        ascii: true,
        slash: true,
        ..PLAIN
    },
    // Go.
    Style {
        more: &['<', '>', '&'],
        ..PLAIN
    },
    // Gson.
    Style {
        more: &['<', '>', '&', '=', '\''],
        ..PLAIN
    },
    // .NET.
    Style {
        ascii: true,
        slash: false,
        more: &['<', '>', '&', '+', '\'', '"', '`'],
    },
];

pub(super) fn forms(text: &str) -> impl Iterator<Item = Form> {
    STYLES
        .into_iter()
        .flat_map(move |style| [true, false].map(|upper| form(escaped(text, style, upper))))
}

fn escaped(text: &str, style: Style, upper: bool) -> String {
    // Room for the longest escapes, so that growing leaves no part of a secret behind.
    let mut out = String::with_capacity(6 * text.len());
    let escape = |out: &mut String, unit: u16| {
        // Writing to a string does not fail.
        let _ = if upper {
            write!(out, "\\u{unit:04X}")
        } else {
            write!(out, "\\u{unit:04x}")
        };
    };
    for c in text.chars() {
        match c {
            c if style.more.contains(&c) || c < ' ' && !"\n\r\t\u{8}\u{c}".contains(c) => {
                escape(&mut out, c as u16);
            }
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '/' if style.slash => out.push_str("\\/"),
            c if style.ascii && !c.is_ascii() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    escape(&mut out, *unit);
                }
            }
            c => out.push(c),
        }
    }
    out
}
