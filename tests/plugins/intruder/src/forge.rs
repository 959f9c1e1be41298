//! Handles that were never given, and state that should not be there.

use std::sync::atomic::{AtomicU32, Ordering};

use wharf_plugin::bindings::wharf::plugin::secrets::{DigestAlgorithm, Secret};

static RUNS: AtomicU32 = AtomicU32::new(0);

/// Which run of this instance this is.
pub(crate) fn count() -> u32 {
    RUNS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Uses a secret by a handle that is only guessed.
pub(crate) fn guess(handle: u32) -> Vec<u8> {
    let secret = unsafe { Secret::from_handle(handle) };
    secret
        .hmac(DigestAlgorithm::Sha256, b"guess")
        .unwrap_or_default()
}
