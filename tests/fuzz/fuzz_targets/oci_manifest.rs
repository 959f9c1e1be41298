//! What registries and archives hand out: it never panics, and what is accepted keeps its limits.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wharf_bundle::oci::{ImageManifest, Index, Reference, Referrer};
use wharf_bundle::{MAX_COMPONENT, digest, layout};
use wharf_policy::Digest;

/// The image of the seeds.
static IMAGE: LazyLock<Digest> =
    LazyLock::new(|| digest(include_bytes!("../seeds/oci_manifest/image")));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(image) = ImageManifest::parse(bytes) {
        assert!((1..=MAX_COMPONENT as u64).contains(&image.component.size));
        assert_eq!(image.component.media_type, "application/wasm");
    }
    if let Ok(index) = Index::parse(bytes) {
        assert_eq!(Index::parse(&index.to_bytes()).as_ref(), Ok(&index));
    }
    if let Ok(layer) = Referrer::layer(*IMAGE, bytes) {
        assert!((1..=1 << 20).contains(&layer.size));
    }
    let _ = layout::load(bytes);
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(reference) = text.parse::<Reference>()
    {
        assert_eq!(reference.to_string().parse(), Ok(reference));
    }
});
