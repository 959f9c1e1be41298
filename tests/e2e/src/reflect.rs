//! The ways in which a server may write down what it was sent.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// What stands before what is broken into lines: the first line ends in the middle of a credential.
const BEFORE: &str = "what it was sent, in other words: ";

/// A way of writing something down, by its name.
type Form = (&'static str, fn(&str) -> String);

/// Every way.
pub const REFLECTED: [Form; 15] = [
    ("plain", str::to_owned),
    ("json", |text| serde_json::to_string(text).unwrap()),
    ("json escapes", |text| {
        escaped(text, |c| format!("\\u{c:04x}"))
    }),
    ("url", |text| percent(text, |b| b.is_ascii_alphanumeric())),
    ("whole url", |text| percent(text, |_| false)),
    ("html", html),
    ("html decimal", |text| escaped(text, |c| format!("&#{c};"))),
    ("html hex", |text| escaped(text, |c| format!("&#x{c:X};"))),
    ("base64", |text| STANDARD.encode(format!("{BEFORE}{text}."))),
    ("base64url", |text| {
        URL_SAFE_NO_PAD.encode(format!("{BEFORE}{text}."))
    }),
    ("base64 in lines of 76", |text| {
        broken(&STANDARD.encode(format!("{BEFORE}{text}.")), 76, "\r\n")
    }),
    ("base64 in lines of 64", |text| {
        broken(&STANDARD.encode(format!("{BEFORE}{text}.")), 64, "\n")
    }),
    ("hex", |text| hex::encode(text)),
    ("hex in capitals", |text| hex::encode_upper(text)),
    ("hex in lines of 64", |text| {
        broken(&hex::encode(format!("{}{text}.", &BEFORE[..20])), 64, "\n")
    }),
];

/// All of them, each behind a line with its name.
pub(crate) fn reflect(text: &str) -> String {
    let mut all = String::new();
    for (name, form) in REFLECTED {
        write!(all, "== {name}\n{}\n", form(text)).unwrap();
    }
    all
}

/// A text in lines of this length.
pub fn broken(text: &str, width: usize, end: &str) -> String {
    let lines = text.as_bytes().chunks(width);
    let lines: Vec<_> = lines
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    lines.join(end)
}

/// Every character by its number.
fn escaped(text: &str, one: impl Fn(u32) -> String) -> String {
    text.chars().map(|c| one(c.into())).collect()
}

pub(crate) fn percent(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let one = |b: u8| match keep(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

/// As every library escapes what is to stand in an attribute.
pub(crate) fn html(text: &str) -> String {
    let mut escaped = text.replace('&', "&amp;");
    for (c, name) in [
        ('<', "&lt;"),
        ('>', "&gt;"),
        ('"', "&quot;"),
        ('\'', "&#39;"),
    ] {
        escaped = escaped.replace(c, name);
    }
    escaped
}
