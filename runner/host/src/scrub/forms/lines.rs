//! The parts of a value of several lines: a log is written line by line, and PEM is broken into
//! lines anew.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use super::Form;

/// Lines of a longer secret (a PEM file) that are searched for on their own. Shorter ones and PEM
/// borders are ordinary text.
const SHORTEST: usize = 16;

/// Signs that a line has if it is no ruler, such as a row of `#`.
const SIGNS: usize = 5;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";

pub(super) fn forms(value: &[u8]) -> Vec<Form> {
    let text = with_line_ends(value);
    if !text.contains(&b'\n') {
        return Vec::new();
    }
    let lines = || text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let alone = lines().filter(|line| line.len() >= SHORTEST && !is_ordinary(line));
    let mut forms: Vec<Form> = alone.map(|line| Zeroizing::new(line.to_vec())).collect();
    // What is between the borders of PEM, of one block after the other.
    let mut body: Option<Form> = None;
    for line in lines() {
        if contains(line, BEGIN) {
            body = Some(Zeroizing::new(Vec::with_capacity(value.len())));
        } else if contains(line, END) {
            forms.extend(body.take().filter(|body| body.len() >= SHORTEST));
        } else if let Some(body) = &mut body
            && !line.contains(&b':')
        {
            body.extend_from_slice(line);
        }
    }
    forms
}

/// A document with a key in it has the line ends of PEM in escapes.
fn with_line_ends(value: &[u8]) -> Form {
    let mut text = Zeroizing::new(Vec::with_capacity(value.len()));
    let is_document = contains(value, BEGIN);
    let mut bytes = value.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let is_end = is_document && byte == b'\\' && bytes.next_if_eq(&b'n').is_some();
        text.push(if is_end { b'\n' } else { byte });
    }
    text
}

fn is_ordinary(line: &[u8]) -> bool {
    let is_ruler = || {
        let signs: BTreeSet<u8> = line.iter().copied().collect();
        signs.len() < SIGNS && !line.iter().any(u8::is_ascii_alphanumeric)
    };
    line.starts_with(b"-----") || is_ruler()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}
