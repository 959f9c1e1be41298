//! The value as a language writes it that escapes a character by another one like it.

use zeroize::Zeroizing;

use super::Form;

/// What is written for a character: within a shell's single quotes; doubled, as by SQL, PowerShell,
/// YAML, CSV, batch files, printf, Make and Compose.
const WRITTEN: [(u8, &[u8]); 6] = [
    (b'\'', br"'\''"),
    (b'\'', br#"'"'"'"#),
    (b'\'', b"''"),
    (b'"', b"\"\""),
    (b'%', b"%%"),
    (b'$', b"$$"),
];

pub(super) fn forms(value: &[u8]) -> impl Iterator<Item = Form> {
    WRITTEN
        .iter()
        .filter(|(character, _)| value.contains(character))
        .map(|(character, written)| replaced(value, *character, written))
}

fn replaced(value: &[u8], character: u8, written: &[u8]) -> Form {
    // So much room that nothing is left behind where the bytes would have moved.
    let mut bytes = Zeroizing::new(Vec::with_capacity(value.len() * written.len()));
    for byte in value {
        if *byte == character {
            bytes.extend_from_slice(written);
        } else {
            bytes.push(*byte);
        }
    }
    bytes
}
