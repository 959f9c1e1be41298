//! Other people's tools check our signatures, and ours check theirs: with the real cosign.
//!
//! What the formats hold in detail is tested in `runner/bundle/tests`; here it is the two command
//! lines that meet.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_e2e::{source, wharf_in};

const PASSWORD: &str = "correct horse";
const FILE: &str = "any.file";

fn cosign() -> PathBuf {
    let got = Command::new(source().join("tests/tools/get-cosign"))
        .output()
        .unwrap();
    assert!(
        got.status.success(),
        "{}",
        String::from_utf8_lossy(&got.stderr)
    );
    String::from_utf8(got.stdout).unwrap().trim().into()
}

fn run_cosign(folder: &Path, arguments: &[&str]) -> bool {
    Command::new(cosign())
        .args(arguments)
        .current_dir(folder)
        .env("COSIGN_PASSWORD", PASSWORD)
        .env("HOME", folder)
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn cosign_verifies_what_wharf_signed_and_not_what_was_changed_after() {
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join(FILE);
    std::fs::write(&file, "content").unwrap();
    let password = [("WHARF_KEY_PASSWORD", PASSWORD)];
    wharf_in(desk.path(), &["keygen", "keys"], &password).ok();
    wharf_in(
        desk.path(),
        &["sign", FILE, "--key", "keys/wharf.key"],
        &password,
    )
    .ok();
    let verify = [
        "verify-blob",
        "--insecure-ignore-tlog",
        "--key",
        "keys/wharf.pub",
        "--bundle",
        "any.file.sigstore.json",
        FILE,
    ];
    assert!(run_cosign(desk.path(), &verify));
    std::fs::write(&file, "Content").unwrap();
    assert!(!run_cosign(desk.path(), &verify));
}

#[test]
fn wharf_verifies_what_cosign_signed_and_not_what_was_changed_after() {
    let desk = tempfile::tempdir().unwrap();
    let file = desk.path().join(FILE);
    std::fs::write(&file, "content").unwrap();
    for arguments in [
        &["generate-key-pair"][..],
        &["signing-config", "create", "--out", "offline.json"],
        &[
            "sign-blob",
            "--yes",
            "--key",
            "cosign.key",
            "--signing-config",
            "offline.json",
            "--bundle",
            "b.json",
            FILE,
        ],
    ] {
        assert!(run_cosign(desk.path(), arguments), "cosign {arguments:?}");
    }
    let verify = ["verify", FILE, "--key", "cosign.pub", "--bundle", "b.json"];
    wharf_in(desk.path(), &verify, &[]).ok();
    std::fs::write(&file, "Content").unwrap();
    let refused = wharf_in(desk.path(), &verify, &[]);
    assert_eq!(refused.code, 3, "{} {}", refused.out, refused.err);
}
