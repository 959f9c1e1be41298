//! The ways to write a secret that are searched for.

mod base64;
mod html;
mod json;
mod url;

use zeroize::Zeroizing;

pub(super) type Form = Zeroizing<Vec<u8>>;

/// Lines of a longer secret (a PEM file) that are searched for on their own, because a log is
/// written line by line. Shorter ones and PEM borders are ordinary text.
const SHORTEST_LINE: usize = 16;

/// Every form of a value, some of them perhaps twice.
pub(super) struct Forms {
    /// Those that are searched for in the text as it is.
    pub(super) plain: Vec<Form>,
    /// Those that writers break into lines, and that are searched for across the breaks as well.
    pub(super) wrapped: Vec<Form>,
}

/// The forms of a value.
pub(super) fn of(value: &[u8]) -> Forms {
    let mut plain = vec![Zeroizing::new(value.to_vec())];
    let mut wrapped = Vec::new();
    wrapped.push(form(hex::encode(value)));
    wrapped.push(form(hex::encode_upper(value)));
    for text in base64::forms(value) {
        if text.contains(['+', '/', '=']) {
            // In a URL, in JSON and in HTML these three may be written otherwise.
            let bytes = text.as_bytes();
            plain.extend(url::forms(bytes));
            plain.extend(json::forms(&text));
            plain.extend(html::forms(bytes));
        }
        wrapped.push(form(text));
    }
    plain.extend(url::forms(value));
    plain.extend(html::forms(value));
    if let Ok(text) = std::str::from_utf8(value) {
        plain.extend(json::forms(text));
    }
    let lines = || value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    if value.contains(&b'\n') {
        let alone = lines().filter(|line| line.len() >= SHORTEST_LINE && !is_border(line));
        plain.extend(alone.map(|line| Zeroizing::new(line.to_vec())));
    }
    if lines().next().is_some_and(is_border) {
        // A key in PEM: what is between the borders, broken into lines in another way.
        let mut body = Zeroizing::new(Vec::with_capacity(value.len()));
        for line in lines().filter(|line| !is_border(line) && !line.contains(&b':')) {
            body.extend_from_slice(line);
        }
        if body.len() >= SHORTEST_LINE {
            wrapped.push(body);
        }
    }
    plain.extend(wrapped.iter().cloned());
    Forms { plain, wrapped }
}

fn is_border(line: &[u8]) -> bool {
    line.starts_with(b"-----")
}

fn form(text: String) -> Form {
    Zeroizing::new(text.into_bytes())
}
