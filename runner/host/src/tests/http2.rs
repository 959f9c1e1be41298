//! The way out over HTTP/2, to a server that speaks nothing else.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{HeaderName, HeaderValue, Request, Response, Version};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use tokio::sync::watch;
use wharf_stores::Stores;

use super::support::*;
use super::tls;
use crate::bindings::http::HttpError;

/// A server that gives back every header: in the body, as a value, and the credential as a name.
struct Server {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Request<()>>>>,
    connections: Arc<AtomicUsize>,
}

async fn server() -> Server {
    let acceptor = tls::acceptor(&["h2"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (got, connections) = (Arc::default(), Arc::new(AtomicUsize::new(0)));
    let server = Server {
        address,
        got: Arc::clone(&got),
        connections: connections.clone(),
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let got = Arc::clone(&got);
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, answer))) = connection.accept().await {
                    got.lock().unwrap().push(echo(request, answer));
                }
            });
        }
    });
    server
}

/// Answers, and gives what was asked.
fn echo(request: Request<RecvStream>, mut answer: SendResponse<Bytes>) -> Request<()> {
    let (parts, _) = request.into_parts();
    let request = Request::from_parts(parts, ());
    let credential = request.headers()["authorization"].to_str().unwrap();
    let token = credential.strip_prefix("Bearer ").unwrap();
    let mut response = Response::new(());
    let headers = response.headers_mut();
    let name = HeaderName::from_bytes(format!("x-{token}").as_bytes()).unwrap();
    headers.insert(name, HeaderValue::from_static("1"));
    headers.insert("x-echo", HeaderValue::from_str(credential).unwrap());
    let lines = request.headers().iter();
    let lines = lines.map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()));
    let body: String = lines.collect();
    let mut stream = answer.send_response(response, false).unwrap();
    stream.send_data(body.into(), false).unwrap();
    let mut trailers = ::http::HeaderMap::new();
    trailers.insert("x-late", HeaderValue::from_str(credential).unwrap());
    stream.send_trailers(trailers).unwrap();
    request
}

impl Server {
    fn origin(&self) -> String {
        format!("https://secure.test:{}", self.address.port())
    }

    /// Bound to a secret that goes there.
    async fn bound(&self) -> Bound {
        let names = Names([("secure.test", vec![self.address.ip()])].into());
        let rights = rights(&secret_grant(&self.origin(), "'bearer'", "inject"));
        let stores = stores(&[("token", CAPITALS)]);
        bind_with(&rights, &stores, names, &tls::trusting(), None).await
    }
}

#[tokio::test]
async fn over_http_2_a_credential_arrives_and_no_form_of_it_comes_back() {
    let server = server().await;
    let mut run = server.bound().await;
    let url = format!("{}/v1/x?q=1", server.origin());
    let mut request = get(&url);
    request.headers = [
        ("Host", "evil.test"),
        ("TE", "trailers, deflate"),
        ("Connection", "x-named"),
        ("X-Named", "evil.test"),
        ("Authorization", "Bearer of-the-guest"),
        ("X-Own", "kept"),
    ]
    .iter()
    .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
    .collect();
    let answer = send(&mut run, request).await.unwrap();

    let got = server.got.lock().unwrap();
    let [request] = &got[..] else {
        panic!("{got:?}")
    };
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri().to_string(), url);
    let credentials: Vec<_> = request.headers().get_all("authorization").iter().collect();
    assert_eq!(credentials, [&format!("Bearer {CAPITALS}")]);
    assert_eq!(request.headers()["x-own"], "kept");
    for dropped in ["host", "te", "connection", "x-named"] {
        assert!(!request.headers().contains_key(dropped), "{request:?}");
    }

    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let shown = format!("{:?} {body}", answer.headers);
    assert!(body.contains("Bearer [secret api]"), "{shown}");
    let values = answer.headers.iter().map(|(_, value)| value.as_slice());
    assert!(
        values.clone().any(|value| value == b"Bearer [secret api]"),
        "{shown}"
    );
    let small = CAPITALS.to_ascii_lowercase();
    assert!(!shown.to_ascii_lowercase().contains(&small), "{shown}");
    assert!(
        answer.headers.iter().all(|(name, _)| name != "x-late"),
        "{shown}"
    );
}

#[tokio::test]
async fn over_http_2_one_connection_carries_the_requests_of_a_run() {
    let server = server().await;
    let mut run = server.bound().await;
    for _ in 0..3 {
        let url = format!("{}/v1/x", server.origin());
        assert_eq!(send(&mut run, get(url)).await.unwrap().status, 200);
    }
    assert_eq!(server.got.lock().unwrap().len(), 3);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

/// A server that answers every request at once and takes nothing of a body in. Counts the
/// connections that are open.
async fn stubborn(open: &watch::Sender<usize>) -> u16 {
    let acceptor = tls::acceptor(&["h2"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let open = open.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let stream = acceptor.accept(stream).await.unwrap();
            open.send_modify(|open| *open += 1);
            let open = open.clone();
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                let handshake = builder.initial_window_size(0).handshake::<_, Bytes>(stream);
                let mut unread = Vec::new();
                if let Ok(mut connection) = handshake.await {
                    while let Some(Ok((request, mut answer))) = connection.accept().await {
                        let sent = answer.send_response(Response::new(()), true).unwrap();
                        unread.push((request, sent));
                    }
                }
                open.send_modify(|open| *open -= 1);
            });
        }
    });
    port
}

/// Comes when no more connections than these are open.
async fn at_most(most: usize, open: &watch::Sender<usize>) {
    let mut open = open.subscribe();
    let closed = open.wait_for(|open| *open <= most);
    let closed = tokio::time::timeout(Duration::from_secs(10), closed).await;
    assert!(closed.is_ok(), "more than {most} connections stay open");
}

#[tokio::test]
async fn a_server_that_takes_no_body_in_holds_no_more_connections_than_a_run_may_have_and_none_after_it()
 {
    let open = watch::Sender::new(0);
    let names = Names([("secure.test", vec!["127.0.0.1".parse().unwrap()])].into());
    let rights = rights(&open_grant("limits = { connections = 2 }"));
    let mut run = bind_with(&rights, &Stores::none(), names, &tls::trusting(), None).await;
    let (one, other) = (stubborn(&open).await, stubborn(&open).await);
    for (at, port) in [one, one, other, one].into_iter().enumerate() {
        let mut request = get(format!("https://secure.test:{port}/"));
        request.method = "POST".to_owned();
        request.body = Some(vec![b'x'; 1 << 20]);
        let answer = send(&mut run, request).await;
        // Answered, and still being sent: each is in use.
        match at {
            0 | 1 => assert_eq!(answer.unwrap().status, 200),
            _ => assert!(matches!(answer, Err(HttpError::Exhausted(_))), "{answer:?}"),
        }
        at_most(2, &open).await;
    }
    assert_eq!(*open.borrow(), 2);
    run.state.take();
    at_most(0, &open).await;
}
