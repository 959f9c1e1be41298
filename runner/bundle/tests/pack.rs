//! What packing makes, and what it does not let pass.

#![allow(clippy::unwrap_used)]

mod common;

use common::{ACTION, ACTIONS, RUN, component, toml, with_custom};
use wharf_bundle::{
    BundleError, Description, Kind, MANIFEST_SECTION, Manifest, PackOptions, pack, pack_with, shape,
};

fn described(name: &str) -> Description {
    Description {
        name: name.to_owned(),
        description: "Described by itself".to_owned(),
        input_schema: r#"{"type":"object","properties":{"b":{},"a":{}}}"#.to_owned(),
        output_schema: "{}".to_owned(),
        idempotent: true,
    }
}

const COMMAND: &str = "command = { args = ['--json'] }";

#[test]
fn a_packed_component_is_still_the_same_component_with_a_manifest() {
    let bare = component(
        &["wharf:plugin/log@0.1.0", "wasi:io/poll@0.2.6"],
        &[ACTIONS],
    );
    let packed = pack(&bare, &toml("p", "1.0.0", ACTION), &[described("other")]).unwrap();
    assert!(packed.starts_with(&bare));
    assert_eq!(shape(&packed).unwrap(), shape(&bare).unwrap());
    let manifest = Manifest::read(&packed).unwrap();
    let names: Vec<_> = manifest.actions.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["greet", "other"]);
    assert!(!manifest.actions[&"greet".parse().unwrap()].idempotent);
}

#[test]
fn the_same_input_gives_the_same_bytes_and_packing_again_changes_nothing() {
    let bare = component(&[], &[ACTIONS]);
    let toml = toml("p", "1.0.0", ACTION);
    let actions = [described("b"), described("a")];
    let packed = pack(&bare, &toml, &actions).unwrap();
    assert_eq!(pack(&bare, &toml, &actions).unwrap(), packed);
    assert_eq!(pack(&packed, &toml, &actions).unwrap(), packed);
    let stale = with_custom(&bare, MANIFEST_SECTION, b"stale");
    let stale = with_custom(&stale, MANIFEST_SECTION, b"staler");
    assert_eq!(pack(&stale, &toml, &actions).unwrap(), packed);
}

#[test]
fn a_program_is_packed_with_its_commands() {
    let program = component(&["wasi:cli/environment@0.2.6"], &[RUN]);
    let packed = pack(
        &program,
        &toml("p", "1.0.0", &format!("{ACTION}{COMMAND}")),
        &[],
    )
    .unwrap();
    assert_eq!(shape(&packed).unwrap().kind, Kind::Command);
    let greet = &Manifest::read(&packed).unwrap().actions[&"greet".parse().unwrap()];
    assert_eq!(greet.command.as_ref().unwrap().args, ["--json"]);
}

#[test]
fn commands_and_programs_must_fit_each_other() {
    let plain = toml("p", "1.0.0", ACTION);
    let command = toml("p", "1.0.0", &format!("{ACTION}{COMMAND}"));
    assert_eq!(
        pack(&component(&[], &[RUN]), &plain, &[]).unwrap_err(),
        BundleError::NeedsCommand("greet".to_owned())
    );
    assert_eq!(
        pack(&component(&[], &[ACTIONS]), &command, &[]).unwrap_err(),
        BundleError::NotAProgram("greet".to_owned())
    );
    let both = component(&[], &[ACTIONS, RUN]);
    assert_eq!(shape(&both).unwrap().kind, Kind::Both);
    pack(&both, &plain, &[]).unwrap();
    pack(&both, &command, &[]).unwrap();
}

#[test]
fn an_import_that_no_runner_has_is_named() {
    for import in [
        "wasi:keyvalue/store@0.2.0",
        "wharf:plugin/http@0.2.0",
        "wharf:plugin/ghost@0.1.0",
        "acme:tools/x",
    ] {
        let error = pack(
            &component(&[import], &[ACTIONS]),
            &toml("p", "1.0.0", ACTION),
            &[],
        )
        .unwrap_err();
        assert!(
            matches!(error, BundleError::UnknownImport { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(import), "{error}");
    }
}

#[test]
fn an_import_that_needs_a_grant_must_be_asked_for() {
    let http = "http = [{ origin = 'https://*:*' }]";
    let rung = |rung| format!("secrets = [{{ name = '*', rungs = ['{rung}'] }}]");
    for (import, ask) in [
        ("wharf:plugin/http@0.1.0", http.to_owned()),
        ("wasi:http/outgoing-handler@0.2.6", http.to_owned()),
        (
            "wharf:plugin/http-credentials@0.1.0",
            format!("{http}\n{}", rung("attach")),
        ),
        ("wharf:plugin/secrets@0.1.0", rung("operate")),
        (
            "wharf:plugin/signed-http@0.1.0",
            format!("{http}\n{}", rung("operate")),
        ),
        ("wharf:plugin/reveal@0.1.0", rung("reveal")),
        ("wharf:plugin/config@0.1.0", "config = true".to_owned()),
    ] {
        let bytes = component(&[import], &[ACTIONS]);
        let silent = toml("p", "1.0.0", ACTION);
        let error = pack(&bytes, &silent, &[]).unwrap_err();
        assert!(
            matches!(error, BundleError::UnaskedImport { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(import), "{error}");
        let key = ask.split(' ').next().unwrap();
        assert!(error.to_string().contains(key), "{error}");

        let asking = toml("p", "1.0.0", &format!("[capabilities]\n{ask}\n{ACTION}"));
        pack(&bytes, &asking, &[]).unwrap();
        let allow = PackOptions {
            allow_unasked_imports: true,
        };
        pack_with(&bytes, &silent, &[], allow).unwrap();
    }
}

#[test]
fn what_is_not_a_valid_component_is_not_packed() {
    let toml = toml("p", "1.0.0", ACTION);
    let module = wasm_encoder::Module::new().finish();
    assert_eq!(
        pack(&module, &toml, &[]).unwrap_err(),
        BundleError::CoreModule
    );

    let mut dangling = component(&[], &[ACTIONS]);
    // The export's index is the byte before the absent type: point it at nothing.
    let index = dangling.len() - 2;
    dangling[index] = 9;
    let error = pack(&dangling, &toml, &[]).unwrap_err();
    assert!(matches!(error, BundleError::Invalid(_)), "{error}");

    let mute = component(&[], &["acme:tools/x@1.0.0"]);
    let error = pack(&mute, &toml, &[]).unwrap_err();
    assert!(error.to_string().contains("acme:tools/x"), "{error}");
}

#[test]
fn bad_schemas_names_and_repeats_are_refused() {
    let bytes = component(&[], &[ACTIONS]);
    let bare = toml("p", "1.0.0", "");
    assert_eq!(
        pack(&bytes, &bare, &[]).unwrap_err(),
        BundleError::NoActions
    );

    let mut bad = described("a");
    bad.output_schema = r#"{"type":"objekt"}"#.to_owned();
    let error = pack(&bytes, &bare, &[bad]).unwrap_err();
    assert!(
        error.to_string().contains("output schema of action `a`"),
        "{error}"
    );

    let mut bad = described("a");
    bad.input_schema = "{".to_owned();
    assert!(matches!(
        pack(&bytes, &bare, &[bad]).unwrap_err(),
        BundleError::Schema { which: "input", .. }
    ));

    assert!(matches!(
        pack(&bytes, &bare, &[described("Bad Name")]).unwrap_err(),
        BundleError::Name(_)
    ));
    assert_eq!(
        pack(&bytes, &bare, &[described("a"), described("a")]).unwrap_err(),
        BundleError::DuplicateAction("a".to_owned())
    );
    assert_eq!(
        pack(&bytes, &toml("p", "1.0.0", ACTION), &[described("greet")]).unwrap_err(),
        BundleError::DuplicateAction("greet".to_owned())
    );
}
