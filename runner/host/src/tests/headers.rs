//! Headers of requests: whose they are, and which are not sent.

use super::support::*;
use crate::bindings::http::HttpError;

#[tokio::test]
async fn a_request_that_is_expected_to_have_a_body_says_that_it_has_none() {
    let server = Server::start(|_| vec![reply("", b"")]).await;
    let mut run = open().await;
    for (method, says) in [
        ("POST", true),
        ("PUT", true),
        ("PATCH", true),
        ("GET", false),
        ("DELETE", false),
    ] {
        for body in [None, Some(Vec::new())] {
            let mut request = get(server.url("/"));
            request.method = method.to_owned();
            request.body = body;
            send(&mut run, request).await.unwrap();
            let got = server.requests().pop().unwrap();
            assert_eq!(got.contains("content-length: 0\r\n"), says, "{got}");
        }
    }
}

#[tokio::test]
async fn headers_of_the_connection_are_the_hosts() {
    let server = Server::echo().await;
    let mut request = get(server.url("/"));
    request.headers = [
        "Host",
        "Connection",
        "Transfer-Encoding",
        "Upgrade",
        "TE",
        "X-Named",
        "Content-Length",
    ]
    .iter()
    .zip([
        &b"evil.test"[..],
        b"x-named",
        b"chunked",
        b"h2c",
        b"trailers",
        b"1",
        b"7",
    ])
    .map(|(name, value)| ((*name).to_owned(), value.to_vec()))
    .collect();
    let response = send(&mut open().await, request).await.unwrap();
    let got = text(&response).to_ascii_lowercase();
    for gone in [
        "evil",
        "x-named",
        "chunked",
        "h2c",
        "trailers",
        "content-length: 7",
    ] {
        assert!(!got.contains(gone), "{got}");
    }
}

#[tokio::test]
async fn headers_that_name_another_path_method_host_or_sender_are_dropped() {
    let server = Server::echo().await;
    let mut run = bound_to(&secret_grant(
        &server.url(""),
        "{ header = { name = 'x-api-key' } }",
        "inject",
    ))
    .await;
    let mut request = get(server.url("/v1/x"));
    request.headers = [
        "X-Original-URL",
        "X-Rewrite-URL",
        "X_Original_URL",
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X_Forwarded_For",
        "X-Forwarded",
        "X-Original-URI",
        "X-Original-Method",
        "X-Method",
        "X-Envoy-Original-Path",
        "X-Envoy-Original-Host",
        "X-HTTP-Host-Override",
        "True-Client-IP",
        "X-Client-IP",
        "Forwarded",
        "Transfer_Encoding",
        "Content_Length",
        "Proxy-Authorization",
        "Proxy-Foo",
        "X_Api_Key",
        "X-Api_Key",
    ]
    .map(|name| (name.to_owned(), b"smuggled".to_vec()))
    .to_vec();
    request.headers.push(("x_other".into(), b"kept".to_vec()));
    send(&mut run, request).await.unwrap();
    let got = &server.requests()[0];
    assert!(!got.contains("smuggled"), "{got}");
    assert!(
        got.contains("x_other: kept") && got.contains(TOKEN),
        "{got}"
    );
}

#[tokio::test]
async fn headers_and_urls_that_no_server_takes_are_refused_before_anything_is_sent() {
    let server = Server::echo().await;
    let mut run = open().await;
    let mut request = get(server.url("/"));
    request.headers = (0..65)
        .map(|n| (format!("x-{n}"), vec![b'x'; 1024]))
        .collect();
    let long = get(server.url(&format!("/{}", "x".repeat(17 * 1024))));
    for request in [request, long] {
        let error = send(&mut run, request).await.unwrap_err();
        assert!(matches!(error, HttpError::Invalid(_)), "{error:?}");
    }
    assert!(server.requests().is_empty());
}
