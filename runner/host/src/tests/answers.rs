//! What becomes of answers: in pieces, late, never, compressed, elsewhere.

use wharf_stores::Stores;

use super::support::*;
use crate::bindings::http::HttpError;

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
