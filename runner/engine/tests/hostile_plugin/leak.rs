//! Searches text for secrets: any eight bytes of one in a row, plain, backwards, in hexadecimal or
//! percent-encoded, and the whole in base64, all of it in small letters or capitals. Written apart
//! from the scrubber that it judges.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

/// How much of a secret in a row is a leak.
const PIECE: usize = 8;

fn hex(bytes: &[u8], join: &str) -> String {
    let digits = bytes.iter().map(|byte| format!("{join}{byte:02x}"));
    digits.collect()
}

/// The base64 of the secret wherever it lies in something longer, without the borders that depend
/// on what is around it.
fn base64(secret: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for offset in 0..3 {
        let padded = [&vec![b'-'; offset], secret.as_bytes()].concat();
        for text in [STANDARD.encode(&padded), URL_SAFE.encode(&padded)] {
            let text = text.trim_end_matches('=');
            forms.push(text[offset + 1..text.len() - 2].to_owned());
        }
    }
    forms
}

/// What of the secret is in the text, if anything. Of a key in PEM, its borders are no secret.
pub(crate) fn find(text: &str, secret: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let is_secret = |line: &&str| line.len() >= PIECE && !line.starts_with("-----");
    secret
        .lines()
        .filter(is_secret)
        .find_map(|line| find_line(&lower, line))
}

/// What of a secret of one line is in a text of small letters.
fn find_line(lower: &str, secret: &str) -> Option<String> {
    let small = secret.to_ascii_lowercase();
    let backwards: String = small.chars().rev().collect();
    for at in 0..=secret.len() - PIECE {
        let piece = &secret.as_bytes()[at..at + PIECE];
        let mirrored = &backwards[at..at + PIECE];
        let plain = [&small[at..at + PIECE], mirrored];
        if let Some(found) = plain.into_iter().find(|form| lower.contains(form)) {
            return Some(found.to_owned());
        }
        let encoded = [
            hex(piece, ""),
            hex(piece, "%"),
            hex(piece, "\\u00"),
            hex(piece, "&#x"),
        ];
        if let Some(found) = encoded
            .into_iter()
            .find(|form| lower.contains(form.as_str()))
        {
            return Some(found);
        }
    }
    let forms = base64(secret).into_iter();
    forms
        .map(|form| form.to_ascii_lowercase())
        .find(|form| lower.contains(form))
}

#[test]
fn the_search_finds_what_it_is_for() {
    let secret = "q7Zp2xW9kLm4vT8sB1nR";
    for leak in [
        "token=q7Zp2xW9kLm4vT8sB1nR&",
        "half: Lm4vT8sB1n",
        "x-q7zp2xw9klm4vt8sb1nr: 1",
        "Q7ZP2XW9KLM4VT8SB1NR",
        &STANDARD.encode(secret).to_ascii_lowercase(),
        "Rn1Bs8Tv4mLk",
        "71375a7032785739",
        "%71%37%5A%70%32%78%57%39",
        &STANDARD.encode("Bearer q7Zp2xW9kLm4vT8sB1nR"),
        &STANDARD.encode("user:q7Zp2xW9kLm4vT8sB1nR!"),
        &STANDARD.encode("x q7Zp2xW9kLm4vT8sB1nR!!"),
    ] {
        assert!(find(leak, secret).is_some(), "{leak}");
    }
    assert!(find("[secret api] q7Zp2xW, Lm4vT8s", secret).is_none());
    let key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqG\nQQ==\n-----END PRIVATE KEY-----";
    assert!(find("no private key", key).is_none());
    assert!(find("x GEAMBMGX", key).is_none() && find("x HAgEAMBM", key).is_some());
}
