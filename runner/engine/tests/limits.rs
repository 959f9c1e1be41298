//! Each limit is reached, and told by its name, its value and the line that raises it.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use wharf_engine::{ActionError, Outcome, Refused, Start, Stop};

#[tokio::test]
async fn an_action_within_its_limits_gives_its_output() {
    let report = hostile("echo", r#"{"n": [1, "ä"]}"#, "").await;
    let Outcome::Done(output) = &report.outcome else {
        panic!("{:?}", report.outcome);
    };
    let output: serde_json::Value = serde_json::from_str(output).unwrap();
    assert_eq!(output, serde_json::json!({ "n": [1, "ä"] }));
    assert_eq!(report.start, Start::Cold);
    assert!(report.usage.peak_memory.get() > 0);
    assert!(report.usage.wall_us >= report.usage.cpu_us, "{report:?}");
}

#[tokio::test]
async fn an_endless_loop_is_stopped_at_its_deadline() {
    let report = hostile("spin", "{}", "deadline = '200ms'").await;
    assert!(report.usage.wall_us >= 200_000, "{report:?}");
    stopped(report, "200ms", "`limits = { deadline");
}

#[tokio::test]
async fn an_endless_loop_is_stopped_when_its_processor_time_is_used_up() {
    let report = hostile("spin", "{}", "cpu = '100ms'").await;
    assert!(report.usage.cpu_us >= 100_000, "{report:?}");
    stopped(report, "100ms", "`limits = { cpu");
}

#[tokio::test]
async fn waiting_in_the_host_is_stopped_at_the_deadline_and_costs_no_processor_time() {
    let report = hostile(
        "hold",
        r#"{"ms": 60000}"#,
        "deadline = '300ms', cpu = '250ms'",
    )
    .await;
    assert!(report.usage.cpu_us < 250_000, "{report:?}");
    stopped(report, "300ms", "deadline");
}

#[tokio::test]
async fn a_memory_bomb_is_stopped_at_its_limit_and_not_told_as_a_crash() {
    let report = hostile("hoard", "{}", "memory = '16MiB'").await;
    assert!(report.usage.peak_memory.get() <= 16 << 20, "{report:?}");
    stopped(report, "16MiB", "`limits = { memory");
}

#[tokio::test]
async fn memory_that_is_granted_can_be_used() {
    let report = hostile("hoard", r#"{"bytes": 8000000}"#, "memory = '16MiB'").await;
    assert!(matches!(report.outcome, Outcome::Done(_)), "{report:?}");
    assert!(report.usage.peak_memory.get() > 8_000_000, "{report:?}");
}

#[tokio::test]
async fn endless_recursion_is_stopped_at_the_stack() {
    stopped(hostile("recurse", "{}", "").await, "512KiB", "stack");
}

#[tokio::test]
async fn a_panic_is_told_as_the_plugins_own() {
    let report = hostile("panic", "{}", "").await;
    assert!(
        matches!(report.outcome, Outcome::Stopped(Stop::Trap(_))),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_input_over_its_limit_never_reaches_the_plugin() {
    let long = format!("\"{}\"", "x".repeat(2000));
    let report = hostile("echo", &long, "input = '1KiB'").await;
    assert_eq!(report.start, Start::None);
    stopped(report, "1KiB", "`limits = { input");
}

#[tokio::test]
async fn an_input_that_does_not_fit_its_schema_never_reaches_the_plugin() {
    for bad in [r#"{"ms": "soon"}"#, r#"{"ms": 1"#, ""] {
        let report = hostile("hold", bad, "").await;
        assert!(
            matches!(&report.outcome, Outcome::Refused(Refused::Input(errors)) if errors.len() == 1),
            "{bad}: {report:?}"
        );
    }
}

#[tokio::test]
async fn an_output_over_its_limit_is_not_passed_on() {
    let long = format!("\"{}\"", "x".repeat(2000));
    stopped(
        hostile("echo", &long, "output = '1KiB'").await,
        "1KiB",
        "`limits = { output",
    );
}

#[tokio::test]
async fn a_streamed_output_over_its_limit_is_refused_to_the_plugin() {
    let report = hostile("flood_output", "{}", "output = '64KiB'").await;
    assert!(
        matches!(
            &report.outcome,
            Outcome::Failed(ActionError::Failed { .. } | ActionError::Other(_))
        ),
        "{report:?}"
    );
}

#[tokio::test]
async fn an_output_that_breaks_the_manifests_promise_is_not_passed_on() {
    for wrong in ["type", "syntax", "encoding", "nothing"] {
        let report = hostile("wrong_output", &format!("\"{wrong}\""), "").await;
        assert!(
            matches!(report.outcome, Outcome::Stopped(Stop::InvalidOutput(_))),
            "{wrong}: {report:?}"
        );
    }
}

#[tokio::test]
async fn what_one_host_call_carries_is_bounded() {
    let input = r#"{"count": 1, "bytes": 300000}"#;
    let report = hostile("flood_log", input, "host-call = '256KiB'").await;
    stopped(report, "256KiB", "`limits = { host-call");
}

#[tokio::test]
async fn log_over_its_budget_is_dropped_and_counted_and_the_run_goes_on() {
    let input = r#"{"count": 50, "bytes": 10}"#;
    let report = hostile("flood_log", input, "log-entries = 20").await;
    assert!(matches!(report.outcome, Outcome::Done(_)), "{report:?}");
    assert_eq!(report.usage.log_lines, 20);
    assert_eq!(report.usage.log_lines_dropped, 30);
}

/// A program whose core module is this, with `run` as its entry.
fn program(module: &str) -> String {
    format!(
        r#"(component
            (core module $m {module})
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $exports (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exports)))"#
    )
}

async fn run_program(module: &str, limits: &str) -> wharf_engine::Report {
    let engine = engine();
    let plugin = from_text(&engine, &program(module), &action("go", true)).await;
    let prepared = prepare(&engine, &plugin, "go", &grant(limits)).unwrap();
    run(&prepared, "null").await
}

const NOTHING: &str = r#"(func (export "run") (result i32) i32.const 0)"#;

#[tokio::test]
async fn memory_that_a_component_begins_with_counts() {
    let report = run_program(&format!("(memory 3) {NOTHING}"), "memory = '128KiB'").await;
    stopped(report, "128KiB", "memory");
}

#[tokio::test]
async fn several_memories_count_together() {
    let report = run_program(
        &format!("(memory 1) (memory 1) (memory 1) {NOTHING}"),
        "memory = '128KiB'",
    )
    .await;
    stopped(report, "128KiB", "memory");
}

#[tokio::test]
async fn table_elements_are_bounded() {
    let report = run_program(
        &format!("(table 2000 funcref) {NOTHING}"),
        "table-elements = 1000",
    )
    .await;
    stopped(report, "1000", "`limits = { table-elements");
}

#[tokio::test]
async fn growth_that_is_refused_and_done_without_is_no_failure() {
    let module = r#"(memory 1) (func (export "run") (result i32)
        (drop (memory.grow (i32.const 1000))) i32.const 1)"#;
    let report = run_program(module, "memory = '128KiB'").await;
    // It ended as it wanted to: with exit code 1.
    assert!(
        matches!(&report.outcome, Outcome::Failed(ActionError::Failed { code, .. }) if code == "exit-1"),
        "{report:?}"
    );
}

#[tokio::test]
async fn a_trap_after_refused_growth_is_told_as_memory() {
    let module = r#"(memory 1) (func (export "run") (result i32)
        (if (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)) (then unreachable)) i32.const 0)"#;
    stopped(
        run_program(module, "memory = '128KiB'").await,
        "128KiB",
        "memory",
    );
    stopped(run_program(module, "memory = '128MiB'").await, "not", "fit");
}

#[tokio::test]
async fn an_endless_loop_while_starting_is_stopped_at_the_deadline() {
    let module = format!("(func $start (loop br 0)) (start $start) {NOTHING}");
    let report = run_program(&module, "deadline = '150ms'").await;
    stopped(report, "150ms", "deadline");
}

#[tokio::test]
async fn a_component_of_too_many_modules_is_refused_when_it_is_loaded() {
    let instances = r#"(core instance (instantiate $m))"#.repeat(100);
    let text = program(NOTHING).replacen(
        "(core instance $i",
        &format!("{instances} (core instance $i"),
        1,
    );
    let engine = engine();
    let bytes = wat::parse_str(text).unwrap();
    let error = engine.describe(&bytes).await.unwrap_err().to_string();
    assert!(error.contains("101 core module instances"), "{error}");
    assert!(error.contains("maximum of 64"), "{error}");
}

#[tokio::test]
async fn a_grant_beyond_the_engine_is_refused_with_both_values() {
    let (engine, plugin) = hostile_plugin().await;
    let error = prepare(engine, plugin, "echo", &grant("memory = '64GiB'"))
        .err()
        .unwrap();
    let message = error.to_string();
    assert!(
        message.contains("64GiB") && message.contains("4GiB"),
        "{message}"
    );
    let error = prepare(engine, plugin, "echo", &grant("table-elements = 2000000"))
        .err()
        .unwrap();
    assert!(matches!(error, Refused::TablesTooLarge { .. }), "{error}");
}
