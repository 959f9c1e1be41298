//! The plugins that the tests run, built with `wharf plugin build` and signed with a test key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::wharf::{built, source, wharf, wharf_in};

/// Signed bundles and the key that signed them.
pub struct Bundles {
    /// The public key.
    pub key: PathBuf,
    files: BTreeMap<&'static str, PathBuf>,
}

impl Bundles {
    /// The bundle of that plugin.
    pub fn file(&self, name: &str) -> &Path {
        &self.files[name]
    }
}

/// Builds and signs them once for each test program.
pub fn bundles() -> &'static Bundles {
    static BUNDLES: OnceLock<Bundles> = OnceLock::new();
    BUNDLES.get_or_init(|| {
        let folder = built().join("e2e");
        let keys = folder.join(format!("keys-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&keys);
        wharf(&["keygen", keys.to_str().unwrap()]).ok();
        let key = keys.join("wharf.key");
        let sources = [
            ("http", "plugins/http"),
            ("transform", "plugins/transform"),
            ("notify", "plugins/notify"),
            ("hostile", "tests/plugins/hostile"),
            ("command", "tests/plugins/command"),
            ("rungs", "tests/plugins/rungs"),
            ("database", "tests/plugins/database"),
        ];
        let files = sources.map(|(name, path)| {
            let packed = wharf_in(&source(), &["plugin", "build", path, "--json"], &[])
                .ok()
                .json();
            // Copied, because the signature of another test program may lie beside the original.
            let file = keys.join(format!("{name}.wasm"));
            std::fs::copy(packed["file"].as_str().unwrap(), &file).unwrap();
            wharf(&[
                "sign",
                file.to_str().unwrap(),
                "--key",
                key.to_str().unwrap(),
            ])
            .ok();
            (name, file)
        });
        Bundles {
            key: keys.join("wharf.pub"),
            files: files.into_iter().collect(),
        }
    })
}
