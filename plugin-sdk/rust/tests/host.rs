//! The other helpers against the in-memory host.

use std::time::Duration;

use wharf_plugin::control::{self, Interrupted};
use wharf_plugin::http::{self, Authentication, Client, Response};
use wharf_plugin::log::{self, Level};
use wharf_plugin::secrets::{Digest, Jwt, JwtAlgorithm, Secret, SecretError, SignatureAlgorithm};
use wharf_plugin::testing::Host;
use wharf_plugin::{Error, config, progress, reveal};

#[test]
fn what_is_not_granted_is_not_there() {
    assert_eq!(config::get("region"), None);
    assert!(
        matches!(config::require("region"), Err(Error::Denied(what)) if what.contains("`region`"))
    );
    let secret = Error::from(Secret::open("key").unwrap_err());
    assert_eq!(secret, Error::denied("operate of the secret `key`"));
    let revealed = Error::from(reveal::reveal("key").unwrap_err());
    assert_eq!(revealed, Error::denied("reveal of the secret `key`"));
}

#[test]
fn each_rung_of_a_secret_is_granted_by_itself() {
    let _host = Host::new().operate("key", "k").install();
    assert!(Secret::open("key").is_ok());
    assert!(reveal::reveal("key").is_err());
}

#[test]
fn an_hmac_is_that_of_rfc_4231() {
    let _host = Host::new()
        .operate("key", [0x0b; 20])
        .reveal("key", [0x0b; 20])
        .install();
    let mac = |digest| {
        Secret::open("key")
            .unwrap()
            .hmac(digest, b"Hi There")
            .unwrap()
    };
    assert_eq!(
        mac(Digest::Sha256).hex(),
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
    assert_eq!(mac(Digest::Sha384).as_bytes().len(), 48);
    assert_eq!(&mac(Digest::Sha512).hex()[..16], "87aa7cdea5ef619d");
    assert_eq!(reveal::reveal("key").unwrap(), [0x0b; 20]);
}

#[test]
fn what_a_runner_refuses_of_keys_and_lifetimes_is_refused_in_a_test() {
    let _host = Host::new()
        .operate("short", "fifteen bytes..")
        .operate("key", "sixteen bytes...")
        .operate("long", [1; 32])
        .install();
    let hmac = |name| Secret::open(name).unwrap().hmac(Digest::Sha256, b"");
    let refused = hmac("short").unwrap_err();
    assert!(matches!(refused, SecretError::Invalid { .. }), "{refused}");
    assert!(hmac("key").is_ok());

    let token = |name, change: &dyn Fn(Jwt) -> Jwt| {
        let token = Jwt::new(&serde_json::json!({})).unwrap();
        Secret::open(name).unwrap().jwt(&change(token))
    };
    assert!(token("key", &|token| token).is_err());
    assert!(token("long", &|token| token).is_ok());
    assert!(token("long", &|token| token.algorithm(JwtAlgorithm::Hs384)).is_err());
    for (seconds, is_taken) in [(0, false), (1, true), (600, true), (601, false)] {
        let held = token("long", &|token| {
            token.lifetime(Duration::from_secs(seconds))
        });
        assert_eq!(held.is_ok(), is_taken, "{seconds}");
    }
}

#[test]
fn a_private_key_signs_as_the_test_says() {
    let _host = Host::new()
        .signs("key", |algorithm, message| {
            format!("{algorithm:?} of {}", message.len()).into_bytes()
        })
        .install();
    let key = Secret::open("key").unwrap();
    let signature = key.sign(SignatureAlgorithm::Ed25519, b"abc").unwrap();
    assert_eq!(signature, b"Ed25519 of 3");
    let error = key.hmac(Digest::Sha256, b"abc").unwrap_err();
    assert!(matches!(error, SecretError::Invalid { .. }), "{error}");
}

#[test]
fn a_token_has_the_times_of_the_host_and_the_claims_of_the_plugin() {
    let _host = Host::new()
        .operate("key", "a key of thirty-two bytes, plain")
        .install();
    let claims = serde_json::json!({ "iss": "me" });
    let token = Jwt::new(&claims)
        .unwrap()
        .key_id("1")
        .lifetime(Duration::from_secs(60));
    // Computed with Python's hmac, base64 and json for the same header and claims.
    let expected = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjEiLCJ0eXAiOiJKV1QifQ.eyJleHAiOjE4MDAwMDAwNjAsImlhdCI6MTgwMDAwMDAwMCwiaXNzIjoibWUifQ.HiRpjqCBK07TTVFNu7KviGFzH9iSF50kyrTZsSk1za0";
    let made = Secret::open("key").unwrap().jwt(&token).unwrap();
    assert_eq!(made, expected);

    let taken = Jwt::new(&serde_json::json!({ "exp": 1 })).unwrap();
    assert!(Secret::open("key").unwrap().jwt(&taken).is_err());
    assert!(Jwt::new(&["not", "an", "object"]).is_err());
}

#[test]
fn a_request_that_the_host_authenticates_shows_how_and_with_what() {
    let host = Host::new()
        .operate("registry", "k")
        .responses([Ok(Response::new(200))])
        .install();
    let secret = Secret::open("registry").unwrap();
    let how = Authentication::basic("robot");
    let request = http::get("https://registry.example.com/v2/");
    Client::new()
        .authenticated(&secret, &how)
        .send(&request)
        .unwrap();
    let sent = &host.requests()[0];
    assert_eq!(sent.authentication, Some(("registry".to_owned(), how)));
    assert_eq!(sent.request.headers().get("authorization"), None);
}

#[test]
fn settings_are_read_as_what_they_are() {
    let _host = Host::new()
        .config("limit", "20")
        .config("bad", "x")
        .install();
    assert_eq!(config::parse("limit"), Ok(Some(20)));
    assert_eq!(config::parse::<u8>("none"), Ok(None));
    assert!(matches!(config::parse::<u8>("bad"), Err(Error::Failed(f)) if f.code == "bad-config"));
    assert_eq!(config::names(), ["bad", "limit"]);
}

#[test]
fn waiting_takes_no_time_of_the_test_and_stops_when_asked() {
    let host = Host::new()
        .cancelled_after(Duration::from_secs(5))
        .install();
    assert_eq!(control::wait(Duration::from_secs(3)), Ok(()));
    assert_eq!(
        control::wait(Duration::from_secs(3)),
        Err(Interrupted::Cancelled)
    );
    assert_eq!(host.waited(), Duration::from_secs(5));
    assert!(control::cancelled());
}

#[test]
fn a_wait_beyond_the_deadline_does_not_begin() {
    let host = Host::new().deadline(Duration::from_secs(2)).install();
    assert_eq!(
        control::wait(Duration::from_secs(3)),
        Err(Interrupted::Deadline)
    );
    assert_eq!(host.waited(), Duration::ZERO);
    assert_eq!(control::remaining(), Duration::from_secs(2));
}

#[test]
fn logs_and_progress_are_kept_for_the_test() {
    let host = Host::new().call("01J0", 2).install();
    log::info("sent", &[("status", &200)]);
    progress::report(2.0, "done");
    let line = &host.logs()[0];
    assert_eq!((line.level, line.message.as_str()), (Level::Info, "sent"));
    assert_eq!(line.fields, [("status".to_owned(), "200".to_owned())]);
    assert_eq!(host.progress()[0].fraction, Some(1.0));
    assert_eq!(
        (control::call().execution.as_str(), control::call().attempt),
        ("01J0", 2)
    );
}

#[test]
fn a_host_is_gone_when_it_is_dropped() {
    let outer = Host::new().config("a", "outer").install();
    let inner = Host::new().config("a", "inner").install();
    assert_eq!(config::get("a").as_deref(), Some("inner"));
    drop(inner);
    assert_eq!(config::get("a").as_deref(), Some("outer"));
    drop(outer);
    assert_eq!(config::get("a"), None);
}
