//! The way out, against real servers on loopback.

use super::support::*;
use crate::AuditEvent;
use crate::bindings::http::{HttpError, Request};
use wharf_stores::Stores;

#[tokio::test]
async fn a_granted_request_arrives_whole_and_so_does_its_response() {
    let server = Server::start(|_| vec![reply("x-answer: yes\r\n", b"hello")]).await;
    let mut run = open().await;
    let mut request = get(server.url("/a/b?c=d#e"));
    request.method = "PUT".into();
    request.headers = vec![
        ("X-One".into(), b"1".to_vec()),
        ("x-one".into(), b"2".to_vec()),
    ];
    request.body = Some(b"body".to_vec());
    let response = send(&mut run, request).await.unwrap();
    assert_eq!((response.status, text(&response).as_str()), (200, "hello"));
    assert!(
        response
            .headers
            .contains(&("x-answer".into(), b"yes".to_vec()))
    );
    let got = &server.requests()[0];
    assert!(got.starts_with("PUT /a/b?c=d HTTP/1.1\r\n"), "{got}");
    assert!(
        got.contains("x-one: 1\r\nx-one: 2\r\n") && got.ends_with("\r\n\r\nbody"),
        "{got}"
    );
    let usage = run.state.take().usage;
    assert_eq!(usage.requests, 1);
    assert!(
        usage.request_bytes > 4 && usage.response_bytes > 5,
        "{usage:?}"
    );
}

#[tokio::test]
async fn an_ungranted_destination_is_denied_naming_the_grant_and_audited() {
    let policy = "[[grant]]\nplugins=['http']\nhttp=[{origin='http://granted.test'}]";
    let mut run = bound(&rights(policy), &Stores::none()).await;
    let why = denied(&mut run, "http://8.8.8.8/x?token=q").await;
    assert!(why.contains("GET http://8.8.8.8/x is not allowed"), "{why}");
    assert!(why.contains("[[grant]]") && !why.contains("token"), "{why}");
    let audit = run.events.audit.lock().unwrap().clone();
    assert!(
        matches!(&audit[..], [AuditEvent::RequestDenied { destination, .. }] if destination == "http://8.8.8.8/x"),
        "{audit:?}"
    );
}

#[tokio::test]
async fn malformed_requests_are_told_as_invalid() {
    let mut run = open().await;
    let with = |change: fn(&mut Request)| {
        let mut request = get("http://127.0.0.1/");
        change(&mut request);
        request
    };
    for request in [
        get("not a url"),
        get("ftp://127.0.0.1/"),
        get("http://user:pass@127.0.0.1/"),
        with(|r| r.method = "GE T".into()),
        with(|r| r.method = "CONNECT".into()),
        with(|r| r.method = "TRACE".into()),
        with(|r| r.method = "get".into()),
        with(|r| r.method = "PRI".into()),
        with(|r| r.headers = vec![("a b".into(), vec![])]),
        with(|r| r.headers = vec![("a".into(), b"x\r\ny: z".to_vec())]),
    ] {
        let error = send(&mut run, request).await.unwrap_err();
        assert!(matches!(error, HttpError::Invalid(_)), "{error:?}");
    }
}

#[tokio::test]
async fn an_injected_credential_reaches_the_server_and_never_the_guest() {
    for (placement, on_the_wire) in [
        ("'bearer'", format!("authorization: Bearer {TOKEN}\r\n")),
        (
            "{ basic = { user = 'me' } }",
            "authorization: Basic bWU6Y2FuYXJ5LTRmMWQ5YTdiLXRva2Vu\r\n".to_owned(),
        ),
        (
            "{ header = { name = 'x-api-key' } }",
            format!("x-api-key: {TOKEN}\r\n"),
        ),
    ] {
        let server = Server::echo().await;
        let mut run = bound_to(&secret_grant(&server.url(""), placement, "inject")).await;
        let mut request = get(server.url("/v1/items?q=hidden"));
        request.headers = vec![
            ("authorization".into(), b"Bearer of-the-guest".to_vec()),
            ("x-api-key".into(), b"of-the-guest".to_vec()),
            ("accept-encoding".into(), b"gzip".to_vec()),
        ];
        let response = send(&mut run, request).await.unwrap();
        let got = &server.requests()[0];
        assert!(got.contains(&on_the_wire), "{got}");
        assert_eq!(got.matches("of-the-guest").count(), 1, "{got}");
        assert!(got.contains("accept-encoding: identity\r\n"), "{got}");

        let seen = format!("{:?} {}", response.headers, text(&response));
        assert!(seen.contains("[secret api]"), "{seen}");
        for part in [TOKEN, "Y2FuYXJ5", "canary"] {
            assert!(!seen.contains(part), "{seen}");
        }
        let length = response
            .headers
            .iter()
            .find(|(name, _)| name == "content-length");
        assert_eq!(
            length.unwrap().1,
            response.body.len().to_string().into_bytes()
        );

        let told = run.events.everything();
        assert!(
            told.contains("/v1/items") && !told.contains("hidden") && !told.contains("canary"),
            "{told}"
        );
        let audit = run.events.audit.lock().unwrap().clone();
        assert!(
            matches!(&audit[..], [AuditEvent::Request { credentials, .. }, ..] if credentials[0].secret.as_str() == "api"),
            "{audit:?}"
        );
    }
}

#[tokio::test]
async fn a_credential_is_added_by_whole_path_segments_only() {
    let server = Server::echo().await;
    let mut run = bound_to(&secret_grant(&server.url(""), "'bearer'", "inject")).await;
    for path in ["/v1x", "/", "/v1%2f..%2fadmin", "/V1/x", "/x/../v2"] {
        send(&mut run, get(server.url(path))).await.unwrap();
    }
    assert!(
        server
            .requests()
            .iter()
            .all(|got| !got.contains("authorization"))
    );
}

#[tokio::test]
async fn two_credentials_for_one_header_are_ambiguous() {
    let server = Server::echo().await;
    let origin = server.url("");
    let policy = format!(
        "[[secret]]\nname='one'\nfrom='mem:token'\nto=[{{origin='{origin}'}}]\n[[secret]]\nname='two'\nfrom='mem:other'\nto=[{{origin='{origin}'}}]\nas={{basic={{user='u'}}}}\n{}",
        open_grant("secrets=[{name='one'},{name='two'}]")
    );
    let stores = stores(&[("token", TOKEN), ("other", "another-token")]);
    let mut run = bound(&rights(&policy), &stores).await;
    let why = denied(&mut run, &server.url("/")).await;
    assert!(
        why.contains("ambiguous") && why.contains("`one`") && why.contains("`two`"),
        "{why}"
    );
    assert!(server.requests().is_empty());
}
