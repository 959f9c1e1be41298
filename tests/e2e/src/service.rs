//! A small HTTP service that remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;

use crate::reflect::reflect;

type Requests = Arc<Mutex<Vec<String>>>;

/// Whether answers are given.
type Gate = watch::Sender<bool>;

/// A service on loopback that answers every request with the request itself, headers and all; below a
/// path that ends in `/forms`, with its credential in every form that a server may write it down in; at
/// `/redirect?URL`, with a redirect to there.
pub struct Service {
    address: SocketAddr,
    requests: Requests,
    gate: Gate,
}

impl Service {
    /// Starts it on a free port; it ends with the test.
    pub async fn start() -> Self {
        let requests = Requests::default();
        let app = Router::new()
            .fallback(echo)
            .with_state(Arc::clone(&requests));
        Self::serve(app, requests, Gate::new(true)).await
    }

    /// A service that takes every request and never answers, unless it is told to.
    pub async fn hanging() -> Self {
        let (requests, gate) = (Requests::default(), Gate::new(false));
        let app = Router::new()
            .fallback(hang)
            .with_state((Arc::clone(&requests), gate.clone()));
        Self::serve(app, requests, gate).await
    }

    async fn serve(app: Router, requests: Requests, gate: Gate) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            requests,
            gate,
        }
    }

    /// Its origin, such as `http://127.0.0.1:4711`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers what hangs, and whatever comes.
    pub fn answer(&self) {
        self.gate.send_replace(true);
    }

    /// Method and path of every request so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn echo(
    State(requests): State<Requests>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    requests
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    if let ("/redirect", Some(to)) = (uri.path(), uri.query()) {
        return (StatusCode::FOUND, [("location", to)]).into_response();
    }
    if uri.path().ends_with("/forms") {
        let credential = headers
            .get("authorization")
            .map_or("", |value| value.to_str().unwrap());
        return reflect(credential.strip_prefix("Bearer ").unwrap_or(credential)).into_response();
    }
    format!("{method} {uri}\n{headers:?}\n\n{body}").into_response()
}

async fn hang(
    State((requests, gate)): State<(Requests, Gate)>,
    method: Method,
    uri: Uri,
) -> &'static str {
    requests
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    let answered = gate.subscribe().wait_for(|open| *open).await.is_ok();
    assert!(answered, "the gate outlives its service");
    "at last"
}
