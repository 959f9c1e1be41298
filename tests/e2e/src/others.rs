//! Other people's tools: which version they are, and the tables in docs/ of what works with them.

use std::path::Path;
use std::process::Command;

use crate::source;

/// The first version in what a program prints when it is asked for one.
pub fn version(program: &Path, ask: &str) -> Option<String> {
    let output = Command::new(program)
        .arg(ask)
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    first_version(&String::from_utf8_lossy(&said))
}

fn first_version(text: &str) -> Option<String> {
    let is_version = |word: &&str| {
        let parts: Vec<_> = word.split('.').collect();
        let number = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        parts.len() == 3 && parts.iter().all(number)
    };
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .find(is_version)
        .map(str::to_owned)
}

/// The major version of the real cosign. Where a build does not say which it is, as Debian's does not,
/// it is the 3 that is fetched.
pub fn cosign_major(cosign: &Path) -> String {
    let output = Command::new(cosign)
        .args(["version", "--json"])
        .output()
        .unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let said = first_version(said["gitVersion"].as_str().unwrap());
    let said = said.unwrap_or_else(|| "3".to_owned());
    said.split('.').next().unwrap_or_default().to_owned()
}

/// A cell of a table: `None` where there is no such command.
pub fn word(cell: Option<bool>) -> &'static str {
    match cell {
        None => "–",
        Some(true) => "yes",
        Some(false) => "NO",
    }
}

/// Compares what a test found with what a page of docs/ says between the marks of that test. With
/// WHARF_WRITE_DOCS=1 it is written there.
pub fn check_made(page: &str, test: &str, found: &str) {
    let page = source().join(page);
    let text = std::fs::read_to_string(&page).unwrap();
    let begin = format!("<!-- made by {test} -->\n");
    let end = "<!-- until here -->";
    let (before, rest) = text.split_once(&begin).unwrap();
    let (said, after) = rest.split_once(end).unwrap();
    if std::env::var_os("WHARF_WRITE_DOCS").is_some() {
        std::fs::write(page, format!("{before}{begin}{found}{end}{after}")).unwrap();
    } else {
        assert_eq!(said, found, "write it with WHARF_WRITE_DOCS=1");
    }
}

#[cfg(test)]
mod tests {
    use super::first_version;

    #[test]
    fn a_version_is_three_numbers_wherever_it_is_said() {
        for (text, version) in [
            ("wasm-tools 1.262.0 (e22db44da 2026-10-13)", Some("1.262.0")),
            ("/usr/bin/x github.com/a/b 2.8.2+ds1", Some("2.8.2")),
            ("GitVersion: v3.1.1", Some("3.1.1")),
            ("devel", None),
            ("1.2.3.4 127.0.0.1", None),
        ] {
            assert_eq!(first_version(text).as_deref(), version, "{text}");
        }
    }
}
