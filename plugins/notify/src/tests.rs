//! The action against an in-memory host.

use serde_json::{Value, json};
use wharf_plugin::http::{HttpError, Request, Response};
use wharf_plugin::testing::{self, Host};

use super::*;

fn run(input: Value) -> Result<Value, Error> {
    testing::run(webhook, input)
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers().get(name).unwrap_or("(none)")
}

#[test]
fn a_payload_is_posted_with_the_execution_as_its_idempotency_key() {
    let host = Host::new()
        .call("01J0EXEC", 2)
        .responses([Ok(Response::new(202))])
        .install();
    let output = run(json!({
        "url": "https://hooks.example.com/a",
        "payload": { "json": { "text": "hi" } },
        "headers": { "x-team": "ops" },
    }));
    assert_eq!(
        output,
        Ok(json!({ "status": 202, "attempts": 1, "idempotency_key": "01J0EXEC" }))
    );
    let sent = &host.requests()[0].request;
    assert_eq!(sent.method().as_str(), "POST");
    assert_eq!(sent.body_bytes(), Some(&br#"{"text":"hi"}"#[..]));
    assert_eq!(header(sent, "content-type"), "application/json");
    assert_eq!(header(sent, "idempotency-key"), "01J0EXEC");
    assert_eq!(header(sent, "x-team"), "ops");
    assert_eq!(header(sent, "x-wharf-signature"), "(none)");
}

#[test]
fn a_signature_is_the_hmac_of_the_body_by_the_host() {
    let host = Host::new()
        .operate("key", [0x0b; 20])
        .responses([Ok(Response::new(200))])
        .install();
    let input = json!({
        "url": "https://a/",
        "payload": { "text": "Hi There" },
        "sign": { "secret": "key" },
    });
    run(input).unwrap();
    // RFC 4231, test case 1.
    assert_eq!(
        header(&host.requests()[0].request, "x-wharf-signature"),
        "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
    );
}

#[test]
fn a_timestamp_is_signed_with_the_body() {
    let host = Host::new()
        .operate("key", "a key of more than sixteen bytes")
        .responses([Ok(Response::new(200)), Ok(Response::new(200))])
        .install();
    let sign = json!({
        "secret": "key", "algorithm": "sha512", "header": "X-Signature", "prefix": "v0=",
        "timestamp_header": "X-Timestamp",
    });
    run(json!({ "url": "https://a/", "payload": { "text": "body" }, "sign": sign })).unwrap();
    let signed = host.requests().remove(0).request;
    let time = header(&signed, "x-timestamp");
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000);

    // The same by hand.
    let sign = json!({ "secret": "key", "algorithm": "sha512", "prefix": "v0=" });
    let text = format!("{time}.body");
    run(json!({ "url": "https://a/", "payload": { "text": text }, "sign": sign })).unwrap();
    let by_hand = &host.requests()[1].request;
    assert_eq!(
        header(&signed, "x-signature"),
        header(by_hand, "x-wharf-signature")
    );
}

#[test]
fn a_key_that_is_not_granted_stops_the_delivery() {
    let host = Host::new().http(|_| Ok(Response::new(200))).install();
    let input =
        json!({ "url": "https://a/", "payload": { "text": "" }, "sign": { "secret": "key" } });
    assert_eq!(
        run(input),
        Err(Error::denied("operate of the secret `key`"))
    );
    assert!(host.requests().is_empty());
}

#[test]
fn a_busy_receiver_is_tried_again_with_the_same_key_and_body() {
    let answers = [
        Ok(Response::new(503)),
        Err(HttpError::Unreachable("x".into())),
        Ok(Response::new(200)),
    ];
    let host = Host::new().responses(answers).install();
    let output = run(json!({ "url": "https://a/", "payload": { "json": 1 } })).unwrap();
    assert_eq!(output["attempts"], 3);
    let sent = host.requests();
    assert!(sent.iter().all(|s| s == &sent[0]));
}

#[test]
fn a_receiver_that_refuses_is_an_error_and_not_tried_again() {
    for status in [302, 400, 500] {
        let host = Host::new()
            .http(move |_| Ok(Response::new(status)))
            .install();
        let outcome = run(json!({ "url": "https://a/", "payload": { "json": {} } }));
        assert!(
            matches!(outcome, Err(Error::Failed(f)) if f.code == "http-status"),
            "{status}"
        );
        assert_eq!(host.requests().len(), 1);
    }
}

#[test]
fn retries_can_be_switched_off() {
    let host = Host::new().http(|_| Ok(Response::new(503))).install();
    assert!(run(json!({ "url": "https://a/", "payload": { "json": {} }, "retries": 0 })).is_err());
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn a_payload_is_json_or_text_and_nothing_else() {
    let outcome = run(json!({ "url": "https://a/", "payload": { "xml": "<a/>" } }));
    assert!(matches!(outcome, Err(Error::InvalidInput(f)) if f[0].path.starts_with("/payload")));
}

#[test]
fn an_idempotency_key_of_the_caller_is_kept() {
    let host = Host::new().http(|_| Ok(Response::new(200))).install();
    let input = json!({
        "url": "https://a/", "payload": { "json": {} }, "headers": { "Idempotency-Key": "mine" },
    });
    assert_eq!(run(input).unwrap()["idempotency_key"], "mine");
    let sent = &host.requests()[0].request;
    assert_eq!(sent.headers().all("idempotency-key").count(), 1);
}
