//! Programs that `tests/tools` fetches.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What a script of `tests/tools` puts there: the path that it prints. `None`, said aloud, if it
/// cannot.
///
/// # Panics
/// It cannot, and WHARF_REQUIRE_ALL=1 says that everything must be tested.
pub fn tool(script: &str) -> Option<PathBuf> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools");
    let done = Command::new(scripts.join(script)).output().unwrap();
    if done.status.success() {
        let path = String::from_utf8(done.stdout).unwrap();
        return Some(PathBuf::from(path.trim()));
    }
    let why = String::from_utf8_lossy(&done.stderr).trim().to_owned();
    let required = std::env::var("WHARF_REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "{script}: {why}");
    eprintln!("skipped, because {script} did not do it: {why}");
    None
}
