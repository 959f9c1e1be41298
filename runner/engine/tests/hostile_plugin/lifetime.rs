//! Before the binding, after the run, and in the run of somebody else.

use serde_json::json;
use wharf_engine::{EngineConfig, Outcome, Start, Stop};

use crate::attacks;
use crate::world::{load, load_text, prepare, stopped};

attacks! {
    calls_from_a_start_function: "sends a request and logs while it is instantiated" => "denied before the binding; the log goes nowhere", |world| {
        // A port of five digits keeps the text as long as it is.
        let text = include_str!("early.wat").replace("PORT", &format!("{:05}", world.evil.port()));
        let (engine, plugin) = load_text(&text).await;
        for warm in [false, true] {
            let prepared = prepare(&engine, &plugin, &world.wide());
            if warm {
                prepared.warm_up();
                while prepared.warm() == 0 {
                    tokio::task::yield_now().await;
                }
            }
            let report = world.play(&prepared, json!(null)).await;
            // It ran, and says nothing.
            assert!(matches!(report.outcome, Outcome::Stopped(Stop::InvalidOutput(_))), "{report:?}");
        }
        assert!(!world.spy.told().contains("early") && !world.evil.was_reached(), "{}", world.spy.told());
    }
    state_for_the_next_run: "keeps state and handles in the instance for its next run, also where instances are kept warm" => "one instance, one run", |world| {
        let (engine, plugin) = load(EngineConfig { max_instances: 4, warm: 2, max_warm: 2, ..EngineConfig::default() }).await;
        let prepared = prepare(&engine, &plugin, &world.wide());
        let mut starts = Vec::new();
        for _ in 0..12 {
            let script = json!([{ "do": "count" }, { "do": "noise", "what": "secrets", "count": 1 }]);
            let report = world.play(&prepared, script).await;
            assert!(matches!(&report.outcome, Outcome::Done(text) if text.starts_with("[{\"ok\":1}")), "{report:?}");
            starts.push(report.start);
            while prepared.warm() == 0 {
                tokio::task::yield_now().await;
            }
        }
        assert!(starts.contains(&Start::Warm), "{starts:?}");
    }
    connections_after_the_run: "leaves connections open when its run is over, where the instance is dropped later" => "closed with the run", |world| {
        let (engine, plugin) = load(EngineConfig { max_instances: 4, warm: 2, max_warm: 2, ..EngineConfig::default() }).await;
        let prepared = prepare(&engine, &plugin, &world.wide());
        let script = json!([{ "do": "connections", "to": world.bytes.address.to_string(), "count": 5 }]);
        let report = world.play(&prepared, script).await;
        assert!(matches!(&report.outcome, Outcome::Done(text) if text.contains("\"5\"")), "{report:?}");
        world.bytes.all_closed(5).await;
    }
    connections_past_the_deadline: "waits for ever for servers that never answer" => "stopped at the deadline, and the connections are closed", |world| {
        let trusted = world.trusted.origin();
        for step in [
            json!({ "do": "tcp", "to": world.bytes.address.to_string(), "receive": 1 }),
            json!({ "do": "http", "url": format!("{trusted}/v1/never") }),
            json!({ "do": "http", "url": format!("{trusted}/v1/drip") }),
            json!({ "do": "wasi", "authority": world.trusted.address.to_string(), "path": "/v1/drip" }),
        ] {
            let report = world.run(&world.limited("deadline = '2s'"), json!([step])).await;
            assert!(stopped(&report).contains("2s"), "{report:?}");
        }
        world.bytes.all_closed(1).await;
        world.trusted.all_closed(3).await;
    }
}
