//! The cache of compiled code as an operator looks after it.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_e2e::{Answer, Bundles, bundles, wharf_in};

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let Bundles { key, .. } = bundles();
        let trust = format!("[[trust]]\nplugins = ['*']\nkeys = ['{}']\n", key.display());
        std::fs::write(desk.path().join("policy.toml"), trust).unwrap();
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn wharf(&self, args: &[&str]) -> Answer {
        let home = self.path().join("home");
        let variables = [
            ("WHARF_HOME", home.to_str().unwrap()),
            ("WHARF_POLICY", "policy.toml"),
        ];
        wharf_in(self.path(), args, &variables)
    }

    /// Runs an action, and gives what was said meanwhile.
    fn run(&self) -> String {
        let input = json!({ "filter": ".", "input": 1 }).to_string();
        let plugin = bundles().file("transform").to_str().unwrap();
        self.wharf(&["run", plugin, "jq", "--json", "--input", &input])
            .ok()
            .err
    }

    fn cache(&self, args: &[&str]) -> (i32, Value) {
        let answer = self.wharf(&[&["cache"], args, &["--json"]].concat());
        (answer.code, answer.json())
    }

    fn file(&self) -> PathBuf {
        let mut files = std::fs::read_dir(self.path().join("home/cache/compiled")).unwrap();
        files.next().unwrap().unwrap().path()
    }
}

#[test]
fn compiled_code_that_was_changed_is_found_and_compiled_again_and_can_be_cleared() {
    let desk = Desk::new();
    assert_eq!(desk.cache(&["list"]), (0, json!([])));
    assert!(!desk.path().join("home").exists(), "looking makes nothing");
    desk.run();
    let (_, listed) = desk.cache(&["list"]);
    let component = listed[0]["component"].as_str().unwrap().to_owned();
    assert!(component.starts_with("sha256:") && listed[0]["size"].as_u64() > Some(0));
    let (code, verified) = desk.cache(&["verify"]);
    assert_eq!(
        (code, &verified["files"][0]["finding"]),
        (0, &json!("sound"))
    );

    let mut bytes = std::fs::read(desk.file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(desk.file(), bytes).unwrap();
    let (code, verified) = desk.cache(&["verify"]);
    assert_eq!((code, &verified["ok"]), (3, &json!(false)));
    assert_eq!(verified["files"][0]["finding"], "changed");
    let advice = verified["files"][0]["do"].as_str().unwrap();
    assert!(advice.contains("wharf cache clear"), "{advice}");
    let said = desk.run();
    assert!(said.contains("compiling again"), "{said}");
    assert_eq!(desk.cache(&["verify"]).0, 0);

    assert_eq!(desk.cache(&["clear", "--older-than", "1d"]).1["files"], 0);
    assert_eq!(desk.cache(&["clear", &component]).1["files"], 1);
    desk.run();
    assert_eq!(desk.cache(&["clear"]).1["files"], 1);
    assert_eq!(desk.cache(&["list"]), (0, json!([])));
}
