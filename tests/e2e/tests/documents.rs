//! What the documentation says of the tests is true.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use wharf_e2e::source;

/// The names of all tests in the Rust files below a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.extend(tests_in(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The functions of a formatted Rust file that are run as tests: those with an attribute that says
/// so, and none that leaves them out.
fn tests_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut attributes = String::new();
    let mut open = false;
    for line in text.lines().map(str::trim) {
        if open || line.starts_with("#[") {
            attributes.push_str(line);
            let count = |bracket| attributes.matches(bracket).count();
            open = count('[') > count(']');
        } else if !line.is_empty() && !line.starts_with("//") {
            if let Some(name) = function(line)
                && ["#[test]", "#[tokio::test]", "#[tokio::test("]
                    .iter()
                    .any(|mark| attributes.contains(mark))
                && !attributes.contains("ignore")
            {
                found.insert(name.to_owned());
            }
            attributes.clear();
        }
    }
    found
}

/// The name of the function that begins on a line.
fn function(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("async ").unwrap_or(line);
    rest.strip_prefix("fn ")?.split(['(', '<']).next()
}

#[test]
fn only_a_function_that_is_run_as_a_test_is_taken_for_one() {
    let text = r#"
        fn helper() {}
        #[test]
        fn plain() { helper(); }
        #[tokio::test(
            flavor = "multi_thread",
        )]
        // A word about it.
        async fn of_tokio() {}
        #[test]
        #[ignore = "slow"]
        fn left_out() {}
        #[tokio::test]
        #[cfg_attr(windows, ignore)]
        async fn left_out_somewhere() {}
        proptest! {
            /// A word about it.
            #[test]
            fn of_a_macro(a in 0..2) {}
        }
        #[test]
        const NO: &str = "fn in_a_text()";
        fn behind_it() {}
        // #[test]
        fn commented() {}
    "#;
    let found: Vec<_> = tests_in(text).into_iter().collect();
    assert_eq!(found, ["of_a_macro", "of_tokio", "plain"]);
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let mut known = BTreeSet::new();
    for folder in ["runner", "tests", "plugin-sdk"] {
        tests_below(&source().join(folder), &mut known);
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
