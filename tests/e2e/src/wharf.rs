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

/// Which `wharf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// With what is built in unless asked otherwise.
    Default,
    /// With the secret stores that are behind features, too.
    EveryStore,
}

/// The binary, of the same profile as this test.
pub(crate) fn binary(build: Build) -> &'static Path {
    static DEFAULT: OnceLock<PathBuf> = OnceLock::new();
    static EVERY_STORE: OnceLock<PathBuf> = OnceLock::new();
    match build {
        Build::Default => DEFAULT.get_or_init(|| built_by(&[], built())),
        Build::EveryStore => EVERY_STORE.get_or_init(|| {
            // Compiled as the tests are, beside what they are made of; only the program lies elsewhere, so
            // that there is always one `wharf` in the usual place, the usual one.
            let target = built().parent().unwrap().to_owned();
            let apart = target.join("every-store");
            let tests = source().join("tests/profile.toml");
            let build_dir = format!("build.build-dir='{}'", target.display());
            let args = [
                "--features=age,aws,gcp,kubernetes",
                "--target-dir",
                apart.to_str().unwrap(),
                "--config",
                &build_dir,
                "--config",
                tests.to_str().unwrap(),
            ];
            built_by(&args, apart.join(built().file_name().unwrap()))
        }),
    }
}

fn built_by(args: &[&str], folder: PathBuf) -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(source())
        .args(["build", "--quiet", "-p", "wharf"])
        .args(args);
    if built().ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success(), "wharf does not build");
    folder.join("wharf")
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
    let output = Command::new(binary(Build::Default))
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
    let mut command = format!("'{}'", binary(Build::Default).display());
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
