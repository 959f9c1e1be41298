//! What the documentation says of the tests is true.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use wharf_e2e::source;

/// The names of all functions in the Rust files below a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.split("fn ").skip(1).map(|rest| {
                rest.chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect()
            }));
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let mut known = BTreeSet::new();
    for folder in ["runner", "tests", "plugin-sdk"] {
        functions(&source().join(folder), &mut known);
    }
    let text = std::fs::read_to_string(source().join("docs/security.md")).unwrap();
    let named: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.rsplit('|').nth(1))
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 30, "the tables are not read: {named:?}");
    let missing: Vec<_> = named
        .iter()
        .filter(|name| !known.contains(**name))
        .collect();
    assert!(missing.is_empty(), "no such tests: {missing:#?}");
}

/// The message about a store that is not built in says `--features KIND`, as the documentation does.
#[test]
fn every_kind_of_store_that_is_not_built_in_is_a_feature_of_the_program() {
    let manifest = |of: &str| std::fs::read_to_string(source().join(of)).unwrap();
    let stores = manifest("runner/stores/Cargo.toml");
    let program = manifest("runner/cli/Cargo.toml");
    let kinds: Vec<&str> = stores
        .lines()
        .filter_map(|line| line.split_once(" = [\"dep:"))
        .map(|(kind, _)| kind)
        .filter(|kind| *kind != "vault")
        .collect();
    assert!(kinds.len() >= 4, "the features are not read: {kinds:?}");
    for kind in kinds {
        let line = format!("{kind} = [\"wharf-stores/{kind}\"]");
        assert!(program.contains(&line), "no {line}");
    }
}
