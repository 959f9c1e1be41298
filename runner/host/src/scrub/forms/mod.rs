//! The ways to write a secret that are searched for, besides escapes of their characters.

mod base64;

use zeroize::Zeroizing;

pub(super) type Form = Zeroizing<Vec<u8>>;

/// Lines of a longer secret (a PEM file) that are searched for on their own, because a log is
/// written line by line. Shorter ones and PEM borders are ordinary text.
const SHORTEST_LINE: usize = 16;

/// The forms of a value, some of them perhaps twice.
pub(super) fn of(value: &[u8]) -> Vec<Form> {
    let mut forms = vec![Zeroizing::new(value.to_vec())];
    forms.push(form(hex::encode(value)));
    forms.push(form(hex::encode_upper(value)));
    forms.extend(base64::forms(value).into_iter().map(form));
    forms.extend(latin_1(value));
    let lines = || value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    if value.contains(&b'\n') {
        let alone = lines().filter(|line| line.len() >= SHORTEST_LINE && !is_border(line));
        forms.extend(alone.map(|line| Zeroizing::new(line.to_vec())));
    }
    if lines().next().is_some_and(is_border) {
        // A key in PEM: what is between the borders, broken into lines in another way.
        let mut body = Zeroizing::new(Vec::with_capacity(value.len()));
        for line in lines().filter(|line| !is_border(line) && !line.contains(&b':')) {
            body.extend_from_slice(line);
        }
        if body.len() >= SHORTEST_LINE {
            forms.push(body);
        }
    }
    forms
}

/// The value with its characters of Latin-1 as the bytes that they are there. Escapes of bytes
/// (`%E9`, `\xe9`) stand for those in some languages.
fn latin_1(value: &[u8]) -> Option<Form> {
    let text = std::str::from_utf8(value).ok()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len()));
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    (bytes.as_slice() != value && bytes.len() >= crate::SHORTEST).then_some(bytes)
}

fn is_border(line: &[u8]) -> bool {
    line.starts_with(b"-----")
}

fn form(text: String) -> Form {
    Zeroizing::new(text.into_bytes())
}
