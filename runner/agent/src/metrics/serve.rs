//! A very small HTTP server: two paths, one request a connection, a few connections at a time, each
//! for a few seconds at most.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Metrics, text};
use crate::AgentError;

/// Connections at a time. More wait to be accepted.
const CONNECTIONS: usize = 16;
/// How long one may take from its first byte to its last.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that is bound, and serves nothing yet.
pub(crate) struct Listener {
    socket: std::net::TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds the address, or another port if it has port 0.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, AgentError> {
        let bound = || {
            let socket = std::net::TcpListener::bind(address)?;
            socket.set_nonblocking(true)?;
            let address = socket.local_addr()?;
            Ok(Self { socket, address })
        };
        bound().map_err(|error: std::io::Error| {
            AgentError::part("metrics server", format_args!("{address}: {error}"))
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is told to stop.
    pub(crate) async fn serve(self, metrics: Metrics, stop: CancellationToken) {
        let listener = match TcpListener::from_std(self.socket) {
            Ok(listener) => listener,
            Err(error) => return tracing::error!(%error, "metrics are not served"),
        };
        let (metrics, places) = (Arc::new(metrics), Arc::new(Semaphore::new(CONNECTIONS)));
        let accepting = async {
            loop {
                // The semaphore lives as long as this and is never closed.
                let place = Arc::clone(&places).acquire_owned().await;
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let metrics = Arc::clone(&metrics);
                        tokio::spawn(async move {
                            let _place = place;
                            // Who hangs up early has seen enough.
                            let _ = timeout(PATIENCE, connection(stream, &metrics)).await;
                        });
                    }
                    // Out of descriptors, perhaps: it passes.
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = accepting => {}
        }
    }
}

async fn connection(stream: TcpStream, metrics: &Metrics) -> Result<(), hyper::Error> {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(metrics, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(16 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// What is answered.
pub(super) fn answer(metrics: &Metrics, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let plain = "text/plain; charset=utf-8";
    let (status, media_type, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, text::MEDIA_TYPE, metrics.text())
        }
        (&Method::GET | &Method::HEAD, "/healthz") => match metrics.status.borrow().healthy() {
            Ok(()) => (StatusCode::OK, plain, "ok\n".to_owned()),
            Err(why) => (StatusCode::SERVICE_UNAVAILABLE, plain, format!("{why}\n")),
        },
        (_, "/metrics" | "/healthz") => {
            let text = "only GET and HEAD are answered here\n".to_owned();
            (StatusCode::METHOD_NOT_ALLOWED, plain, text)
        }
        _ => {
            let text = "there are /metrics and /healthz\n".to_owned();
            (StatusCode::NOT_FOUND, plain, text)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
