//! Keys and signatures exchanged with the real cosign, both ways.
//!
//! Ignored unless asked for, because cosign comes from the network: `tests/tools/get-cosign`, then
//! `cargo test --release -p wharf-bundle --test cosign -- --ignored`.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{key, plugin, stranger};
use wharf_bundle::{
    PublicKey, Refusal, SigningKey, sign, signature_path, verify_with_key, write_key_pair,
};

const PASSWORD: &str = "correct horse";
const FILE: &str = "plugin.wasm";

/// A folder in which cosign runs, with a plugin in it.
struct Desk {
    folder: tempfile::TempDir,
    cosign: PathBuf,
    plugin: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .unwrap();
        let got = Command::new(root.join("tests/tools/get-cosign"))
            .output()
            .unwrap();
        assert!(
            got.status.success(),
            "{}",
            String::from_utf8_lossy(&got.stderr)
        );
        let folder = tempfile::tempdir().unwrap();
        let plugin = plugin("p", "1.0.0");
        fs::write(folder.path().join(FILE), &plugin).unwrap();
        Self {
            folder,
            cosign: String::from_utf8(got.stdout).unwrap().trim().into(),
            plugin,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.cosign)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("COSIGN_PASSWORD", PASSWORD)
            .env("HOME", self.folder.path())
            .output()
            .unwrap()
    }

    fn ok(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cosign {arguments:?}: {error}");
    }

    /// Signs the plugin without a log, as on a machine without internet.
    fn sign_with_cosign(&self, key: &str) -> Vec<u8> {
        self.ok(&["signing-config", "create", "--out", "offline.json"]);
        let bundle = "cosign.sigstore.json";
        self.ok(&[
            "sign-blob",
            "--yes",
            "--key",
            key,
            "--signing-config",
            "offline.json",
            "--bundle",
            bundle,
            FILE,
        ]);
        fs::read(self.path(bundle)).unwrap()
    }

    fn verify_with_cosign(&self, public: &str) -> bool {
        let bundle = signature_path(FILE.as_ref());
        let bundle = bundle.to_str().unwrap();
        self.run(&[
            "verify-blob",
            "--insecure-ignore-tlog",
            "--key",
            public,
            "--bundle",
            bundle,
            FILE,
        ])
        .status
        .success()
    }
}

#[test]
#[ignore = "needs tests/tools/get-cosign"]
fn cosign_verifies_what_wharf_signed_and_refuses_what_was_changed() {
    let desk = Desk::new();
    write_key_pair(desk.folder.path(), key(), &PASSWORD.into()).unwrap();
    fs::write(desk.path("stranger.pub"), stranger().public().to_pem()).unwrap();
    let signature = sign(&desk.plugin, key()).unwrap();
    fs::write(signature_path(&desk.path(FILE)), signature).unwrap();
    assert!(desk.verify_with_cosign("wharf.pub"));
    assert!(!desk.verify_with_cosign("stranger.pub"));
    fs::write(desk.path(FILE), [&desk.plugin[..], b"x"].concat()).unwrap();
    assert!(!desk.verify_with_cosign("wharf.pub"));
}

#[test]
#[ignore = "needs tests/tools/get-cosign"]
fn wharf_verifies_what_cosign_signed_with_its_own_key() {
    let desk = Desk::new();
    desk.ok(&["generate-key-pair"]);
    let keys = [PublicKey::load(&desk.path("cosign.pub")).unwrap()];
    let bundle = desk.sign_with_cosign("cosign.key");
    verify_with_key(&desk.plugin, &bundle, &keys).unwrap();
    let refusal = verify_with_key(b"other", &bundle, &keys).unwrap_err();
    assert!(matches!(refusal, Refusal::Tampered { .. }), "{refusal}");
}

#[test]
#[ignore = "needs tests/tools/get-cosign"]
fn each_opens_the_encrypted_key_of_the_other() {
    let desk = Desk::new();
    write_key_pair(desk.folder.path(), key(), &PASSWORD.into()).unwrap();
    let bundle = desk.sign_with_cosign("wharf.key");
    verify_with_key(&desk.plugin, &bundle, &[key().public().clone()]).unwrap();

    desk.ok(&["generate-key-pair"]);
    let theirs = SigningKey::load(&desk.path("cosign.key"), &PASSWORD.into()).unwrap();
    let public = fs::read_to_string(desk.path("cosign.pub")).unwrap();
    assert_eq!(theirs.public().to_pem(), public);
    let signature = sign(&desk.plugin, &theirs).unwrap();
    fs::write(signature_path(&desk.path(FILE)), signature).unwrap();
    assert!(desk.verify_with_cosign("cosign.pub"));
}
