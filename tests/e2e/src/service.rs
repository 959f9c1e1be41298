//! A small HTTP service that remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};

use crate::reflect::reflect;

type Requests = Arc<Mutex<Vec<String>>>;

/// A service on loopback that answers every request with the request itself, headers and all; below a
/// path that ends in `/forms`, with its credential in every form that a server may write it down in.
pub struct Service {
    address: SocketAddr,
    requests: Requests,
}

impl Service {
    /// Starts it on a free port; it ends with the test.
    pub async fn start() -> Self {
        let requests = Requests::default();
        let app = Router::new()
            .fallback(echo)
            .with_state(Arc::clone(&requests));
        Self::serve(app, requests).await
    }

    /// A service that takes every request and never answers.
    pub async fn hanging() -> Self {
        let requests = Requests::default();
        let app = Router::new()
            .fallback(hang)
            .with_state(Arc::clone(&requests));
        Self::serve(app, requests).await
    }

    async fn serve(app: Router, requests: Requests) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, requests }
    }

    /// Its origin, such as `http://127.0.0.1:4711`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port on `127.0.0.1`.
    pub fn port(&self) -> u16 {
        self.address.port()
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
) -> String {
    requests
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    if uri.path().ends_with("/forms") {
        let credential = headers
            .get("authorization")
            .map_or("", |value| value.to_str().unwrap());
        return reflect(credential.strip_prefix("Bearer ").unwrap_or(credential));
    }
    format!("{method} {uri}\n{headers:?}\n\n{body}")
}

async fn hang(State(requests): State<Requests>, method: Method, uri: Uri) -> String {
    requests
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    std::future::pending().await
}
