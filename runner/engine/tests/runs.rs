//! How runs begin, are cancelled, and keep to themselves.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::*;
use wharf_engine::{Cancel, Engine, EngineConfig, EngineError, Outcome, Refused, Start};
use wharf_test_support::Recorder;

#[tokio::test]
async fn an_import_that_is_not_granted_is_named_with_the_grant_that_would_allow_it() {
    let (engine, plugin) = hostile_plugin().await;
    let error = prepare(engine, plugin, "echo", "").err().unwrap();
    let Refused::NotGranted { import, grant } = &error else {
        panic!("{error}");
    };
    assert!(import.starts_with("wharf:plugin/"), "{import}");
    assert!(grant.contains("[[grant]]"), "{grant}");
}

#[tokio::test]
async fn what_the_manifest_does_not_ask_for_cannot_be_granted() {
    let engine = engine();
    let plugin = plugin(&engine, "forbidden").await;
    let action = plugin.manifest().actions.keys().next().unwrap().to_string();
    let error = prepare(&engine, &plugin, &action, &grant(""))
        .err()
        .unwrap();
    assert!(
        matches!(&error, Refused::NotGranted { import, .. } if import.starts_with("wharf:plugin/reveal")),
        "{error}"
    );
}

#[tokio::test]
async fn an_unknown_action_is_refused_with_those_there_are() {
    let (engine, plugin) = hostile_plugin().await;
    let error = prepare(engine, plugin, "ecko", &grant("")).err().unwrap();
    assert!(error.to_string().contains("echo"), "{error}");
}

#[tokio::test]
async fn bytes_that_are_no_component_are_told_apart() {
    let engine = engine();
    let core = wat::parse_str("(module)").unwrap();
    let error = engine.describe(&core).await.unwrap_err();
    assert!(matches!(error, EngineError::CoreModule(_)), "{error}");
    let whole = wat::parse_str("(component (core module (func)))").unwrap();
    for bytes in [&b""[..], b"(component)", &whole[..whole.len() - 2]] {
        let error = engine.describe(bytes).await.unwrap_err();
        assert!(matches!(error, EngineError::Compile { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_component_that_cannot_describe_itself_is_no_error() {
    let described = engine()
        .describe(&wat::parse_str("(component)").unwrap())
        .await;
    assert_eq!(described.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_looks_stops_when_it_is_asked_to() {
    let hold = hostile_action("hold", "").await;
    let (cancel, events) = (Cancel::new(), Arc::new(Recorder::default()));
    let call = call(r#"{"ms": 50000, "polite": true}"#, &cancel, &events);
    let run = tokio::spawn(async move { hold.run(call).await });
    tokio::task::block_in_place(|| events.wait_for("holding"));
    cancel.request();
    assert_eq!(run.await.unwrap().outcome, Outcome::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_or_spins_is_killed_at_once() {
    for (action, input) in [("hold", r#"{"ms": 60000}"#), ("spin", "{}")] {
        let prepared = hostile_action(action, "").await;
        let cancel = Cancel::new();
        let call = call(input, &cancel, &Arc::default());
        let run = tokio::spawn(async move { prepared.run(call).await });
        // Whether it has begun yet or not.
        tokio::task::yield_now().await;
        let begun = Instant::now();
        cancel.kill();
        assert_eq!(run.await.unwrap().outcome, Outcome::Cancelled, "{action}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{action}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_run_frees_its_place() {
    let engine = Engine::new(EngineConfig {
        max_instances: 1,
        ..small()
    })
    .unwrap();
    let plugin = plugin(&engine, "hostile").await;
    let hold = prepare(&engine, &plugin, "hold", &grant("")).unwrap();
    let echo = prepare(&engine, &plugin, "echo", &grant("")).unwrap();
    for _ in 0..3 {
        let events = Arc::new(Recorder::default());
        let call = call(r#"{"ms": 60000}"#, &Cancel::new(), &events);
        let hold = hold.clone();
        let run = tokio::spawn(async move { hold.run(call).await });
        tokio::task::block_in_place(|| events.wait_for("holding"));
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        let report = common::run(&echo, "1").await;
        assert_eq!(report.outcome, Outcome::Done("1".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_gets_no_place_is_stopped_at_its_deadline() {
    let engine = Engine::new(EngineConfig {
        max_instances: 1,
        ..small()
    })
    .unwrap();
    let plugin = plugin(&engine, "hostile").await;
    let hold = prepare(&engine, &plugin, "hold", &grant("")).unwrap();
    let echo = prepare(&engine, &plugin, "echo", &grant("deadline = '200ms'")).unwrap();
    let events = Arc::new(Recorder::default());
    let cancel = Cancel::new();
    let call = call(r#"{"ms": 60000}"#, &cancel, &events);
    let run = tokio::spawn(async move { hold.run(call).await });
    tokio::task::block_in_place(|| events.wait_for("holding"));
    stopped(common::run(&echo, "1").await, "200ms", "deadline");
    cancel.kill();
    run.await.unwrap();
}

/// Runs until a warm instance serves one.
async fn until_warm(prepared: &wharf_engine::Prepared) {
    let begun = Instant::now();
    while run(prepared, "1").await.start != Start::Warm {
        assert!(begun.elapsed() < Duration::from_secs(60), "never warm");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_instance_serves_one_run_and_knows_nothing_of_others() {
    let engine = Engine::new(EngineConfig { warm: 2, ..small() }).unwrap();
    let plugin = plugin(&engine, "hostile").await;
    let echo = prepare(&engine, &plugin, "echo", &grant("")).unwrap();
    until_warm(&echo).await;
    for n in 0..100 {
        let report = run(&echo, &n.to_string()).await;
        assert_eq!(report.outcome, Outcome::Done(n.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_in_warm_instances_that_waited_past_their_own_deadline() {
    let engine = Engine::new(EngineConfig { warm: 2, ..small() }).unwrap();
    let plugin = plugin(&engine, "hostile").await;
    let spin = prepare(&engine, &plugin, "spin", &grant("deadline = '100ms'")).unwrap();
    spin.warm_up();
    let begun = Instant::now();
    while spin.warm() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "never warm");
        // One that could not be made in its time is made when they are asked for again.
        spin.warm_up();
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let report = run(&spin, "{}").await;
    assert_eq!(report.start, Start::Warm);
    assert!(report.usage.wall_us >= 100_000, "{report:?}");
    stopped(report, "100ms", "deadline");
}

#[tokio::test(flavor = "multi_thread")]
async fn warm_instances_of_everything_together_are_bounded_and_given_up_when_idle() {
    let engine = Engine::new(EngineConfig {
        warm: 3,
        max_warm: 4,
        warm_idle: Duration::from_secs(1),
        ..small()
    })
    .unwrap();
    let plugin = plugin(&engine, "hostile").await;
    let prepared: Vec<_> = ["1s", "2s", "3s"]
        .map(|deadline| {
            let limits = grant(&format!("deadline = '{deadline}'"));
            prepare(&engine, &plugin, "echo", &limits).unwrap()
        })
        .into();
    let all = || prepared.iter().map(|p| p.warm()).sum::<usize>();
    for one in &prepared {
        one.warm_up();
    }
    let begun = Instant::now();
    let mut most = 0;
    while most < 4 || all() > 0 {
        most = most.max(all());
        assert!(most <= 4);
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{most} {}",
            all()
        );
        tokio::task::yield_now().await;
    }
    // And it comes back when it is used again.
    until_warm(&prepared[0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_runs_at_a_time_keep_to_themselves() {
    let echo = hostile_action("echo", "").await;
    let runs: Vec<_> = (0..200)
        .map(|n| {
            let echo = echo.clone();
            tokio::spawn(async move { run(&echo, &n.to_string()).await.outcome })
        })
        .collect();
    for (n, run) in runs.into_iter().enumerate() {
        assert_eq!(run.await.unwrap(), Outcome::Done(n.to_string()));
    }
}

#[tokio::test]
async fn compiled_code_is_found_again_and_tampering_only_costs_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = || EngineConfig {
        cache: wharf_engine::CacheDir::At(folder.path().join("cache")),
        ..small()
    };
    let packed = wharf_test_support::packed(&engine(), "hostile").await;
    let verified = wharf_test_support::verified(packed);
    for tamper in [false, false, true, false] {
        let engine = Engine::new(config()).unwrap();
        let plugin = engine.load(&verified).await.unwrap();
        let echo = prepare(&engine, &plugin, "echo", &grant("")).unwrap();
        let report = run(&echo, "7").await;
        assert_eq!(report.outcome, Outcome::Done("7".to_owned()));
        if tamper {
            let compiled = std::fs::read_dir(folder.path().join("cache/compiled"));
            let file = compiled.unwrap().next().unwrap().unwrap().path();
            let mut bytes = std::fs::read(&file).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            std::fs::write(&file, bytes).unwrap();
        }
    }
}

#[tokio::test]
async fn reports_travel_in_frames() {
    for report in [
        hostile("echo", "1", "").await,
        hostile("hoard", "{}", "memory = '8MiB'").await,
        hostile("hold", "{}", "").await,
    ] {
        let text = serde_json::to_string(&report).unwrap();
        let back: wharf_engine::Report = serde_json::from_str(&text).unwrap();
        assert_eq!(back, report);
    }
}
