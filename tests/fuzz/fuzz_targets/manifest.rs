//! Whatever is offered as a component: reading its manifest or its shape never panics, and a
//! manifest that is read is written back the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf_bundle::{Manifest, shape};

fuzz_target!(|bytes: &[u8]| {
    let _ = Manifest::read(bytes);
    let _ = shape(bytes);
    if let Ok(manifest) = Manifest::from_json(bytes) {
        let json = manifest.to_json().expect("what was read can be written");
        assert_eq!(Manifest::from_json(&json).expect("what was written can be read"), manifest);
    }
});
