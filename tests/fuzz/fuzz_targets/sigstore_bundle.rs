//! Whatever is offered as a signature: it never panics, and never verifies under a key that signed
//! nothing.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wharf_bundle::{PublicKey, SignatureFile, SigningKey, verify_with_key};

static NOBODY: LazyLock<PublicKey> =
    LazyLock::new(|| SigningKey::generate().expect("a key").public().clone());

fuzz_target!(|bytes: &[u8]| {
    let _ = SignatureFile::parse(bytes);
    assert!(verify_with_key(b"file", bytes, std::slice::from_ref(&NOBODY)).is_err());
});
