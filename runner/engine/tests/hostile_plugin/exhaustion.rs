//! Every host call, too often or with too much.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use wharf_engine::Outcome;

use crate::attacks;
use crate::servers::{Crowd, Server, reply};
use crate::world::{World, secret, stopped};

/// What is said of a call that carries more than 64 KiB.
const LARGE_CALL: &str = "one host call, or its output, carried more than 64KiB";

fn noise(what: &str, count: u64, bytes: usize) -> Value {
    json!([{ "do": "noise", "what": what, "count": count, "bytes": bytes }])
}

/// Makes noise until the run is stopped for a limit of this name.
async fn stops(world: &World, limits: &str, what: &str, bytes: usize, named: &str) {
    let report = world
        .run(&world.limited(limits), noise(what, 1 << 40, bytes))
        .await;
    let why = stopped(&report);
    assert!(why.contains(named), "{what}: {why}");
}

attacks! {
    host_calls_without_end: "calls clocks, log, progress, control, config, random and poll for ever" => "stopped at the deadline", |world| {
        for what in ["clocks", "log", "progress", "control", "config", "config-names", "random", "insecure-random", "poll"] {
            stops(&world, "deadline = '200ms', log-entries = 5", what, 10, "200ms").await;
        }
    }
    calls_with_secrets_without_end: "asks for hmac, sign, jwt, reveal and requests with an attached or an operated secret for ever" => "stopped at the deadline, with no more lines in the audit record than are told one by one", |world| {
        // Those that send have the time for all that they may.
        let (brief, long) = ("300ms", "4s");
        for (what, path, deadline) in [("hmac", "", brief), ("sign", "", brief), ("jwt", "", brief), ("reveal", "", brief), ("attach", "/v1/plain", long), ("signed-http", "/signing/plain", long)] {
            let policy = world.limited(&format!("deadline = '{deadline}', requests = 20"));
            let url = format!("{}{path}", world.trusted.origin());
            let before = world.spy.audited();
            let flood = json!([{ "do": "noise", "what": what, "count": 1_u64 << 40, "bytes": 10, "url": url }]);
            let why = stopped(&world.run(&policy, flood).await);
            assert!(why.contains(deadline), "{what}: {why}");
            let lines = world.spy.audited() - before;
            assert!(lines > 0 && lines < 2000, "{what}: {lines}");
        }
        // They were used, as often as there may be requests.
        for credential in ["x-api-key: ", "authorization: Basic "] {
            let times = world.trusted.received().matches(credential).count();
            assert_eq!(times, 20, "{credential}");
        }
        world.trusted.forget(&STANDARD.encode(format!("nnnnnnnnnn:{}", secret("signing"))));
    }
    handles_of_secrets: "opens secrets and credentials and keeps the handles" => "stopped at `resources`", |world| {
        for what in ["secrets", "credentials"] {
            stops(&world, "resources = 50", what, 0, "more than 50 handles").await;
        }
    }
    handles_of_timers: "makes pollables and keeps them" => "stopped at `resources`", |world| {
        stops(&world, "resources = 50", "pollables", 0, "more than 50 handles").await;
    }
    handles_of_headers: "makes sets of headers and keeps them" => "stopped at `resources`", |world| {
        stops(&world, "resources = 50", "fields-resource", 0, "more than 50 handles").await;
    }
    a_large_set_of_headers: "fills one set of headers" => "stopped at a fixed size", |world| {
        stops(&world, "memory = '64MiB'", "header-fields", 1000, "size of fields").await;
    }
    randomness_in_bulk: "asks for gigabytes of randomness in one call" => "stopped at a fixed size", |world| {
        for what in ["random", "insecure-random"] {
            stops(&world, "memory = '64MiB'", what, 2 << 20, "random bytes").await;
        }
    }
    large_calls: "hands over more in one call than `host-call` says: log, progress, settings, output, what is to be signed, names of secrets, requests" => "stopped, naming the limit", |world| {
        for what in ["log", "progress", "config", "output", "hmac", "sign", "jwt", "attach", "signed-http", "name-of-secret", "name-of-credential", "name-to-reveal"] {
            stops(&world, "host-call = '64KiB'", what, 100_000, LARGE_CALL).await;
        }
    }
    endless_output: "streams output without end" => "refused from the limit on", |world| {
        let told = world.run(&world.limited("output = '64KiB'"), noise("output", 1 << 40, 1000)).await;
        // It is told that there is no more room, and then gives an output of its own.
        assert!(!matches!(&told.outcome, Outcome::Stopped(_)), "{told:?}");
        assert!(format!("{told:?}").len() < 200_000);
    }
    requests_without_end: "sends requests until there are no more" => "refused from `requests` on", |world| {
        let url = format!("{}/", world.evil.origin());
        let script: Vec<Value> = (0..8).map(|_| json!({ "do": "http", "url": url })).collect();
        let told = world.told_under(&world.limited("requests = 5"), script.into()).await;
        assert_eq!(told[4]["ok"]["status"], 200, "{told:?}");
        assert!(told[5]["err"].as_str().unwrap().contains("5 requests"), "{told:?}");
        assert_eq!(world.evil.received().matches("GET /").count(), 5);
    }
    connections_to_many_servers: "asks many servers and leaves a connection to each, through both doors" => "no more are open than `connections` says, and none when the run is over", |world| {
        let (mut servers, crowd) = (Vec::new(), Crowd::of_at_most(2));
        for _ in 0..40 {
            servers.push(Server::http_among(&crowd, Arc::new(|_| reply("", b"hello"))).await);
        }
        let mut script = Vec::new();
        for server in &servers {
            script.push(json!({ "do": "http", "url": format!("{}/", server.origin()) }));
            script.push(json!({ "do": "wasi", "authority": server.address.to_string(), "path": "/" }));
        }
        let told = world.told_under(&world.limited("connections = 2"), script.into()).await;
        assert!(told.iter().all(|result| result["ok"]["status"] == 200), "{told:?}");
        assert!(!crowd.was_exceeded());
        for server in &servers {
            server.all_closed(1).await;
        }
    }
    bytes_out: "sends more than is granted, through both doors" => "refused at `request-bytes`", |world| {
        let body = "x".repeat(5000);
        let told = world.told_under(&world.limited("request-bytes = '4KiB'"), json!([
            { "do": "http", "method": "POST", "url": format!("{}/", world.evil.origin()), "body": body },
            { "do": "wasi", "method": "POST", "authority": world.evil.address.to_string(), "path": "/", "body": body },
        ])).await;
        assert!(told.iter().all(|result| result.get("err").is_some()), "{told:?}");
        assert!(told[0]["err"].as_str().unwrap().contains("request-bytes"), "{told:?}");
    }
    bytes_in: "has a server send more than is granted, in one response and in many" => "refused at `response` and `response-bytes`", |world| {
        let url = format!("{}/big?6000", world.trusted.origin());
        let one = world.told_under(&world.limited("response = '4KiB'"), json!([{ "do": "http", "url": url }])).await;
        assert!(one[0]["err"].as_str().unwrap().contains("TooLarge"), "{one:?}");
        let many = world.told_under(&world.limited("response-bytes = '10KiB'"), json!([{ "do": "http", "url": url }, { "do": "http", "url": url }])).await;
        assert_eq!(many[0]["ok"]["status"], 200, "{many:?}");
        assert!(many[1]["err"].as_str().unwrap().contains("response-bytes"), "{many:?}");
    }
    a_response_that_drips: "reads from a server that falls silent within its answer" => "given up after `between-bytes`", |world| {
        let url = format!("{}/v1/drip", world.trusted.origin());
        let told = world.told_under(&world.limited("between-bytes = '50ms'"), json!([{ "do": "http", "url": url }, { "do": "wasi", "authority": world.trusted.address.to_string(), "path": "/v1/drip" }])).await;
        assert!(told[0]["err"].as_str().unwrap().contains("Timeout"), "{told:?}");
        assert!(told[1].get("err").is_some(), "{told:?}");
    }
}
