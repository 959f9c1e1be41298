//! `template/` is what `wharf plugin new` writes. The SDK goes with it as a copy, with manifests of
//! its own; this keeps those like the manifests of the workspace.
#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn sdk() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn manifest(path: &Path) -> Table {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.parse()
        .unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn workspace() -> Table {
    let root = manifest(&sdk().join("../../Cargo.toml"));
    root["workspace"].as_table().unwrap().clone()
}

/// Every dependency but those of tests, by the condition under which it is one.
fn dependencies(manifest: &Table) -> BTreeMap<(String, String), Value> {
    let mut found = BTreeMap::new();
    let mut add = |condition: &str, table: Option<&Value>| {
        for (name, value) in table.and_then(Value::as_table).into_iter().flatten() {
            found.insert((condition.to_owned(), name.clone()), value.clone());
        }
    };
    add("", manifest.get("dependencies"));
    for (condition, table) in manifest
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
    {
        add(condition, table.get("dependencies"));
    }
    found
}

fn version(dependency: &Value) -> Option<&str> {
    dependency
        .as_str()
        .or_else(|| dependency.get("version")?.as_str())
}

fn features(dependency: &Value) -> BTreeSet<&str> {
    let listed = dependency.get("features").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn the_manifests_of_the_copy_are_those_of_the_sdk() {
    let workspace = workspace();
    let pairs = [
        ("Cargo.toml", "template/sdk/Cargo.toml"),
        ("macros/Cargo.toml", "template/sdk/macros/Cargo.toml"),
    ];
    for (original, copy) in pairs {
        let (original, standalone) = (manifest(&sdk().join(original)), manifest(&sdk().join(copy)));
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert_eq!(
                standalone["package"][key], workspace["package"][key],
                "{copy}: {key}"
            );
        }
        for key in ["name", "description"] {
            assert_eq!(
                standalone["package"][key], original["package"][key],
                "{copy}: {key}"
            );
        }
        assert_eq!(standalone.get("lib"), original.get("lib"), "{copy}: lib");

        let (wanted, found) = (dependencies(&original), dependencies(&standalone));
        assert!(
            wanted.keys().eq(found.keys()),
            "{copy}: {:?} are not {:?}",
            found.keys(),
            wanted.keys()
        );
        for ((_, name), dependency) in &found {
            let shared = &workspace["dependencies"][name];
            if shared.get("path").is_none() {
                assert_eq!(version(dependency), version(shared), "{copy}: {name}");
            }
            assert!(
                features(dependency).is_subset(&features(shared)),
                "{copy}: features of {name}"
            );
        }
    }
}

#[test]
fn a_new_plugin_depends_on_what_the_workspace_does() {
    let workspace = workspace();
    let text = fs::read_to_string(sdk().join("template/Cargo.toml.tmpl")).unwrap();
    let plugin: Table = text.replace("{{package}}", "example").parse().unwrap();
    for table in ["dependencies", "dev-dependencies"] {
        for (name, dependency) in plugin[table].as_table().unwrap() {
            match dependency.get("path") {
                Some(path) => assert_eq!(path.as_str(), Some("sdk"), "{name}"),
                None => {
                    let shared = &workspace["dependencies"][name];
                    assert_eq!(version(dependency), version(shared), "{name}");
                }
            }
        }
    }
}

#[test]
fn a_new_plugin_has_no_placeholder_but_its_names() {
    for file in [
        "Cargo.toml.tmpl",
        "plugin.toml.tmpl",
        "src/lib.rs.tmpl",
        "README.md.tmpl",
    ] {
        let text = fs::read_to_string(sdk().join("template").join(file)).unwrap();
        let filled = text.replace("{{name}}", "").replace("{{package}}", "");
        assert!(!filled.contains("{{"), "{file}");
    }
}
