//! The value by way of another set of characters.

use zeroize::Zeroizing;

use super::{Form, form};

/// What becomes of a value that has more than ASCII where it is taken for Latin-1 or UTF-8 that it is
/// not.
pub(super) fn forms(value: &[u8]) -> Vec<Form> {
    if value.is_ascii() {
        return Vec::new();
    }
    // As large as it can become, so that nothing of it is left where it would have moved from.
    let mut taken_for_latin_1 = String::with_capacity(2 * value.len());
    taken_for_latin_1.extend(value.iter().copied().map(char::from));
    let mut forms = vec![form(taken_for_latin_1)];
    forms.extend(match std::str::from_utf8(value) {
        Ok(text) => latin_1(text),
        Err(_) => lossy(value),
    });
    forms
}

/// The text with its characters of Latin-1 as the bytes that they are there. Escapes of bytes
/// (`%E9`, `\xe9`) stand for those in some languages.
fn latin_1(text: &str) -> Option<Form> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    for c in text.chars() {
        match u8::try_from(c) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    (bytes.as_slice() != text.as_bytes() && bytes.len() >= crate::SHORTEST).then_some(bytes)
}

/// What is no text with replacement characters. Where hardly anything else is left, it says nothing
/// of the value, and would be found in what is left of any other.
fn lossy(value: &[u8]) -> Option<Form> {
    let text = Zeroizing::new(String::from_utf8_lossy(value).into_owned());
    let left = text.chars().filter(|c| *c != char::REPLACEMENT_CHARACTER);
    (left.count() >= crate::SHORTEST).then(|| form(text.as_str().to_owned()))
}
