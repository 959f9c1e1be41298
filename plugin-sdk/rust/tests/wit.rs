//! `wit/` beside this crate is a copy of the project's, so that the crate builds wherever it is
//! copied to. This keeps the two alike.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

#[test]
fn the_copy_of_the_wit_is_the_wit() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (original, copy) = (files(&here.join("../../wit")), files(&here.join("wit")));
    assert!(
        original == copy,
        "plugin-sdk/rust/wit differs from wit; run `cp wit/*.wit plugin-sdk/rust/wit/`"
    );
}
