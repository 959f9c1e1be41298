//! `wharf sign` by keys: where the key comes from, and what becomes of signatures that are there.

use std::path::Path;

use wharf_e2e::{Answer, bundles, wharf_in};

/// A folder with a file and three key pairs.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::write(desk.path().join("any.file"), "content").unwrap();
        for name in ["ours", "theirs", "third"] {
            desk.run(&["keygen", name]).ok();
        }
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, args: &[&str]) -> Answer {
        wharf_in(self.path(), args, &[])
    }

    fn sign(&self, by: &str, more: &[&str]) -> Answer {
        let key = format!("{by}/wharf.key");
        self.run(&[&["sign", "any.file", "--key", &key, "--json"], more].concat())
    }

    fn signature(&self) -> String {
        std::fs::read_to_string(self.path().join("any.file.sigstore.json")).unwrap()
    }
}

#[test]
fn a_key_may_come_from_the_environment() {
    let desk = Desk::new();
    let key = std::fs::read_to_string(desk.path().join("ours/wharf.key")).unwrap();
    let args = ["sign", "any.file", "--key", "env://SIGNING_KEY"];
    wharf_in(desk.path(), &args, &[("SIGNING_KEY", &key)]).ok();
    desk.run(&["verify", "any.file", "--key", "ours/wharf.pub"])
        .ok();
    let absent = wharf_in(desk.path(), &args, &[]);
    assert_eq!(absent.code, 2, "{}", absent.err);
    assert!(absent.err.contains("SIGNING_KEY"), "{}", absent.err);
    let damaged = wharf_in(
        desk.path(),
        &args,
        &[("SIGNING_KEY", &key[..key.len() / 2])],
    );
    assert_eq!(damaged.code, 2, "{}", damaged.err);
    let secret: String = key.lines().nth(1).unwrap().chars().take(20).collect();
    assert!(!damaged.err.contains(&secret), "the key is printed");
}

#[test]
fn the_signature_of_another_is_neither_lost_nor_replaced_without_being_told_to() {
    let desk = Desk::new();
    let first = desk.sign("theirs", &[]).ok().json();
    assert_eq!(first["signatures"], 1);
    assert!(
        first["signer"]["key"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    let theirs = desk.signature();
    let kept = desk.sign("ours", &[]);
    assert_eq!(kept.code, 2, "{}", kept.err);
    assert!(kept.err.contains("--add"), "{}", kept.err);
    assert_eq!(desk.signature(), theirs);
    assert_eq!(desk.sign("ours", &["--add"]).ok().json()["signatures"], 2);
    assert!(desk.signature().starts_with(&theirs));
    for (name, code) in [("ours", 0), ("theirs", 0), ("third", 3)] {
        let key = format!("{name}/wharf.pub");
        let verified = desk.run(&["verify", "any.file", "--key", &key]);
        assert_eq!(verified.code, code, "{name}: {}", verified.err);
    }
    // The same signer again is not a third one.
    assert_eq!(desk.sign("ours", &["--add"]).ok().json()["signatures"], 2);
    assert_eq!(
        desk.sign("third", &["--replace"]).ok().json()["signatures"],
        1
    );
    // Own signatures, and those of what the file was before, are of no use to anybody.
    desk.sign("third", &[]).ok();
    std::fs::write(desk.path().join("any.file"), "changed").unwrap();
    desk.sign("ours", &[]).ok();
}

#[test]
fn a_signature_is_not_added_to_those_of_other_bytes_nor_to_something_else() {
    let desk = Desk::new();
    desk.sign("theirs", &[]).ok();
    std::fs::write(desk.path().join("any.file"), "changed").unwrap();
    let before = desk.signature();
    let refused = desk.sign("ours", &["--add"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert_eq!(desk.signature(), before);
    let notes = desk.path().join("notes");
    std::fs::write(&notes, "notes").unwrap();
    for more in [&["--bundle", "notes"][..], &["--bundle", "notes", "--add"]] {
        let refused = desk.sign("ours", more);
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert_eq!(std::fs::read_to_string(&notes).unwrap(), "notes");
    }
    let elsewhere = desk.sign("ours", &["--bundle", "elsewhere.json"]).ok();
    assert_eq!(elsewhere.json()["bundle"], "elsewhere.json");
    let verify = ["verify", "any.file", "--key", "ours/wharf.pub"];
    desk.run(&[&verify[..], &["--bundle", "elsewhere.json"]].concat())
        .ok();
    let left = std::fs::read_dir(desk.path()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(
        !left
            .iter()
            .any(|name| name.to_str().unwrap().starts_with(".wharf")),
        "{left:?}"
    );
}

#[test]
fn a_plugin_that_needs_two_signers_is_trusted_once_the_second_has_added_theirs() {
    let desk = Desk::new();
    std::fs::copy(bundles().file("http"), desk.path().join("any.file")).unwrap();
    std::fs::write(
        desk.path().join("policy.toml"),
        "[[trust]]\nplugins = ['http']\nkeys = ['ours/wharf.pub', 'theirs/wharf.pub']\nrequire = 2\n",
    )
    .unwrap();
    let verify = ["verify", "any.file", "--policy", "policy.toml", "--json"];
    desk.sign("theirs", &[]).ok();
    assert_eq!(desk.run(&verify).code, 3);
    // One person twice is one person.
    desk.sign("theirs", &["--add"]).ok();
    assert_eq!(desk.run(&verify).code, 3);
    desk.sign("ours", &["--add"]).ok();
    let verified = desk.run(&verify).ok().json();
    assert_eq!(verified["signers"].as_array().unwrap().len(), 2);
}

#[test]
fn signing_without_saying_by_what_is_wrong_usage() {
    let desk = Desk::new();
    for args in [
        &["sign", "any.file"][..],
        &["sign", "any.file", "--key", "ours/wharf.key", "--keyless"],
        &[
            "sign",
            "any.file",
            "--key",
            "ours/wharf.key",
            "--rekor-url",
            "http://log.test",
        ],
        &[
            "sign",
            "any.file",
            "--key",
            "ours/wharf.key",
            "--add",
            "--replace",
        ],
        &["sign", "any.file", "--identity-token", "not a token"],
        &["sign", "any.file", "--identity-token", "@absent"],
        &["sign", "any.file", "--identity-token", "env://ABSENT"],
        &[
            "sign",
            "any.file",
            "--keyless",
            "--trusted-root",
            "absent.json",
        ],
    ] {
        let answer = desk.run(args);
        assert_eq!(answer.code, 2, "{args:?}: {}", answer.err);
        assert!(!desk.path().join("any.file.sigstore.json").exists());
    }
}
