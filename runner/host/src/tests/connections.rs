//! How many connections a run has, and for how long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{io, net::IpAddr};

use async_trait::async_trait;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use wharf_stores::Stores;

use super::support::*;
use crate::bindings::http::HttpError;
use crate::egress::{self, EgressError, Guest, OutBody, Outgoing};
use crate::{AuditEvent, Lookup, Services, ServicesConfig};

fn outgoing(url: &str) -> Outgoing {
    Outgoing {
        method: ::http::Method::GET,
        url: url.parse().unwrap(),
        headers: ::http::HeaderMap::new(),
        body: OutBody::None,
        first_byte: Some(Duration::from_secs(10)),
        between_bytes: None,
    }
}

#[tokio::test]
async fn open_requests_are_bounded_and_a_closed_one_makes_room() {
    let server = Server::start(|_| vec![reply("", b"x")]).await;
    let run = bound(
        &rights(&open_grant("limits={connections=2}")),
        &Stores::none(),
    )
    .await;
    let shared = run.state.run.clone().unwrap();
    let url = server.url("/");
    let first = egress::send(&shared, outgoing(&url), Guest::AddsNothing)
        .await
        .unwrap();
    let _second = egress::send(&shared, outgoing(&url), Guest::AddsNothing)
        .await
        .unwrap();
    let third = egress::send(&shared, outgoing(&url), Guest::AddsNothing).await;
    assert!(
        matches!(&third, Err(EgressError::Exhausted(why)) if why.contains("`limits = { connections = "))
    );
    assert_eq!(first.body.collect(10).await.unwrap(), b"x");
    assert!(
        egress::send(&shared, outgoing(&url), Guest::AddsNothing)
            .await
            .is_ok()
    );
}

/// Answers every request before its body has come, and keeps the connection open.
async fn hasty(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&answer).await;
            open.push(stream);
        }
    });
    format!("http://{address}/")
}

type Writer = mpsc::Sender<Result<Frame<Bytes>, wasmtime_wasi_http::Error>>;

/// A request whose body is still being written.
async fn writing(url: &str) -> (Outgoing, Writer) {
    let (writer, pieces) = mpsc::channel(1);
    let stream = futures_util::stream::unfold(pieces, async |mut pieces| {
        Some((pieces.recv().await?, pieces))
    });
    let request = Outgoing {
        method: ::http::Method::POST,
        body: OutBody::Stream(StreamBody::new(stream).boxed_unsync()),
        ..outgoing(url)
    };
    let first = Frame::data(Bytes::from_static(b"the first part"));
    writer.send(Ok(first)).await.unwrap();
    (request, writer)
}

#[tokio::test]
async fn a_connection_over_which_a_body_is_still_sent_counts_after_its_answer() {
    let run = bound(
        &rights(&open_grant("limits={connections=2}")),
        &Stores::none(),
    )
    .await;
    let shared = run.state.run.clone().unwrap();
    let url = hasty(reply("", b"x")).await;
    let mut writers = Vec::new();
    for _ in 0..2 {
        let (request, writer) = writing(&url).await;
        let answer = egress::send(&shared, request, Guest::AddsNothing).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(answer.body.collect(10).await.unwrap(), b"x");
        writers.push(writer);
    }
    let third = egress::send(&shared, outgoing(&url), Guest::AddsNothing).await;
    assert!(matches!(third, Err(EgressError::Exhausted(_))));
    // The end of a body makes room.
    writers.pop();
    let room = async || {
        let sent = egress::send(&shared, outgoing(&url), Guest::AddsNothing).await;
        sent.is_ok()
    };
    for _ in 0..1_000 {
        if room().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("there is no room");
}

#[tokio::test]
async fn what_became_of_no_answer_makes_room_at_once_though_its_body_is_still_sent() {
    let one = "limits={connections=1}";
    let too_long = reply("", &[b'x'; 5_000]);
    for (server, policy, expected) in [
        (reply("content-encoding: gzip\r\n", b"x"), one, "compressed"),
        (Vec::new(), one, "no whole response in time"),
        (too_long.clone(), one, "larger than 10 bytes"),
        (
            too_long,
            "limits={connections=1,response-bytes='20B'}",
            "`limits = { response-bytes",
        ),
        (b"nonsense\r\n\r\n".to_vec(), one, "HTTP"),
    ] {
        let mute = server.is_empty();
        let url = hasty(server).await;
        let secret = secret_grant(url.trim_end_matches('/'), "'bearer'", "inject");
        let run = bound_to(&format!("{secret}\n{policy}")).await;
        let shared = run.state.run.clone().unwrap();
        let mut writers = Vec::new();
        for _ in 0..20 {
            let (mut request, writer) = writing(&format!("{url}v1/x")).await;
            if mute {
                request.first_byte = Some(Duration::from_millis(20));
            }
            let answer = async {
                let answer = egress::send(&shared, request, Guest::AddsNothing).await?;
                answer.body.collect(10).await
            };
            let why = answer.await.unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
            assert!(shared.traffic.open_socket().is_ok(), "{expected}");
            writers.push(writer);
        }
        for writer in writers {
            writer.closed().await;
        }
    }
}

#[tokio::test]
async fn a_request_that_is_no_longer_waited_for_makes_room_at_once() {
    let url = hasty(Vec::new()).await;
    let run = bound_to(&open_grant("limits={connections=1}")).await;
    let shared = run.state.run.clone().unwrap();
    for _ in 0..20 {
        let (request, writer) = writing(&url).await;
        tokio::select! {
            answer = egress::send(&shared, request, Guest::AddsNothing) => {
                panic!("{:?}", answer.err())
            }
            // There is room for the next part as soon as the first one is being sent.
            taken = writer.reserve() => drop(taken.unwrap()),
        }
        assert!(shared.traffic.open_socket().is_ok());
    }
}

#[tokio::test]
async fn a_body_that_goes_on_past_its_limit_after_the_answer_is_told_to_the_auditor_once() {
    let unread = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".to_vec();
    for (answer, is_read) in [(reply("", b"x"), true), (unread, false)] {
        let run = bound_to(&open_grant("limits={request-bytes='1KiB'}")).await;
        let shared = run.state.run.clone().unwrap();
        let (request, writer) = writing(&hasty(answer).await).await;
        let answer = egress::send(&shared, request, Guest::AddsNothing).await;
        let answer = answer.unwrap_or_else(|error| panic!("{error}"));
        let mut body = Some(answer.body);
        if is_read {
            let read = body.take().unwrap().collect(10).await;
            assert_eq!(read.unwrap(), b"x");
        }
        let rest = Frame::data(Bytes::from(vec![b'x'; 2_000]));
        writer.send(Ok(rest)).await.unwrap();
        writer.closed().await;
        drop(body);
        let told = run.events.audit.lock().unwrap().clone();
        let refused = told.iter().filter(|event| {
            matches!(event, AuditEvent::RequestDenied { why, .. } if why.contains("`limits = { request-bytes"))
        });
        assert_eq!(refused.count(), 1, "{told:?}");
    }
}

#[tokio::test]
async fn connections_are_kept_within_a_run_and_never_shared_with_another() {
    let server = Server::start(|_| vec![reply("", b"x")]).await;
    let rights = rights(&open_grant(""));
    let mut one = bound(&rights, &Stores::none()).await;
    let services = one.state.run.as_ref().unwrap().services.clone();
    let mut other = bind_sharing(&services, &rights, &Stores::none(), None).await;
    for _ in 0..3 {
        send(&mut one, get(server.url("/"))).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    send(&mut other, get(server.url("/"))).await.unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_connections_that_a_run_keeps_are_closed_when_it_is_over() {
    let server = Server::start(|_| vec![reply("", b"x")]).await;
    let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
    send(&mut run, get(server.url("/"))).await.unwrap();
    assert_eq!(server.open(), 1);
    run.state.take();
    server.is_left().await;
}

#[tokio::test]
async fn a_run_that_asks_many_servers_keeps_no_more_connections_than_it_may_have() {
    let mut servers = Vec::new();
    for _ in 0..12 {
        servers.push(Server::start(|_| vec![reply("", b"x")]).await);
    }
    let rights = rights(&open_grant("limits={connections=2}"));
    let mut run = bound(&rights, &Stores::none()).await;
    for (at, server) in servers.iter().enumerate() {
        // Again, so that the one before is the one that was used last.
        for server in [&servers[at.saturating_sub(1)], server] {
            send(&mut run, get(server.url("/"))).await.unwrap();
        }
        for earlier in &servers[..at.saturating_sub(1)] {
            earlier.is_left().await;
        }
    }
    let made = |server: &Server| server.connections.load(Ordering::SeqCst);
    let made: Vec<usize> = servers.iter().map(made).collect();
    assert_eq!(made, [1; 12], "what was kept was used again");
}

/// Never says where `stuck.test` is, and counts who asks.
#[derive(Default)]
struct Stuck(AtomicUsize);

#[async_trait]
impl Lookup for Stuck {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        if name == "stuck.test" {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        Ok(vec![IpAddr::from([127, 0, 0, 1])])
    }
}

#[tokio::test]
async fn a_run_whose_lookups_never_end_waits_for_them_alone() {
    let server = Server::start(|_| vec![reply("", b"x")]).await;
    let stuck = Arc::new(Stuck::default());
    let services = Services::with_lookup(&ServicesConfig::default(), stuck.clone()).unwrap();
    let services = Arc::new(services);
    let rights = rights(&open_grant(""));
    let mut one = bind_sharing(&services, &rights, &Stores::none(), None).await;
    let mut asked = get("http://stuck.test/");
    asked.timeout = Some(20);
    for _ in 0..10 {
        let answer = send(&mut one, asked.clone()).await;
        assert!(matches!(answer, Err(HttpError::Timeout)), "{answer:?}");
    }
    assert_eq!(stuck.0.load(Ordering::SeqCst), 4, "lookups of one run");
    // Nor has it any left for another name, which another run has.
    let url = format!("http://fine.test:{}/", server.address.port());
    asked.url.clone_from(&url);
    let answer = send(&mut one, asked).await;
    assert!(matches!(answer, Err(HttpError::Timeout)), "{answer:?}");
    let mut other = bind_sharing(&services, &rights, &Stores::none(), None).await;
    assert_eq!(send(&mut other, get(url)).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_connection_to_a_server_of_http_1_0_carries_one_request() {
    let old = |_: &str| {
        vec![b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx".to_vec()]
    };
    let server = Server::start(old).await;
    let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
    for _ in 0..2 {
        send(&mut run, get(server.url("/"))).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let closing = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", closing.local_addr().unwrap());
    let served = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut stream, _) = closing.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(&reply("", b"x")).await.unwrap();
        }
    });
    let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
    for _ in 0..3 {
        assert_eq!(send(&mut run, get(&url)).await.unwrap().status, 200);
    }
    served.await.unwrap();
}

#[tokio::test]
async fn a_server_that_refuses_a_body_and_leaves_takes_no_place_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(&reply("", b"x")).await;
            let _ = stream.shutdown().await;
        }
    });
    let run = bound_to(&open_grant("limits={connections=1,request-bytes='1GiB'}")).await;
    let shared = run.state.run.clone().unwrap();
    for _ in 0..20 {
        let request = Outgoing {
            method: ::http::Method::POST,
            body: OutBody::Whole(vec![b'x'; 8 << 20].into()),
            ..outgoing(&url)
        };
        // What else may come of it depends on what the server's system does with the rest.
        match egress::send(&shared, request, Guest::AddsNothing).await {
            Ok(answer) => drop(answer.body.collect(10).await),
            Err(error) => assert!(matches!(error, EgressError::Protocol(_)), "{error:?}"),
        }
    }
}
