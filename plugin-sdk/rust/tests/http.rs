//! The HTTP client against the in-memory host: redirects, retries, credentials, cancellation.

use std::time::Duration;

use serde_json::json;
use wharf_plugin::Error;
use wharf_plugin::http::{self, Client, Credential, HttpError, Response, Retry};
use wharf_plugin::log::Level;
use wharf_plugin::testing::Host;

fn moved(to: &str) -> Result<Response, HttpError> {
    Ok(Response::new(302).with_header("location", to))
}

fn status(code: u16) -> Result<Response, HttpError> {
    Ok(Response::new(code))
}

#[test]
fn a_plain_send_follows_nothing_and_repeats_nothing() {
    let host = Host::new().responses([moved("https://b/")]).install();
    let response = http::get("https://a/").send().unwrap();
    assert_eq!(
        (response.status(), response.attempts(), response.url()),
        (302, 1, "https://a/")
    );
    assert_eq!(host.requests().len(), 1);
}

#[test]
fn without_a_grant_nothing_is_sent() {
    let host = Host::new().install();
    assert!(matches!(
        http::get("https://a/").send().map_err(Error::from),
        Err(Error::Denied(_))
    ));
    assert!(host.requests().is_empty());
}

#[test]
fn redirects_are_followed_hop_by_hop_through_the_host() {
    let answers = [moved("/two"), moved("https://b/three"), status(200)];
    let host = Host::new().responses(answers).install();
    let request = http::get("https://a/one").header("authorization", "x");
    let response = Client::new().follow_redirects(2).send(&request).unwrap();
    assert_eq!(response.url(), "https://b/three");
    let sent = host.requests();
    let seen = sent.iter().map(|s| {
        (
            s.request.url(),
            s.request.headers().contains("authorization"),
        )
    });
    assert_eq!(
        seen.collect::<Vec<_>>(),
        [
            ("https://a/one", true),
            ("https://a/two", true),
            ("https://b/three", false)
        ]
    );
}

#[test]
fn a_redirect_too_many_is_an_error() {
    let _host = Host::new().http(|_| moved("/again")).install();
    let outcome = Client::new()
        .follow_redirects(5)
        .send(&http::get("https://a/"));
    assert_eq!(outcome, Err(HttpError::TooManyRedirects(5)));
}

#[test]
fn a_credential_goes_with_the_request_and_not_to_another_origin() {
    let answers = [
        moved("/two"),
        moved("https://b/"),
        moved("https://a/back"),
        status(200),
    ];
    let host = Host::new().attach("token").responses(answers).install();
    let token = Credential::open("token").unwrap();
    let client = Client::new().follow_redirects(5).credential(&token);
    client.send(&http::get("https://a/one")).unwrap();
    let credentials: Vec<_> = host.requests().into_iter().map(|s| s.credential).collect();
    // Once it has left, it does not come back: the other origin chose where to.
    assert_eq!(
        credentials,
        [Some("token".into()), Some("token".into()), None, None]
    );
}

#[test]
fn a_credential_that_is_not_granted_names_itself() {
    let _host = Host::new().install();
    let error = Error::from(Credential::open("token").unwrap_err());
    assert_eq!(error, Error::denied("attach of the secret `token`"));
}

#[test]
fn a_busy_server_is_asked_again_after_the_time_it_asks_for() {
    let busy = Response::new(429).with_header("retry-after", "7");
    let answers = [
        Ok(busy),
        Err(HttpError::Unreachable("x".into())),
        status(200),
    ];
    let host = Host::new().responses(answers).install();
    let client = Client::new().retry(Retry::times(3));
    let response = client.send(&http::get("https://a/?secret=1")).unwrap();
    assert_eq!((response.status(), response.attempts()), (200, 3));
    assert!(host.waited() > Duration::from_secs(7) && host.waited() < Duration::from_secs(9));
    let logs = host.logs();
    assert_eq!(
        host.messages(Level::Warn),
        ["sending again", "sending again"]
    );
    assert_eq!(
        logs[0].fields[0],
        ("url".into(), "https://a/".into()),
        "the query is not logged"
    );
}

#[test]
fn a_request_that_may_have_had_an_effect_is_not_repeated() {
    let host = Host::new().http(|_| status(503)).install();
    let client = Client::new().retry(Retry::times(3));
    assert_eq!(
        client.send(&http::post("https://a/")).unwrap().attempts(),
        1
    );
    let client = client.retry(Retry::times(3).repeatable());
    assert_eq!(
        client.send(&http::post("https://a/")).unwrap().attempts(),
        4
    );
    assert_eq!(host.requests().len(), 5);
}

#[test]
fn a_pause_beyond_the_deadline_is_not_made() {
    let busy = || Ok(Response::new(503).with_header("retry-after", "60"));
    let host = Host::new()
        .deadline(Duration::from_secs(30))
        .http(move |_| busy())
        .install();
    let client = Client::new().retry(Retry::times(3));
    let response = client.send(&http::get("https://a/")).unwrap();
    assert_eq!((response.status(), response.attempts()), (503, 1));
    assert_eq!(host.waited(), Duration::ZERO);
}

#[test]
fn cancelling_ends_the_wait_for_the_next_try() {
    let host = Host::new()
        .cancelled_after(Duration::from_millis(300))
        .http(|_| status(503))
        .install();
    let busy = Client::new()
        .retry(Retry::times(9))
        .send(&http::get("https://a/"));
    assert_eq!(busy.map_err(Error::from), Err(Error::Cancelled));
    assert!(host.waited() < Duration::from_secs(1));
}

#[test]
fn json_goes_out_and_comes_in() {
    let host = Host::new()
        .http(|request| Ok(Response::new(201).with_body(request.body_bytes().unwrap_or_default())))
        .install();
    let request = http::post("https://a/").json(&json!({ "n": 1 })).unwrap();
    let n: serde_json::Value = request.send().unwrap().json().unwrap();
    assert_eq!(n, json!({ "n": 1 }));
    assert_eq!(
        host.requests()[0].request.headers().get("Content-Type"),
        Some("application/json")
    );
}
