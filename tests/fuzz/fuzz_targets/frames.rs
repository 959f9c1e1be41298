//! Whatever comes over the wire: decoding never panics, and what is decoded encodes to something
//! that decodes to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_protocol::{ToController, ToRunner, decode, encode};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frames) = decode::<ToController>(bytes) {
        let mut again = Vec::new();
        for frame in &frames {
            encode(&mut again, frame).expect("what was decoded can be encoded");
        }
        // Compared as text, because NaN progress is not equal to itself.
        let decoded = decode::<ToController>(&again).expect("what was encoded can be decoded");
        assert_eq!(format!("{frames:?}"), format!("{decoded:?}"));
    }
    let _ = decode::<ToRunner>(bytes);
});
