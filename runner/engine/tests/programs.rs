//! A program that knows nothing of Wharf, run as an action.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::*;
use serde_json::{Value, json};
use wharf_engine::{ActionError, Cancel, Outcome, Stop};
use wharf_host::LogSource;
use wharf_test_support::Recorder;

async fn report(action: &str, input: Value) -> (Outcome, Vec<String>) {
    let engine = engine();
    let plugin = plugin(&engine, "command").await;
    let prepared = prepare(&engine, &plugin, action, "").unwrap();
    let events = Arc::new(Recorder::default());
    let call = call(&input.to_string(), &Cancel::new(), &events);
    let outcome = prepared.run(call).await.outcome;
    let stderr = events
        .lines()
        .into_iter()
        .filter(|line| line.source == LogSource::Stderr)
        .map(|line| line.message)
        .collect();
    (outcome, stderr)
}

#[tokio::test]
async fn it_gets_its_input_arguments_and_environment_and_nothing_else() {
    let input = json!({ "stderr": "a line" });
    let (outcome, stderr) = report("report", input.clone()).await;
    let Outcome::Done(output) = outcome else {
        panic!("{outcome:?}");
    };
    let output: Value = serde_json::from_str(&output).unwrap();
    let expected = json!({
        "args": ["--json", "two words"], "env": { "MODE": "test" }, "input": input,
    });
    assert_eq!(output, expected);
    assert_eq!(stderr, ["a line"]);
}

#[tokio::test]
async fn without_arguments_and_environment_it_gets_none() {
    let (outcome, _) = report("bare", json!({})).await;
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
}

#[tokio::test]
async fn its_exit_code_is_told_where_it_tells_one() {
    for code in [0, 3, 255] {
        let input = json!({ "exit-with-code": code, "stderr": "no such customer" });
        match report("report", input).await.0 {
            Outcome::Done(_) => assert_eq!(code, 0),
            Outcome::Failed(ActionError::Failed { code: told, .. }) => {
                assert_eq!(told, format!("exit-{code}"));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The standard libraries of WASI 0.2 tell only success and failure (`wasi:cli/exit.exit`), so
/// every failure of an ordinary Rust program is exit code 1.
#[tokio::test]
async fn its_failure_and_last_words_are_the_failure_of_the_action() {
    let input = json!({ "exit": 3, "stderr": "no such customer" });
    let (outcome, _) = report("report", input).await;
    let Outcome::Failed(ActionError::Failed { code, message, .. }) = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(code, "exit-1");
    assert_eq!(message, "no such customer");
}

#[tokio::test]
async fn output_that_is_not_json_is_told_as_that() {
    let (outcome, _) = report("report", json!({ "stdout": "all good!" })).await;
    let Outcome::Stopped(stop @ Stop::InvalidOutput(_)) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(stop.to_string().contains("not a JSON document"), "{stop}");
}
