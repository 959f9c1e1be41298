//! The action, from JSON to JSON. What matters on 32 bits as well is checked here with numbers that
//! do not fit there.

use serde_json::{Value, json};
use wharf_plugin::log::Level;
use wharf_plugin::testing::{self, Host};
use wharf_plugin::{Encoded, Failure};

use super::*;

fn run(input: Value) -> Result<Value, Error> {
    testing::run(jq, input)
}

/// The one result of a filter, as it is written.
fn text(filter: &str, input: &str) -> String {
    let input = format!(r#"{{"filter":{},"input":{input}}}"#, json!(filter));
    match PLUGIN.run("jq", &input) {
        Ok(Encoded::Json(text)) => text
            .strip_prefix(r#"{"result":"#)
            .and_then(|t| t.strip_suffix('}'))
            .unwrap()
            .to_owned(),
        other => panic!("expected a result, got {other:?}"),
    }
}

fn failure(result: Result<Value, Error>) -> Failure {
    match result {
        Err(Error::Failed(failure)) => failure,
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// Where the input is wrong, and what.
fn invalid(input: Value) -> (String, String) {
    match run(input) {
        Err(Error::InvalidInput(mut fields)) if fields.len() == 1 => {
            let field = fields.remove(0);
            (field.path, field.message)
        }
        other => panic!("expected invalid input, got {other:?}"),
    }
}

#[test]
fn a_filter_works_on_its_input() {
    let output = run(json!({
        "filter": ".items | map(select(.size > 1) | .name)",
        "input": { "items": [{ "name": "a", "size": 1 }, { "name": "b", "size": 2 }] },
    }));
    assert_eq!(output, Ok(json!({ "result": ["b"] })));
    assert_eq!(
        run(json!({ "filter": "1 + 1" })),
        Ok(json!({ "result": 2 }))
    );
}

#[test]
fn variables_are_seen_by_their_names() {
    let output = run(json!({
        "filter": "[$a, $b.c, .]",
        "input": 0,
        "variables": { "b": { "c": 2 }, "a": 1 },
    }));
    assert_eq!(output, Ok(json!({ "result": [1, 2, 0] })));
    let (path, message) = invalid(json!({ "filter": ".", "variables": { "a-b": 1 } }));
    assert_eq!(path, "/variables");
    assert!(message.contains("`a-b`"));
}

#[test]
fn the_first_result_or_all_of_them_are_given() {
    let all = |filter: &str| run(json!({ "filter": filter, "input": [1, 2], "collect": "all" }));
    assert_eq!(
        run(json!({ "filter": ".[]", "input": [1, 2] })),
        Ok(json!({ "result": 1 }))
    );
    assert_eq!(all(".[]"), Ok(json!({ "results": [1, 2] })));
    assert_eq!(all("empty"), Ok(json!({ "results": [] })));
    assert_eq!(failure(run(json!({ "filter": "empty" }))).code, "no-result");
    assert_eq!(
        run(json!({ "filter": "empty // null" })),
        Ok(json!({ "result": null }))
    );
}

#[test]
fn more_results_than_allowed_are_an_error_and_not_cut_off() {
    let counted = |count: usize| {
        let filter = format!("range({count})");
        run(json!({ "filter": filter, "collect": "all", "max_results": 100 }))
    };
    assert!(counted(100).is_ok());
    assert_eq!(failure(counted(101)).code, "too-many-results");
    let endless = run(json!({ "filter": "repeat(1)", "collect": "all" }));
    assert_eq!(failure(endless).code, "too-many-results");
}

#[test]
fn a_filter_without_end_stops_when_asked() {
    let _host = Host::new().cancelled().install();
    let input = json!({ "filter": "repeat(1)", "collect": "all" });
    assert_eq!(run(input), Err(Error::Cancelled));
}

#[test]
fn integers_are_exact_whatever_their_size() {
    let large = "123456789012345678901234567890";
    assert_eq!(text(".", large), large);
    assert_eq!(text(". + 1", large), "123456789012345678901234567891");
    assert_eq!(text(". * 4", "4611686018427387904"), "18446744073709551616");
    assert_eq!(
        text("[.[] + 1]", "[2147483647, 9007199254740993]"),
        "[2147483648,9007199254740994]"
    );
    assert_eq!(
        text(".a - .b", r#"{"a":-9223372036854775808,"b":1}"#),
        "-9223372036854775809"
    );
}

#[test]
fn decimals_that_are_only_moved_keep_their_digits() {
    assert_eq!(
        text(".a[0]", r#"{"a":[1.10000000000000000001e5]}"#),
        "1.10000000000000000001e5"
    );
}

#[test]
fn computed_numbers_are_written_as_jq_writes_them() {
    assert_eq!(text(". / 2", "10"), "5");
    assert_eq!(text(". / 4", "10"), "2.5");
    assert_eq!(text("nan", "0"), "null");
    let largest = "1.7976931348623157e308";
    assert_eq!(
        text("[infinite, -infinite]", "0"),
        format!("[{largest},-{largest}]")
    );
    let small: f64 = text("pow(2; -30)", "0").parse().unwrap();
    assert_eq!(small, 2_f64.powi(-30));
}

#[test]
fn a_filter_that_cannot_be_read_is_refused_with_the_place() {
    let (path, message) = invalid(json!({ "filter": ".a |\n  map(" }));
    assert_eq!(path, "/filter");
    assert!(
        message.contains("closing parenthesis at line 2, column 7, at the end"),
        "{message}"
    );
    let (_, message) = invalid(json!({ "filter": ".a | ] " }));
    assert!(message.contains("at line 1, column 6"), "{message}");
    let (_, message) = invalid(json!({ "filter": "1 +" }));
    assert!(
        message.ends_with("expected term at line 1, column 4, at the end"),
        "{message}"
    );
    let (_, message) = invalid(json!({ "filter": ".a | nope(1)" }));
    assert!(
        message.contains("there is no filter `nope/1` at line 1, column 6"),
        "{message}"
    );
    let (_, message) = invalid(json!({ "filter": "$x" }));
    assert!(message.contains("there is no variable `$x`"), "{message}");
}

#[test]
fn a_filter_that_fails_says_why() {
    let failed = failure(run(json!({ "filter": ".a", "input": [1] })));
    assert_eq!(failed.code, "jq");
    assert!(
        failed.message.contains("cannot index [1] with \"a\""),
        "{}",
        failed.message
    );
    let raised = failure(run(json!({ "filter": "error(\"no luck\")" })));
    assert!(raised.message.contains("no luck"));
    let long = failure(run(json!({ "filter": "error(\"é\" * 5000)" })));
    assert!(long.message.len() < 1200);
}

#[test]
fn halting_ends_the_filter_and_nothing_else() {
    let halted = failure(run(json!({ "filter": "halt_error(3)", "input": "bye" })));
    assert_eq!(
        (halted.code.as_str(), halted.details),
        ("jq-halt", Some(json!({ "exit_code": 3 })))
    );
}

#[test]
fn the_environment_and_files_are_out_of_reach() {
    let (_, message) = invalid(json!({ "filter": "env" }));
    assert!(message.contains("there is no filter `env/0`"));
    let (_, message) = invalid(json!({ "filter": "$ENV.HOME" }));
    assert!(message.contains("there is no variable `$ENV`"));
    for filter in [
        "import \"a\" as a; .",
        "include \"a\"; .",
        "import \"a\" as $a; $a",
    ] {
        assert!(
            invalid(json!({ "filter": filter }))
                .1
                .contains("cannot import"),
            "{filter}"
        );
    }
}

#[test]
fn debug_messages_go_to_the_log() {
    let host = Host::new().install();
    assert_eq!(
        run(json!({ "filter": "debug | . + 1", "input": 1 })),
        Ok(json!({ "result": 2 }))
    );
    assert_eq!(host.messages(Level::Debug), ["1"]);
}

#[test]
fn what_is_not_json_is_an_error() {
    let deep = run(json!({ "filter": "reduce range(1000) as $i (0; [.])" }));
    assert_eq!(failure(deep).code, "not-json");
    assert_eq!(
        failure(run(json!({ "filter": "{(1|tojson|fromjson): 2}" }))).code,
        "not-json"
    );
}

#[test]
fn an_input_that_is_nested_too_deep_is_refused() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let input = format!(r#"{{"filter":".","input":{deep}}}"#);
    assert!(
        matches!(PLUGIN.run("jq", &input), Err(Error::InvalidInput(f)) if f[0].path == "/input")
    );
    assert_eq!(text(".", r#""[[[[\"[[[""#), r#""[[[[\"[[[""#);
}

#[test]
fn the_standard_library_is_there() {
    assert_eq!(text("[splits(\", *\")]", r#""a, b,c""#), r#"["a","b","c"]"#);
    assert_eq!(text("@base64", r#""hi""#), r#""aGk=""#);
    assert_eq!(
        text("fromdateiso8601", r#""2026-11-21T00:00:00Z""#),
        "1795219200"
    );
    assert_eq!(
        text("to_entries", r#"{"b":1,"a":2}"#),
        r#"[{"key":"b","value":1},{"key":"a","value":2}]"#
    );
}
