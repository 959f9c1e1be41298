//! The way out, against real servers on loopback.

use super::support::*;
use crate::bindings::http::{Host, HttpError, Request, Response};
use crate::{AuditEvent, ServicesConfig};
use std::collections::HashMap;
use wharf_stores::Stores;

pub(super) async fn send(run: &mut Bound, request: Request) -> Result<Response, HttpError> {
    Host::send(&mut run.state, request).await.unwrap()
}

async fn denied(run: &mut Bound, url: &str) -> String {
    match send(run, get(url)).await {
        Err(HttpError::Denied(why)) => why,
        other => panic!("{url}: {other:?}"),
    }
}

async fn open() -> Bound {
    bound(&rights(&open_grant("")), &Stores::none()).await
}

fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}

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
async fn every_way_to_write_a_metadata_or_private_address_is_denied() {
    let mut run = open().await;
    let why = denied(&mut run, "http://169.254.169.254/latest").await;
    assert!(
        why.contains("GET http://169.254.169.254/latest is not allowed: 169.254.169.254 is a cloud metadata address"),
        "{why}"
    );
    assert!(why.contains("networks = [\"169.254.169.254/32\"]"), "{why}");
    for url in [
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://169.254.43518/",
        "http://169.254.169.254./",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://[fe80::1]/",
        "http://①⑥⑨.254.169.254/",
    ] {
        denied(&mut run, url).await;
    }
}

fn names(list: &[(&'static str, &[&str])]) -> Names {
    Names(
        list.iter()
            .map(|(name, addresses)| {
                (
                    *name,
                    addresses.iter().map(|a| a.parse().unwrap()).collect(),
                )
            })
            .collect::<HashMap<_, _>>(),
    )
}

#[tokio::test]
async fn a_name_is_judged_by_the_addresses_it_resolves_to() {
    let server = Server::start(|_| vec![reply("", b"ok")]).await;
    let port = server.address.port();
    let names = names(&[
        ("meta.test", &["169.254.169.254"]),
        ("rebind.test", &["10.0.0.1", "127.0.0.1", "192.168.0.1"]),
        ("empty.test", &[]),
    ]);
    let config = ServicesConfig::default();
    let rights = rights(&open_grant(""));
    let mut run = bind_with(&rights, &Stores::none(), names, &config, None).await;

    let why = denied(&mut run, "http://meta.test/latest").await;
    assert!(
        why.contains("meta.test resolves to 169.254.169.254, which is a cloud metadata address"),
        "{why}"
    );
    let audit = run.events.audit.lock().unwrap().clone();
    assert!(
        matches!(audit.last(), Some(AuditEvent::RequestDenied { .. })),
        "{audit:?}"
    );

    // Only the address that is allowed is connected to; the server is on no other.
    let response = send(&mut run, get(format!("http://rebind.test:{port}/"))).await;
    assert_eq!(text(&response.unwrap()), "ok");
    assert!(server.requests()[0].contains(&format!("host: rebind.test:{port}\r\n")));

    for url in ["http://empty.test/", "http://unknown.test/"] {
        let error = send(&mut run, get(url)).await.unwrap_err();
        assert!(
            matches!(&error, HttpError::Unreachable(why) if why.contains(".test")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn what_nothing_listens_on_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = send(
        &mut open().await,
        get(format!("http://{address}/?secret=1")),
    )
    .await;
    let Err(HttpError::Unreachable(why)) = error else {
        panic!("{error:?}")
    };
    assert!(
        why.contains(&address.to_string()) && !why.contains("secret"),
        "{why}"
    );
}

#[tokio::test]
async fn a_redirect_is_given_to_the_guest_and_not_followed() {
    let server = Server::start(|_| {
        vec![b"HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n".to_vec()]
    })
    .await;
    let response = send(&mut open().await, get(server.url("/"))).await.unwrap();
    assert_eq!(response.status, 302);
    assert_eq!(server.requests().len(), 1);
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
async fn a_secret_that_comes_back_in_pieces_is_still_removed() {
    let server = Server::start(|_| {
        let mut pieces = vec![b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec()];
        let body = format!("before {TOKEN} after");
        pieces.extend(body.bytes().map(|byte| vec![byte]));
        pieces.push(b"HTTP".to_vec());
        pieces
    })
    .await;
    // A response without length ends with the connection, which this server ends by itself.
    let server = closing(server).await;
    let mut run = bound_to(&secret_grant(&server, "'bearer'", "inject")).await;
    let response = send(&mut run, get(format!("{server}/v1/x"))).await.unwrap();
    assert_eq!(text(&response), "before [secret api] afterHTTP");
}

/// A front that closes the connection once the back has said its last word, `HTTP`.
async fn closing(back: Server) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut front, _) = listener.accept().await.unwrap();
        let mut behind = tokio::net::TcpStream::connect(back.address).await.unwrap();
        front.set_nodelay(true).unwrap();
        let mut head = [0; 4096];
        let read = front.read(&mut head).await.unwrap();
        behind.write_all(&head[..read]).await.unwrap();
        let mut last = Vec::new();
        while !last.ends_with(b"afterHTTP") {
            let byte = behind.read_u8().await.unwrap();
            last.push(byte);
            front.write_all(&[byte]).await.unwrap();
        }
    });
    format!("http://{address}")
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
async fn what_cannot_be_searched_is_refused_from_a_server_that_may_have_a_credential() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x1f",
        "HTTP/1.1 200 OK\r\ncontent-encoding: identity\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n\x1f\x1f\r\n0\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-1/9\r\ncontent-length: 2\r\n\r\nxx",
    ] {
        let server = Server::start(move |_| vec![head.as_bytes().to_vec()]).await;
        let mut run = bound_to(&secret_grant(&server.url(""), "'bearer'", "inject")).await;
        // With the credential, and where it has no credential but may remember one.
        for path in ["/v1/x", "/"] {
            let error = send(&mut run, get(server.url(path))).await.unwrap_err();
            assert!(
                matches!(&error, HttpError::Protocol(why) if why.contains("cannot be searched")),
                "{head:?} {path}: {error:?}"
            );
        }
    }
    // A server that has none gives the guest the bytes as they are.
    let server = Server::start(|_| vec![reply("content-encoding: gzip\r\n", b"\x1f\x8b")]).await;
    let elsewhere = secret_grant("http://127.0.0.1:1", "'bearer'", "inject");
    let mut run = bound_to(&elsewhere).await;
    let response = send(&mut run, get(server.url("/"))).await.unwrap();
    assert_eq!(response.body, b"\x1f\x8b");
}

#[tokio::test]
async fn a_part_of_an_answer_is_not_asked_for_where_a_credential_goes() {
    let server = Server::echo().await;
    let mut run = bound_to(&secret_grant(&server.url(""), "'bearer'", "inject")).await;
    let mut request = get(server.url("/v1/x"));
    request.headers = vec![
        ("Range".into(), b"bytes=0-7".to_vec()),
        ("If-Range".into(), b"x".to_vec()),
    ];
    send(&mut run, request.clone()).await.unwrap();
    assert!(
        !server.requests()[0].contains("ange:"),
        "{:?}",
        server.requests()
    );

    let other = Server::echo().await;
    request.url = other.url("/");
    send(&mut run, request).await.unwrap();
    assert!(other.requests()[0].contains("range: bytes=0-7\r\n"));
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

#[tokio::test]
async fn the_networks_of_one_grant_do_not_serve_the_destinations_of_another() {
    let server = Server::echo().await;
    let port = server.address.port();
    let policy = format!(
        "[[grant]]\nplugins=['http']\nhttp=[{{origin='http://inside.test:{port}'}}]\nnetworks=['127.0.0.0/8']\n\
         [[grant]]\nplugins=['http']\nhttp=[{{origin='http://*:{port}'}}]"
    );
    let names = names(&[
        ("inside.test", &["127.0.0.1"]),
        ("evil.test", &["127.0.0.1"]),
    ]);
    let config = ServicesConfig::default();
    let mut run = bind_with(&rights(&policy), &Stores::none(), names, &config, None).await;
    send(&mut run, get(format!("http://inside.test:{port}/")))
        .await
        .unwrap();
    let why = denied(&mut run, &format!("http://evil.test:{port}/")).await;
    assert!(why.contains("a loopback address"), "{why}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_refused_address_is_allowed_by_its_line_in_the_grant_that_the_refusal_points_to() {
    let server = Server::echo().await;
    let port = server.address.port();
    for host in ["inside.test", "127.0.0.1"] {
        let origin = format!("http://{host}:{port}");
        let policy = |line: &str| {
            format!(
                "[[grant]]\nplugins=['http']\nnetworks=['127.0.0.1/32']\n\
                 [[grant]]\nplugins=['http']\nhttp=[{{origin='{origin}'}}]\n{line}"
            )
        };
        let bind = async |line: &str| {
            let names = names(&[("inside.test", &["127.0.0.1"])]);
            let rights = rights(&policy(line));
            bind_with(
                &rights,
                &Stores::none(),
                names,
                &ServicesConfig::default(),
                None,
            )
            .await
        };
        let why = denied(&mut bind("").await, &origin).await;
        let line = "networks = [\"127.0.0.1/32\"]";
        let place =
            format!("[[grant]] for this plugin that has http = [{{ origin = \"{origin}\" }}]");
        assert!(why.contains(&place) && why.contains(line), "{why}");
        send(&mut bind(line).await, get(origin)).await.unwrap();
    }
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

#[tokio::test]
async fn a_server_that_does_not_answer_is_a_timeout() {
    let server = Server::start(|_| vec![]).await;
    let mut run = open().await;
    let mut request = get(server.url("/"));
    request.timeout = Some(50);
    assert!(matches!(
        send(&mut run, request).await,
        Err(HttpError::Timeout)
    ));
}

#[tokio::test]
async fn a_response_that_stops_midway_is_given_up_when_the_grant_says() {
    let server =
        Server::start(|_| vec![b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()]).await;
    let policy = open_grant("limits={between-bytes='50ms'}");
    let mut run = bound(&rights(&policy), &Stores::none()).await;
    assert!(matches!(
        send(&mut run, get(server.url("/"))).await,
        Err(HttpError::Timeout)
    ));
}

#[tokio::test]
async fn a_response_that_stops_midway_is_a_timeout_too() {
    let server =
        Server::start(|_| vec![b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()]).await;
    let mut run = open().await;
    let mut request = get(server.url("/"));
    request.timeout = Some(200);
    assert!(matches!(
        send(&mut run, request).await,
        Err(HttpError::Timeout)
    ));
}
