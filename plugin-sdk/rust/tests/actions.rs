//! What `#[action]` and `export!` make of functions, seen from outside.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::io::Write;
use wharf_plugin::output::{Streamed, Writer};
use wharf_plugin::{Encoded, Error, NoInput, testing};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Greeting {
    /// Whom to greet.
    name: String,
    #[serde(default)]
    times: u8,
}

#[derive(Debug, Serialize, JsonSchema, PartialEq)]
struct Greeted {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

/// Greets someone.
///
/// As often as asked.
#[wharf_plugin::action(idempotent)]
fn greet(Greeting { name, times }: Greeting) -> Result<Greeted, Error> {
    let text = vec![format!("Hello {name}!"); times.max(1).into()].join(" ");
    Ok(Greeted { text, note: None })
}

mod more {
    use super::*;

    /// Counts.
    #[wharf_plugin::action(name = "count-up", idempotent = false)]
    pub(super) fn count(to: u32) -> Result<Streamed<Vec<u32>>, Error> {
        let mut out = Writer::new();
        out.write_all(b"[")?;
        for n in 1..=to {
            if n > 1 {
                out.write_all(b",")?;
            }
            out.json(&n)?;
        }
        out.write_all(b"]")?;
        out.finish()
    }
}

use more::count;

/// Fails with an error of another kind.
#[wharf_plugin::action]
fn fail(_: NoInput) -> Result<(), std::io::Error> {
    Err(std::io::Error::other("the disk is on fire"))
}

wharf_plugin::export!(greet, count, fail);

#[test]
fn an_action_is_still_the_function_it_was() {
    let greeting = Greeting {
        name: "Ann".into(),
        times: 2,
    };
    assert_eq!(greet(greeting).unwrap().text, "Hello Ann! Hello Ann!");
}

#[test]
fn a_plugin_describes_its_actions_in_order() {
    let described = PLUGIN.describe();
    let names: Vec<_> = described.iter().map(|a| (a.name, a.idempotent)).collect();
    assert_eq!(
        names,
        [("greet", true), ("count-up", false), ("fail", false)]
    );
    assert_eq!(
        described[0].description,
        "Greets someone.\n\nAs often as asked."
    );
}

#[test]
fn schemas_are_of_2020_12_and_carry_doc_comments() {
    let described = PLUGIN.describe();
    let input: Value = serde_json::from_str(&described[0].input_schema).unwrap();
    assert_eq!(
        input["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(input["properties"]["name"]["description"], "Whom to greet.");
    assert_eq!(input["required"], json!(["name"]));
    assert_eq!(input["additionalProperties"], json!(false));
    let output: Value = serde_json::from_str(&described[0].output_schema).unwrap();
    assert_eq!(output["required"], json!(["text"]));
    let streamed: Value = serde_json::from_str(&described[1].output_schema).unwrap();
    assert_eq!(streamed["type"], "array");
}

#[test]
fn running_by_name_goes_from_json_to_json() {
    let ran = PLUGIN.run("greet", r#"{"name":"Bo"}"#);
    assert_eq!(ran, Ok(Encoded::Json(r#"{"text":"Hello Bo!"}"#.into())));
    let Err(Error::Failed(failure)) = PLUGIN.run("grete", "{}") else {
        panic!("expected a failure");
    };
    assert_eq!(failure.code, "no-such-action");
    assert!(failure.message.contains("`greet`, `count-up`, `fail`"));
}

#[test]
fn input_that_does_not_fit_never_reaches_the_function() {
    for (input, path) in [
        (json!({ "name": 1 }), "/name"),
        (json!({ "name": "a", "x": 1 }), "/x"),
        (json!({}), ""),
    ] {
        let Err(Error::InvalidInput(fields)) = testing::run(greet, input) else {
            panic!("expected invalid input");
        };
        assert_eq!(fields[0].path, path);
    }
}

#[test]
fn a_streamed_output_is_what_was_written() {
    let host = testing::Host::new().install();
    assert_eq!(testing::run(count, 3), Ok(json!([1, 2, 3])));
    assert_eq!(host.output(), b"[1,2,3]");
}

#[test]
fn a_streamed_output_over_the_limit_says_so() {
    let _host = testing::Host::new().output_limit(1000).install();
    let Err(Error::Failed(failure)) = testing::run(count, 100_000) else {
        panic!("expected a failure");
    };
    assert_eq!(failure.code, "output-too-large");
}

#[test]
fn errors_of_other_kinds_become_errors_of_the_sdk() {
    let Err(Error::Failed(failure)) = testing::run(fail, json!({})) else {
        panic!("expected a failure");
    };
    assert_eq!(failure.code, "io");
    assert!(failure.message.contains("the disk is on fire"));
}
