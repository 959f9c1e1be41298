//! Whatever is offered as an archive over an air gap: it never panics, and what is loaded comes back when
//! it is saved and loaded again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_bundle::layout;

const BLOCK: usize = 512;

/// The archive with the checksum of every header put right, so that what is behind them is reached.
fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(BLOCK) {
        if block[257..].starts_with(b"ustar") {
            block[148..156].copy_from_slice(b"        ");
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
    bytes
}

fuzz_target!(|bytes: &[u8]| {
    let _ = layout::load(bytes);
    if let Ok(plugins) = layout::load(with_checksums(bytes).as_slice()) {
        let mut saved = Vec::new();
        layout::save(&plugins, &mut saved).expect("what was loaded can be saved");
        let again = layout::load(saved.as_slice()).expect("what was saved can be loaded");
        assert_eq!(again.len(), plugins.len());
        for (one, other) in again.iter().zip(&plugins) {
            assert_eq!(one.digest(), other.digest());
            assert_eq!(one.signature_file(), other.signature_file());
            assert_eq!(one.attestations_file(), other.attestations_file());
        }
    }
});
