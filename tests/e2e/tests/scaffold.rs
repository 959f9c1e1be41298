//! A new plugin, from nothing to a run, outside the checkout.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use wharf_e2e::{built, wharf_in};

#[test]
fn a_new_plugin_tests_builds_signs_and_runs() {
    let dir = tempfile::tempdir().unwrap();
    let target = built().join("scaffold");
    let variables = [
        ("CARGO_TARGET_DIR", target.to_str().unwrap()),
        ("WHARF_HOME", dir.path().to_str().unwrap()),
    ];
    wharf_in(dir.path(), &["plugin", "new", "acme/greeter"], &variables).ok();
    let folder = dir.path().join("acme-greeter");
    let tests = Command::new(env!("CARGO"))
        .args(["test", "--quiet"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(
        tests.status.success(),
        "{}",
        String::from_utf8_lossy(&tests.stderr)
    );
    let said = String::from_utf8_lossy(&tests.stdout);
    let passed = |line: &str| -> Option<u32> {
        line.strip_prefix("test result: ok. ")?
            .split(' ')
            .next()?
            .parse()
            .ok()
    };
    let count: u32 = said.lines().filter_map(passed).sum();
    assert!(count > 0, "the new plugin has no test: {said}");

    let packed = wharf_in(&folder, &["plugin", "build", "--json"], &variables)
        .ok()
        .json();
    assert_eq!(packed["name"], "acme/greeter");
    let file = packed["file"].as_str().unwrap();
    wharf_in(&folder, &["keygen", "keys"], &variables).ok();
    wharf_in(
        &folder,
        &["sign", file, "--key", "keys/wharf.key", "--replace"],
        &variables,
    )
    .ok();
    std::fs::write(
        folder.join("policy.toml"),
        "[[trust]]\nplugins = ['acme/*']\nkeys = ['keys/wharf.pub']\n",
    )
    .unwrap();
    let inspected = wharf_in(&folder, &["plugin", "inspect", file, "--json"], &variables)
        .ok()
        .json();
    let actions = inspected["manifest"]["actions"].as_object().unwrap();
    let action = actions.keys().next().unwrap();
    let input = r#"{"name":"harbour"}"#;
    let ran = wharf_in(
        &folder,
        &[
            "run",
            file,
            action,
            "--input",
            input,
            "--policy",
            "policy.toml",
            "--json",
        ],
        &variables,
    )
    .ok()
    .json();
    assert!(ran["output"].to_string().contains("harbour"), "{ran}");

    let again = wharf_in(dir.path(), &["plugin", "new", "acme/greeter"], &variables);
    assert_eq!(again.code, 2, "an existing folder was written into");
}

#[test]
fn the_same_source_packs_to_the_same_digest() {
    let source = wharf_e2e::source();
    let digest = || {
        wharf_in(
            &source,
            &["plugin", "build", "plugins/transform", "--json"],
            &[],
        )
        .ok()
        .json()["digest"]
            .clone()
    };
    assert_eq!(digest(), digest());
}
