//! The ways in which a secret can be written down, and the search for them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Every way in which the value could have been written down.
pub fn forms(secret: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = vec![
        ("plain".to_owned(), secret.as_bytes().to_vec()),
        ("hex".to_owned(), hex::encode(secret).into_bytes()),
        ("HEX".to_owned(), hex::encode_upper(secret).into_bytes()),
        (
            "json".to_owned(),
            serde_json::to_string(secret)
                .unwrap()
                .trim_matches('"')
                .into(),
        ),
        ("reversed".to_owned(), secret.bytes().rev().collect()),
    ];
    let percent = |keep: fn(u8) -> bool| -> Vec<u8> {
        secret
            .bytes()
            .flat_map(|b| {
                if keep(b) {
                    vec![b]
                } else {
                    format!("%{b:02X}").into_bytes()
                }
            })
            .collect()
    };
    forms.push(("url".to_owned(), percent(|b| b.is_ascii_alphanumeric())));
    forms.push((
        "lax url".to_owned(),
        percent(|b| b.is_ascii_alphanumeric() || b"-_.~/?=+".contains(&b)),
    ));
    for shift in 0..3 {
        for (name, engine) in [("base64", STANDARD_NO_PAD), ("base64url", URL_SAFE_NO_PAD)] {
            let padded = [vec![0; shift], secret.as_bytes().to_vec()].concat();
            let text = engine.encode(padded);
            // Characters that share bits with what stands before or behind.
            let (front, back) = (
                [0, 2, 3][shift],
                usize::from(!(secret.len() + shift).is_multiple_of(3)),
            );
            forms.push((
                format!("{name} at {shift}"),
                text.as_bytes()[front..text.len() - back].to_vec(),
            ));
        }
    }
    forms
}

/// Whether the one is part of the other.
pub fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
