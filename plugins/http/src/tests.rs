//! The action against an in-memory host.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_plugin::http::{HttpError, Response};
use wharf_plugin::testing::{self, Host};

use super::*;

fn run(input: Value) -> Result<Value, Error> {
    testing::run(request, input)
}

fn failure(result: Result<Value, Error>) -> wharf_plugin::Failure {
    match result {
        Err(Error::Failed(failure)) => failure,
        other => panic!("expected a failure, got {other:?}"),
    }
}

fn pointer(result: Result<Value, Error>) -> String {
    match result {
        Err(Error::InvalidInput(fields)) => fields[0].path.clone(),
        other => panic!("expected invalid input, got {other:?}"),
    }
}

#[test]
fn everything_that_is_asked_for_is_sent() {
    let host = Host::new().responses([Ok(Response::new(204))]).install();
    let output = run(json!({
        "method": "patch",
        "url": "https://api.example.com/things?fixed=1",
        "query": { "q": "a b", "n": [1, 2.5], "flag": true },
        "headers": { "Accept": "text/csv", "X-Tag": ["one", "two"] },
        "body": { "json": { "n": 1 } },
    }));
    assert_eq!(
        output,
        Ok(json!({
            "status": 204, "headers": {}, "body": null, "attempts": 1,
            "url": "https://api.example.com/things?fixed=1&flag=true&n=1&n=2.5&q=a%20b",
        }))
    );
    let sent = &host.requests()[0].request;
    assert_eq!(sent.method().as_str(), "PATCH");
    assert_eq!(sent.body_bytes(), Some(&br#"{"n":1}"#[..]));
    let headers: Vec<_> = sent.headers().iter().collect();
    assert_eq!(
        headers,
        [
            ("Accept", &b"text/csv"[..]),
            ("X-Tag", b"one"),
            ("X-Tag", b"two"),
            ("content-type", b"application/json"),
        ]
    );
}

#[test]
fn bodies_are_json_text_or_bytes() {
    let sent = |body: Value| {
        let host = Host::new().responses([Ok(Response::new(200))]).install();
        let input = json!({ "method": "PUT", "url": "https://a/", "body": body });
        run(input).unwrap();
        let request = host.requests().remove(0).request;
        let content_type = request.headers().get("content-type").unwrap().to_owned();
        (request.body_bytes().unwrap().to_vec(), content_type)
    };
    assert_eq!(
        sent(json!({ "text": "hé" })),
        ("hé".into(), "text/plain; charset=utf-8".into())
    );
    let bytes = sent(json!({ "base64": "AP8=" }));
    assert_eq!(bytes, (vec![0, 255], "application/octet-stream".into()));
}

#[test]
fn numbers_keep_every_digit_in_both_directions() {
    let number = "123456789012345678901234567890.10";
    let host = Host::new()
        .http(move |request| {
            let body = request.body_bytes().unwrap_or_default();
            Ok(Response::new(200)
                .with_header("content-type", "application/json")
                .with_body(body))
        })
        .install();
    let input = format!(r#"{{"method":"POST","url":"https://a/","body":{{"json":[{number}]}}}}"#);
    let Ok(wharf_plugin::Encoded::Json(output)) = PLUGIN.run("request", &input) else {
        panic!("expected an output");
    };
    assert_eq!(
        host.requests()[0].request.body_bytes(),
        Some(format!("[{number}]").as_bytes())
    );
    assert!(
        output.contains(&format!(r#""body":{{"json":[{number}]}}"#)),
        "{output}"
    );
}

#[test]
fn responses_are_json_text_or_bytes() {
    let received = |response: Response| {
        let _host = Host::new().responses([Ok(response)]).install();
        run(json!({ "url": "https://a/" })).unwrap()
    };
    let json = Response::new(200).with_json(json!({ "a": 1 }));
    assert_eq!(received(json)["body"], json!({ "json": { "a": 1 } }));
    let text = Response::new(200).with_body("hé");
    assert_eq!(received(text)["body"], json!({ "text": "hé" }));
    let broken = Response::new(200)
        .with_header("content-type", "application/json")
        .with_body("{");
    assert_eq!(received(broken)["body"], json!({ "text": "{" }));
    let bytes = Response::new(200).with_body([0, 255]);
    assert_eq!(received(bytes)["body"], json!({ "base64": "AP8=" }));
    let headers = Response::new(200)
        .with_header("Vary", "a")
        .with_header("vary", "b")
        .with_header("Set-Cookie", "c=1, d")
        .with_header("Set-Cookie", "e=2");
    let output = received(headers);
    assert_eq!(output["headers"], json!({ "vary": "a, b" }));
    assert_eq!(output["set_cookie"], json!(["c=1, d", "e=2"]));
}

#[test]
fn a_status_that_is_not_expected_is_an_error_with_what_the_server_said() {
    let run = |expect: Value, status| {
        let answer = Response::new(status).with_body("no such thing");
        let _host = Host::new().responses([Ok(answer)]).install();
        run(json!({ "url": "https://a/", "expect_status": expect }))
    };
    let failure = failure(run(json!("success"), 404));
    assert_eq!(failure.code, "http-status");
    let details = failure.details.unwrap();
    assert_eq!(
        (&details["status"], &details["body"]),
        (&json!(404), &json!("no such thing"))
    );
    assert_eq!(run(json!("any"), 500).unwrap()["status"], 500);
    assert_eq!(run(json!(404), 404).unwrap()["status"], 404);
    assert_eq!(run(json!([201, 409]), 409).unwrap()["status"], 409);
    assert!(run(json!([201, 409]), 200).is_err());
    assert_eq!(pointer(run(json!("some"), 200)), "/expect_status");
}

#[test]
fn a_safe_request_is_tried_again_and_the_answer_says_how_often() {
    let answers = [
        Ok(Response::new(503)),
        Err(HttpError::Timeout),
        Ok(Response::new(200)),
    ];
    let host = Host::new().responses(answers).install();
    let output = run(json!({ "url": "https://a/", "retries": 2 })).unwrap();
    assert_eq!(output["attempts"], 3);
    assert!(host.waited() > Duration::ZERO);
}

#[test]
fn a_post_is_never_tried_again() {
    let host = Host::new().http(|_| Ok(Response::new(503))).install();
    let outcome = run(json!({ "method": "POST", "url": "https://a/", "retries": 5 }));
    assert_eq!(failure(outcome).code, "http-status");
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn redirects_are_followed_as_far_as_asked() {
    let answers = || {
        let moved = Response::new(301).with_header("location", "https://b/");
        [Ok(moved), Ok(Response::new(200))]
    };
    let host = Host::new().responses(answers()).install();
    let output = run(json!({ "url": "https://a/", "follow_redirects": 1 })).unwrap();
    assert_eq!(output["url"], "https://b/");
    drop(host);
    let _host = Host::new().responses(answers()).install();
    assert_eq!(
        failure(run(json!({ "url": "https://a/" }))).code,
        "http-status"
    );
}

#[test]
fn a_response_larger_than_asked_for_is_an_error() {
    let _host = Host::new()
        .http(|_| Ok(Response::new(200).with_body("12345")))
        .install();
    let limited = |bytes| run(json!({ "url": "https://a/", "max_response_bytes": bytes }));
    assert!(limited(5).is_ok());
    assert_eq!(failure(limited(4)).code, "http-too-large");
}

#[test]
fn errors_of_the_host_keep_their_kind() {
    let run = |error: HttpError| {
        let _host = Host::new().responses([Err(error)]).install();
        run(json!({ "url": "https://a/" }))
    };
    assert_eq!(
        run(HttpError::Denied("https://a".into())),
        Err(Error::denied("https://a"))
    );
    assert!(matches!(
        run(HttpError::Unreachable("a".into())),
        Err(Error::Unavailable(_))
    ));
    assert_eq!(failure(run(HttpError::Timeout)).code, "http-timeout");
    assert_eq!(failure(run(HttpError::TooLarge(9))).code, "http-too-large");
}

#[test]
fn input_that_cannot_be_sent_is_refused_with_its_place() {
    assert_eq!(pointer(run(json!({ "url": "ftp://a/" }))), "/url");
    assert_eq!(pointer(run(json!({ "url": "/relative" }))), "/url");
    assert_eq!(
        pointer(run(json!({ "url": "https://a/", "method": "GE T" }))),
        "/method"
    );
    let body = json!({ "url": "https://a/", "body": { "base64": "*" } });
    assert_eq!(pointer(run(body)), "/body/base64");
    let header = json!({ "url": "https://a/", "headers": { "x": 1 } });
    assert_eq!(pointer(run(header)), "/headers/x");
    assert_eq!(
        pointer(run(json!({ "url": "https://a/", "nonsense": 1 }))),
        "/nonsense"
    );
}

#[test]
fn the_schema_describes_every_field() {
    let schema: Value = serde_json::from_str(&PLUGIN.describe()[0].input_schema).unwrap();
    for (name, field) in schema["properties"].as_object().unwrap() {
        assert!(field["description"].is_string(), "{name}");
    }
    assert_eq!(schema["required"], json!(["url"]));
}
