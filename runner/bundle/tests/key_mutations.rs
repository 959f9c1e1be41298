//! An encrypted key with one thing changed at a time, or cut off: it does not open, unless nothing but a
//! spelling was changed, and then it is the same key.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::changes::{Changed, changes_at};
use common::key;
use serde_json::Value;
use wharf_bundle::SigningKey;

const LABEL: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
const PASSWORD: &str = "open sesame";

/// The key that the tests share, and the JSON in its PEM.
fn good() -> (String, Value) {
    let pem = key().to_encrypted_pem(&PASSWORD.into()).unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let json = serde_json::from_slice(&STANDARD.decode(body).unwrap()).unwrap();
    (pem.to_string(), json)
}

fn pem(json: &str) -> String {
    let body = STANDARD.encode(json);
    format!("-----BEGIN {LABEL}-----\n{body}\n-----END {LABEL}-----\n")
}

/// Whether it opens, and then it must be the same.
fn opens(pem: &str) -> bool {
    match SigningKey::from_encrypted_pem(pem, &PASSWORD.into()) {
        Ok(opened) => {
            assert_eq!(opened.public(), key().public());
            true
        }
        Err(_) => false,
    }
}

#[test]
fn no_change_of_one_field_of_an_encrypted_key_opens_it() {
    let (_, good) = good();
    assert!(opens(&pem(&good.to_string())));
    // A few places of each text: opening is slow on purpose.
    let all: Vec<Changed> = changes_at(&good, 4).collect();
    assert!(all.len() > 100, "only {}", all.len());
    let next = AtomicUsize::new(0);
    let work = || {
        let mut opened = Vec::new();
        while let Some(changed) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            if opens(&pem(&changed.json.to_string())) && !says_nothing(changed) {
                opened.push(format!("{} {}", changed.at, changed.how));
            }
        }
        opened
    };
    let opened = std::thread::scope(|scope| {
        let all = [scope.spawn(work), scope.spawn(work)];
        all.map(|each| each.join().unwrap()).concat()
    });
    assert!(opened.is_empty(), "{}", opened.join("\n"));
}

/// Whether a change says nothing about the key: cosign does not look at fields that it does not know, either.
fn says_nothing(changed: &Changed) -> bool {
    changed.how == "has one field more"
}

#[test]
fn an_encrypted_key_that_is_cut_off_anywhere_does_not_open() {
    let (text, json) = good();
    let end = text.trim_end().len();
    assert!(opens(&text[..end]));
    for end in 0..end {
        assert!(!opens(&text[..end]), "at {end}");
    }
    let json = json.to_string();
    for end in 0..json.len() {
        assert!(!opens(&pem(&json[..end])), "at {end}");
    }
    for more in [&text, "x", "\n-----BEGIN"] {
        assert!(!opens(&format!("{text}{more}")));
    }
}
