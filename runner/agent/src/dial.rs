//! Opening a WebSocket to the controller: directly, or through the proxy that the environment
//! names, with TLS unless the controller is on this machine.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use http::Uri;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, client_async_tls_with_config};
use wharf_protocol::MAX_MESSAGE;

use crate::endpoint::Endpoint;

/// To connect to one address.
const CONNECT: Duration = Duration::from_secs(10);
/// For TLS and the WebSocket's opening, and for the answer of a proxy.
const OPENING: Duration = Duration::from_secs(15);
/// What the kernel may hold unsent: a heartbeat waits behind no more than this.
const SEND_BUFFER: u32 = 256 << 10;
/// The longest answer of a proxy.
const PROXY_ANSWER: usize = 8 << 10;

/// An open WebSocket.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the name `{0}` does not resolve: {1}")]
    Resolve(String, std::io::Error),
    #[error("nothing accepts the connection at {0}: {1}")]
    Connect(String, std::io::Error),
    #[error("the proxy {0} cannot be used: {1}")]
    Proxy(String, String),
    #[error("no answer within {} seconds", OPENING.as_secs())]
    Slow,
    #[error("the WebSocket is refused: {0}")]
    Opening(Box<tokio_tungstenite::tungstenite::Error>),
}

/// Dials one controller, again and again.
pub(crate) struct Dialer {
    endpoint: Endpoint,
    tls: Option<Arc<ClientConfig>>,
    proxies: Matcher,
}

impl Dialer {
    /// A dialer for that controller. Without TLS it can only be on this machine.
    pub(crate) fn new(endpoint: Endpoint, tls: Option<Arc<ClientConfig>>) -> Self {
        let proxies = if endpoint.loopback() {
            Matcher::builder().build()
        } else {
            Matcher::from_env()
        };
        Self {
            endpoint,
            tls,
            proxies,
        }
    }

    /// Opens a WebSocket.
    pub(crate) async fn dial(&self) -> Result<Socket, DialError> {
        let stream = self.connect().await?;
        let opening = |error| DialError::Opening(Box::new(error));
        let request = self
            .endpoint
            .socket()
            .into_client_request()
            .map_err(opening)?;
        let connector = match &self.tls {
            Some(config) if self.endpoint.secure() => Connector::Rustls(Arc::clone(config)),
            _ => Connector::Plain,
        };
        let bounds = WebSocketConfig::default()
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        let opened = client_async_tls_with_config(request, stream, Some(bounds), Some(connector));
        let (socket, _) = timeout(OPENING, opened)
            .await
            .map_err(|_| DialError::Slow)?
            .map_err(opening)?;
        Ok(socket)
    }

    async fn connect(&self) -> Result<TcpStream, DialError> {
        let (host, port) = (self.endpoint.host(), self.endpoint.port());
        let destination: Option<Uri> = self.endpoint.http("").parse().ok();
        match destination.and_then(|uri| self.proxies.intercept(&uri)) {
            None => tcp(&host, port).await,
            Some(proxy) => {
                let shown = proxy
                    .uri()
                    .authority()
                    .map_or("", |a| a.as_str())
                    .to_owned();
                match timeout(OPENING, through(&proxy, &host, port)).await {
                    Ok(Ok(stream)) => Ok(stream),
                    Ok(Err(reason)) => Err(DialError::Proxy(shown, reason)),
                    Err(_) => Err(DialError::Proxy(shown, "it does not answer".to_owned())),
                }
            }
        }
    }
}

/// Connects to the first address of a host that accepts.
async fn tcp(host: &str, port: u16) -> Result<TcpStream, DialError> {
    let addresses = lookup_host((host, port))
        .await
        .map_err(|error| DialError::Resolve(host.to_owned(), error))?;
    let mut last = std::io::Error::other("it has no address");
    for address in addresses {
        let attempt = async {
            let socket = if address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            socket.set_send_buffer_size(SEND_BUFFER)?;
            let stream = socket.connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        match timeout(CONNECT, attempt).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = std::io::ErrorKind::TimedOut.into(),
        }
    }
    Err(DialError::Connect(format!("{host}:{port}"), last))
}

/// Asks an HTTP proxy for a tunnel.
async fn through(proxy: &Intercept, host: &str, port: u16) -> Result<TcpStream, String> {
    let uri = proxy.uri();
    if uri.scheme_str() != Some("http") {
        return Err("only proxies with an http:// address are supported".to_owned());
    }
    let at = uri.host().ok_or("its address names no host")?;
    let at = at.trim_start_matches('[').trim_end_matches(']');
    let mut stream = tcp(at, uri.port_u16().unwrap_or(80))
        .await
        .map_err(|error| error.to_string())?;
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let mut ask = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some((user, password)) = proxy.raw_auth() {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        ask.push_str(&format!("Proxy-Authorization: Basic {pair}\r\n"));
    } else if let Some(value) = proxy.basic_auth() {
        let value = value.to_str().map_err(|error| error.to_string())?;
        ask.push_str(&format!("Proxy-Authorization: {value}\r\n"));
    }
    ask.push_str("\r\n");
    stream
        .write_all(ask.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    // Byte by byte: what follows the answer belongs to the tunnel.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= PROXY_ANSWER {
            return Err("its answer is too long".to_owned());
        }
        answer.push(stream.read_u8().await.map_err(|error| error.to_string())?);
    }
    let line = String::from_utf8_lossy(&answer);
    let line = line.lines().next().unwrap_or_default();
    let status = line.split_whitespace().nth(1);
    match status {
        Some(code) if code.starts_with('2') && code.len() == 3 => Ok(stream),
        _ => Err(format!("it answers `{}`", line.escape_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn proxy_that_answers(
        answer: &'static [u8],
    ) -> (Intercept, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let matcher = Matcher::builder()
            .https(format!("http://user:pass@{address}"))
            .build();
        let proxy = matcher
            .intercept(&"https://wharf.example".parse().unwrap())
            .unwrap();
        (proxy, asked)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel_and_what_follows_its_answer_is_the_tunnel() {
        let (proxy, asked) = proxy_that_answers(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello").await;
        let mut stream = through(&proxy, "wharf.example", 443).await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(&hello, b"hello");
        let asked = asked.await.unwrap();
        assert!(
            asked.starts_with("CONNECT wharf.example:443 HTTP/1.1\r\n"),
            "{asked}"
        );
        assert!(
            asked.contains("Proxy-Authorization: Basic dXNlcjpwYXNz"),
            "{asked}"
        );
    }

    #[tokio::test]
    async fn a_proxy_that_says_no_is_told_of() {
        let (proxy, _) = proxy_that_answers(b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
        let reason = through(&proxy, "wharf.example", 443).await.unwrap_err();
        assert!(reason.contains("403 Forbidden"), "{reason}");
    }
}
