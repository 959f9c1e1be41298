//! The `wharf` binary, built once for the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The checkout.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// The folder that cargo builds this profile into.
pub fn built() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// The binary, of the same profile as this test.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let built = built();
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(source())
            .args(["build", "--quiet", "-p", "wharf"]);
        if built.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "wharf does not build");
        built.join("wharf")
    })
}

/// What a command printed and how it ended.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The answer of a command that must succeed.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    /// The one JSON document on stdout.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error} in {:?}, {}", self.out, self.err))
    }
}

/// Runs `wharf` in the current folder.
pub fn wharf(args: &[&str]) -> Answer {
    wharf_in(Path::new("."), args, &[])
}

/// Runs `wharf` in a folder, with these variables.
pub fn wharf_in(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Answer {
    let output = Command::new(binary())
        .current_dir(folder)
        .args(args)
        .env_remove("WHARF_TOKEN")
        .env("WHARF_KEY_PASSWORD", "test")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a person sees on a terminal when `wharf` runs there, and how it ends.
pub fn on_terminal(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let mut command = format!("'{}'", binary().display());
    for arg in args {
        command += &format!(" '{arg}'");
    }
    let output = Command::new("script")
        .current_dir(folder)
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap_or(-1), seen)
}

/// Runs the real cosign in a folder, with the password of [`wharf_in`], and tells whether it succeeded.
/// A test that calls it has `cosign` in its name: where there is none, those are left out.
pub fn cosign(folder: &Path, arguments: &[&str]) -> bool {
    let got = Command::new(source().join("tests/tools/get-cosign"))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&got.stderr);
    assert!(got.status.success(), "{error}");
    let done = Command::new(String::from_utf8(got.stdout).unwrap().trim())
        .args(arguments)
        .current_dir(folder)
        .env("COSIGN_PASSWORD", "test")
        .env("HOME", folder)
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&done.stderr));
    done.status.success()
}
