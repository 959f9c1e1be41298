//! What is and what is not read as the manifest of a component.

#![allow(clippy::unwrap_used)]

mod common;

use common::{ACTIONS, component, nested, plugin, with_custom};
use proptest::prelude::*;
use serde_json::{Value, json};
use wharf_bundle::{BundleError, MANIFEST_SECTION, Manifest};

fn whole() -> Value {
    json!({
        "format": 1,
        "name": "acme/http",
        "version": "0.1.0",
        "description": "A test",
        "license": "Apache-2.0",
        "reuse": true,
        "capabilities": {"http": [{"origin": "https://api.test"}]},
        "limits": {"memory": "64MiB"},
        "actions": {
            "greet": {
                "description": "Says hello",
                "idempotent": true,
                "input-schema": {"type": "object"},
                "output-schema": true,
                "command": {"args": ["--json"], "env": {"MODE": "x"}}
            }
        }
    })
}

fn read(manifest: &Value) -> Result<Manifest, BundleError> {
    let bytes = component(&[], &[ACTIONS]);
    Manifest::read(&with_custom(
        &bytes,
        MANIFEST_SECTION,
        manifest.to_string().as_bytes(),
    ))
}

#[test]
fn a_manifest_reads_back_as_it_was_written() {
    let manifest = read(&whole()).unwrap();
    let again = Manifest::from_json(&manifest.to_json().unwrap()).unwrap();
    assert_eq!(again, manifest);
    assert_eq!(manifest.name.as_str(), "acme/http");
    assert!(manifest.reuse);
}

#[test]
fn a_list_of_its_values_is_no_object_wherever_it_stands() {
    let good = whole();
    let command = json!([["--json"], { "MODE": "x" }]);
    let action = json!(["Says hello", true, { "type": "object" }, true, null]);
    for (place, list) in [
        ("/capabilities", json!([[], [], [], false])),
        ("/capabilities/http/0", json!(["https://api.test"])),
        ("/actions/greet", action),
        ("/actions/greet/command", command),
    ] {
        let mut manifest = good.clone();
        *manifest.pointer_mut(place).unwrap() = list;
        let error = read(&manifest).unwrap_err().to_string();
        assert!(error.contains("invalid type: sequence"), "{place}: {error}");
    }
    let list = json!([
        1,
        "acme/http",
        "0.1.0",
        "A test",
        null,
        [],
        null,
        false,
        {},
        {},
        good["actions"]
    ]);
    assert!(read(&list).is_err());
}

#[test]
fn a_field_that_is_not_known_is_an_error_wherever_it_stands() {
    for place in [
        "",
        "/capabilities",
        "/capabilities/http/0",
        "/limits",
        "/actions/greet",
        "/actions/greet/command",
    ] {
        let mut manifest = whole();
        manifest.pointer_mut(place).unwrap()["surprise"] = json!(1);
        let error = read(&manifest).unwrap_err();
        assert!(error.to_string().contains("surprise"), "{place}: {error}");
    }
}

#[test]
fn a_field_that_must_be_there_is_missed() {
    for field in ["format", "name", "version", "description", "actions"] {
        let mut manifest = whole();
        manifest.as_object_mut().unwrap().remove(field);
        let error = read(&manifest).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
    for field in ["description", "idempotent", "input-schema", "output-schema"] {
        let mut manifest = whole();
        let action = &mut manifest["actions"]["greet"];
        action.as_object_mut().unwrap().remove(field);
        let error = read(&manifest).unwrap_err();
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn a_manifest_of_a_later_format_is_named_as_such_before_its_fields_are_judged() {
    let mut manifest = whole();
    manifest["format"] = json!(2);
    manifest["new-in-2"] = json!(true);
    assert_eq!(
        read(&manifest).unwrap_err(),
        BundleError::ManifestFormat { found: 2, known: 1 }
    );
}

#[test]
fn an_action_or_field_that_comes_twice_is_an_error() {
    let once = whole().to_string();
    let action = whole()["actions"]["greet"].to_string();
    let twice = once.replace(
        "\"actions\":{",
        &format!("\"actions\":{{\"greet\":{action},"),
    );
    assert_ne!(once, twice);
    let error = Manifest::from_json(twice.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("twice"), "{error}");

    let twice = once.replacen('{', "{\"reuse\":false,", 1);
    let error = Manifest::from_json(twice.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("duplicate"), "{error}");
}

#[test]
fn a_plugin_without_actions_or_with_an_impossible_command_is_refused() {
    let mut manifest = whole();
    manifest["actions"] = json!({});
    assert_eq!(read(&manifest).unwrap_err(), BundleError::NoActions);

    for command in [
        json!({"args": ["a\u{0}b"]}),
        json!({"env": {"": "x"}}),
        json!({"env": {"A=B": "x"}}),
        json!({"env": {"A": "\u{0}"}}),
    ] {
        let mut manifest = whole();
        manifest["actions"]["greet"]["command"] = command;
        let error = read(&manifest).unwrap_err();
        assert!(matches!(error, BundleError::BadCommand { .. }), "{error}");
    }
}

#[test]
fn a_manifest_with_more_asks_or_actions_than_can_be_compared_is_refused_with_the_limit() {
    let asking = |member: &str, list: Value| {
        let mut manifest = whole();
        manifest["capabilities"] = json!({ member: list });
        read(&manifest)
    };
    let ports = |most: u16| {
        let two =
            |from: u16, to: u16| json!({ "host": "*", "ports": (from..=to).collect::<Vec<_>>() });
        json!([two(1, 500), two(501, most)])
    };
    let methods = |most: usize| {
        let name = |n: usize| "A".repeat(n % 32 + 1);
        json!([{ "origin": "https://a.test", "methods": (0..most).map(name).collect::<Vec<_>>() }])
    };
    let rungs = |most: usize| json!([{ "name": "*", "rungs": vec!["inject"; most] }]);
    for (member, fits, more) in [
        ("tcp", ports(1024), ports(1025)),
        ("http", methods(1024), methods(1025)),
        ("secrets", rungs(1024), rungs(1025)),
    ] {
        asking(member, fits).unwrap();
        let error = asking(member, more).unwrap_err();
        assert!(
            matches!(error, BundleError::TooMany { count: 1025, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("more than the 1024"), "{error}");
    }
    let actions = |most: usize| {
        let mut manifest = whole();
        let action = manifest["actions"]
            .as_object()
            .unwrap()
            .values()
            .next()
            .unwrap()
            .clone();
        let all = (0..most).map(|n| (format!("a{n}"), action.clone()));
        manifest["actions"] = Value::Object(all.collect());
        read(&manifest)
    };
    actions(1024).unwrap();
    assert!(matches!(
        actions(1025).unwrap_err(),
        BundleError::TooMany { count: 1025, .. }
    ));
}

#[test]
fn a_component_without_manifest_says_how_to_get_one() {
    let error = Manifest::read(&component(&[], &[ACTIONS])).unwrap_err();
    assert_eq!(error, BundleError::NoManifest);
    assert!(error.to_string().contains("wharf plugin pack"));
}

#[test]
fn two_manifests_are_one_too_many() {
    let bytes = plugin("p", "1.0.0");
    let twice = with_custom(&bytes, MANIFEST_SECTION, whole().to_string().as_bytes());
    assert_eq!(
        Manifest::read(&twice).unwrap_err(),
        BundleError::SeveralManifests(2)
    );
}

#[test]
fn a_manifest_inside_a_nested_module_is_not_read() {
    let manifest = whole().to_string();
    let hidden = nested(MANIFEST_SECTION, manifest.as_bytes());
    assert_eq!(
        Manifest::read(&hidden).unwrap_err(),
        BundleError::NoManifest
    );
    let both = with_custom(&hidden, MANIFEST_SECTION, manifest.as_bytes());
    assert_eq!(Manifest::read(&both).unwrap().name.as_str(), "acme/http");
}

#[test]
fn a_core_module_or_something_else_is_told_from_a_component() {
    let module = wasm_encoder::Module::new().finish();
    assert_eq!(
        Manifest::read(&module).unwrap_err(),
        BundleError::CoreModule
    );
    for other in [&b""[..], b"\0asm", b"\x7fELF\x02\x01\x01\0", b"(component)"] {
        assert_eq!(Manifest::read(other).unwrap_err(), BundleError::NotWasm);
    }
}

#[test]
fn a_manifest_that_is_too_large_is_not_parsed() {
    let bytes = component(&[], &[ACTIONS]);
    let huge = with_custom(&bytes, MANIFEST_SECTION, &vec![b' '; (1 << 20) + 1]);
    let error = Manifest::read(&huge).unwrap_err();
    assert!(matches!(error, BundleError::TooLarge { .. }), "{error}");
}

#[test]
fn deeply_nested_json_is_an_error_and_not_a_stack_overflow() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Manifest::from_json(deep.as_bytes()).is_err());
    let mut inside = whole().to_string();
    inside = inside.replace(
        "\"output-schema\":true",
        &format!("\"output-schema\":{deep}"),
    );
    assert!(Manifest::from_json(inside.as_bytes()).is_err());
}

#[test]
fn no_truncation_panics_and_none_is_read() {
    let bytes = plugin("p", "1.0.0");
    for end in 0..bytes.len() {
        assert!(Manifest::read(&bytes[..end]).is_err(), "cut at {end}");
    }
}

proptest! {
    #[test]
    fn no_change_of_bytes_makes_reading_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = plugin("p", "1.0.0");
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Manifest::read(&bytes);
        let _ = wharf_bundle::shape(&bytes);
    }

    #[test]
    fn no_json_makes_reading_panic(text in "\\PC{0,200}") {
        let _ = Manifest::from_json(text.as_bytes());
    }
}
