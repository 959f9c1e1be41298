//! Whatever is offered as a log's checkpoint: it never panics, and what it takes is exact enough to
//! be taken again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_bundle::sigstore::Checkpoint;

fuzz_target!(|text: &str| {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert!(text.contains("\n\n") && text.ends_with('\n'));
        assert_eq!(Checkpoint::parse(text), Ok(checkpoint));
    }
});
