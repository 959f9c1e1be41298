//! Publishing, as a user does it: against a real registry, with the credentials of `docker login`, and
//! without a network.

#![allow(clippy::unwrap_used)]

mod carrying;
mod matrix;
mod tools;
mod transfer;

use std::fs;
use std::path::PathBuf;

use wharf_e2e::{Answer, bundles, on_terminal, wharf_in};

/// A folder with a plugin in it, that two keys sign.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["http", "transform"] {
            let to = desk.path(&format!("{name}.wasm"));
            fs::copy(bundles().file(name), to).unwrap();
        }
        for name in ["ours", "theirs"] {
            desk.wharf(&["keygen", name]).ok();
        }
        desk.wharf(&["sign", "http.wasm", "--key", "ours/wharf.key"])
            .ok();
        desk.write(
            "policy.toml",
            "[[trust]]\nplugins = ['*']\nkeys = ['ours/wharf.pub']\n",
        );
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs `wharf` here, as somebody without any credentials.
    fn wharf(&self, args: &[&str]) -> Answer {
        self.wharf_with(args, &[])
    }

    fn wharf_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Answer {
        let (docker, home) = (self.path("docker"), self.path("home"));
        let mut all = vec![
            ("DOCKER_CONFIG", docker.to_str().unwrap()),
            ("WHARF_HOME", home.to_str().unwrap()),
        ];
        all.extend(variables);
        wharf_in(self.folder.path(), args, &all)
    }

    /// What a person sees who runs `wharf` here. It must succeed.
    fn on_terminal(&self, args: &[&str]) -> String {
        let home = self.path("home");
        let variables = [("WHARF_HOME", home.to_str().unwrap())];
        let (code, seen) = on_terminal(self.folder.path(), args, &variables);
        assert_eq!(code, 0, "{seen}");
        seen
    }
}
