//! Policies and manifests with one thing changed at a time, or cut off: they are refused, or mean what
//! they then say, no more and no less. What is written out again is compared with what was read.

#![allow(clippy::unwrap_used)]

mod common;

use common::changes::{Changed, Taken, changes, none_is_taken_wrongly};
use common::{ACTIONS, component};
use serde_json::{Value, json};
use wharf_bundle::Manifest;
use wharf_policy::Policy;

/// Every table and every key of a policy, each written as it is written out.
fn policy() -> Value {
    let digest = |digits: &str| format!("sha256:{}", digits.repeat(32));
    let (denied, pinned) = (digest("0d"), digest("0e"));
    json!({
        "trust": [{
            "plugins": ["acme/*", "http"],
            "keys": ["a.pub", {
                "path": "b.pub",
                "not-before": "2026-01-01T00:00:00Z",
                "not-after": "2027-01-01T00:00:00Z",
            }],
            "identities": [{ "issuer": "https://issuer.test", "subject": "me@acme.test" }],
            "require": 2,
            "trusted-root": "root.json",
            "evidence": "log-and-timestamp",
            "attestations": [
                { "type": "https://slsa.dev/provenance/v1", "keys": ["c.pub"],
                  "identities": [{ "issuer": "https://ci.test", "subject": "build@acme.test" }] },
                { "type": "https://acme.test/review" },
            ],
            "minimum-version": "1.2.3",
            "allow-older": true,
            "denied-digests": [denied],
            "pinned-digests": [pinned],
            "valid-until": "2028-01-01T00:00:00Z",
        }],
        "secret": [{
            "name": "api",
            "from": "env:API_TOKEN",
            "to": [{ "origin": "https://api.test", "path": "/v1", "methods": ["GET"] }],
            "as": "bearer",
            "operations": ["hmac"],
        }],
        "grant": [{
            "plugins": ["http"],
            "actions": ["request"],
            "http": [{ "origin": "https://api.test:8443", "path": "/v1", "methods": ["GET", "POST"] }],
            "tcp": [{ "host": "db.test", "ports": [5432, 5433] }],
            "networks": ["10.0.0.0/8"],
            "secrets": [{ "name": "api", "rungs": ["inject", "operate"] }],
            "config": { "region": "eu" },
            "limits": { "deadline": "30s", "memory": "64MiB" },
        }],
    })
}

/// A document without what says nothing: what is left out where it stands for the same.
fn said(document: &Value) -> Value {
    match document {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), said(value)))
            .filter(|(name, value)| !says_nothing(name, value))
            .collect(),
        Value::Array(items) => items.iter().map(said).collect(),
        other => other.clone(),
    }
}

fn says_nothing(name: &str, value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        other => name == "require" && *other == json!(1),
    }
}

/// What stands for a field that was left out, where that is not nothing.
fn default_of(at: &str) -> Option<Value> {
    let (_, field) = at.rsplit_once('/')?;
    match field {
        "as" => Some(json!("bearer")),
        "rungs" => Some(json!(["inject"])),
        "operations" => Some(json!(["hmac"])),
        _ => None,
    }
}

/// What a policy of that text means, if it is one.
fn meaning(text: &str) -> Option<Value> {
    let policy = Policy::from_toml(text).ok()?;
    Some(serde_json::to_value(policy).unwrap())
}

/// The document as TOML, which has no null.
fn toml_of(document: &Value) -> Option<String> {
    toml::to_string(document).ok()
}

/// Whether something that was changed is only written out in another way than it was read.
fn is_another_way(changed: &Changed, means: &Value) -> bool {
    if changed.how == "is gone" && default_of(&changed.at).as_ref() == means.pointer(&changed.at) {
        return default_of(&changed.at).is_some();
    }
    let text = |document: &Value| document.pointer(&changed.at)?.as_str().map(str::to_owned);
    let (Some(is), Some(means)) = (text(&changed.json), text(means)) else {
        return false;
    };
    let zero = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_alphabetic()) == "0";
    if changed.at.contains("/limits/") && zero(&is) && zero(&means) {
        // Nothing is nothing in every unit.
        return true;
    }
    if changed.at.ends_with("/origin") && is == format!("{means}:443") {
        // The scheme's own port.
        return true;
    }
    // Digits of digests, the letters of times and the names of hosts may be large.
    let in_any_case = ["-digests/", "/not-", "/valid-until", "/origin", "/host"];
    in_any_case.iter().any(|part| changed.at.contains(part)) && is.eq_ignore_ascii_case(&means)
}

/// Checks that each of these documents is refused, or means what it says, no more and no less.
fn each_means_what_it_says(
    least: usize,
    changes: impl Iterator<Item = Changed>,
    meaning: impl Fn(&Value) -> Option<Value>,
) {
    let all = changes.map(|changed| match meaning(&changed.json) {
        None => Taken::Refused,
        Some(means) if said(&means) == said(&changed.json) => Taken::Rightly,
        Some(means) if is_another_way(&changed, &means) => Taken::Rightly,
        Some(means) => {
            let means = means.pointer(&changed.at);
            Taken::Wrongly(format!("{} {}: {means:?}", changed.at, changed.how))
        }
    });
    none_is_taken_wrongly(least, all);
}

#[test]
fn a_policy_with_one_thing_changed_is_refused_or_means_what_it_says() {
    let good = policy();
    let read = |json: &Value| meaning(&toml_of(json)?);
    assert_eq!(said(&read(&good).unwrap()), said(&good));
    let written = changes(&good).filter(|changed| toml_of(&changed.json).is_some());
    each_means_what_it_says(1_000, written, read);
}

#[test]
fn a_policy_that_is_cut_off_anywhere_is_refused_or_means_what_the_rest_says() {
    let text = toml_of(&policy()).unwrap();
    let (mut whole, mut refused) = (0, 0);
    for end in 0..=text.len() {
        let rest = &text[..end];
        match meaning(rest) {
            None => refused += 1,
            Some(means) => {
                whole += 1;
                let table: toml::Table = rest.parse().unwrap();
                let says = serde_json::to_value(table).unwrap();
                assert_eq!(said(&means), said(&says), "{end}: {rest}");
            }
        }
    }
    println!("{whole} means what it says, {refused} refused");
    assert!(whole > 10 && refused > 10, "{whole} {refused}");
}

/// Every field of a manifest.
fn manifest() -> Value {
    json!({
        "format": 1,
        "name": "acme/http",
        "version": "0.1.0",
        "description": "A test",
        "license": "Apache-2.0",
        "authors": ["Somebody"],
        "homepage": "https://acme.test",
        "reuse": true,
        "capabilities": {
            "http": [{ "origin": "https://api.test", "path": "/v1", "methods": ["GET"] }],
            "tcp": [{ "host": "db.test", "ports": [5432] }],
            "secrets": [{ "name": "api", "rungs": ["inject", "operate"] }],
            "config": true,
        },
        "limits": { "memory": "64MiB", "deadline": "30s" },
        "actions": { "greet": {
            "description": "Says hello",
            "idempotent": true,
            "input-schema": { "type": "object" },
            "output-schema": { "type": "string" },
            "command": { "args": ["--json"], "env": { "MODE": "x" } },
        } },
    })
}

#[test]
fn a_manifest_with_one_thing_changed_is_refused_or_means_what_it_says() {
    let read = |json: &Value| Manifest::from_json(json.to_string().as_bytes());
    let meant = |manifest: &Manifest| -> Value {
        serde_json::from_slice(&manifest.to_json().unwrap()).unwrap()
    };
    let good = manifest();
    // As it is written out: sizes and times have one spelling there.
    let good = meant(&read(&good).unwrap());
    assert_eq!(said(&meant(&read(&good).unwrap())), said(&good));
    each_means_what_it_says(500, changes(&good), |json| Some(meant(&read(json).ok()?)));
}

#[test]
fn a_manifest_that_is_cut_off_anywhere_or_goes_on_is_refused() {
    let json = manifest().to_string();
    Manifest::from_json(json.as_bytes()).unwrap();
    for end in 0..json.len() {
        assert!(Manifest::from_json(&json.as_bytes()[..end]).is_err());
    }
    for more in [&json, "x", "{}"] {
        assert!(Manifest::from_json(format!("{json}{more}").as_bytes()).is_err());
    }
    // The section of a component, which says how long it is.
    let none = component(&[], &[ACTIONS]);
    let with = common::with_custom(&none, wharf_bundle::MANIFEST_SECTION, json.as_bytes());
    Manifest::read(&with).unwrap();
    for end in 0..with.len() {
        assert!(Manifest::read(&with[..end]).is_err());
    }
}
