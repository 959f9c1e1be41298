//! Servers on loopback: for HTTP with and without TLS, and for bytes. Each keeps what it got.

use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

/// What a server says to a request: pieces, each sent by itself. None at all, and it never answers.
pub(crate) type Answer = dyn Fn(&str) -> Vec<Vec<u8>> + Send + Sync;

/// A server for HTTP/1.1, or for bytes.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    got: Arc<Mutex<String>>,
    open: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    /// That one was opened or closed.
    changed: Arc<Notify>,
    /// The servers that are counted with it.
    crowd: Option<Arc<Crowd>>,
}

/// How long what has to happen may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Servers whose open connections are counted together. They do not answer while there are too many.
pub(crate) struct Crowd {
    at_most: usize,
    open: watch::Sender<usize>,
    exceeded: AtomicBool,
}

impl Crowd {
    pub(crate) fn of_at_most(connections: usize) -> Arc<Self> {
        Arc::new(Self {
            at_most: connections,
            open: watch::Sender::new(0),
            exceeded: AtomicBool::new(false),
        })
    }

    /// Whether there ever were too many, and did not become fewer.
    pub(crate) fn was_exceeded(&self) -> bool {
        self.exceeded.load(Ordering::SeqCst)
    }

    /// Comes when there are not too many. What a client has closed before it opened another is told to
    /// us at some time after that.
    async fn few(&self) {
        let mut open = self.open.subscribe();
        let few = open.wait_for(|open| *open <= self.at_most);
        if timeout(PATIENCE, few).await.is_err() {
            self.exceeded.store(true, Ordering::SeqCst);
        }
    }
}

impl Server {
    async fn bind() -> (Self, TcpListener) {
        Self::bind_at(([127, 0, 0, 1], 0).into()).await
    }

    async fn bind_at(address: SocketAddr) -> (Self, TcpListener) {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            open: Arc::default(),
            connections: Arc::default(),
            changed: Arc::default(),
            crowd: None,
        };
        (server, listener)
    }

    /// Answers every request.
    pub(crate) async fn http(answer: Arc<Answer>) -> Self {
        Self::http_of(None, answer).await
    }

    /// Answers every request as one of a crowd.
    pub(crate) async fn http_among(crowd: &Arc<Crowd>, answer: Arc<Answer>) -> Self {
        Self::http_of(Some(crowd.clone()), answer).await
    }

    async fn http_of(crowd: Option<Arc<Crowd>>, answer: Arc<Answer>) -> Self {
        let (mut server, listener) = Self::bind().await;
        server.crowd = crowd;
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let (this, answer) = (this.clone(), answer.clone());
                tokio::spawn(async move { this.serve(stream, answer.as_ref()).await });
            }
        });
        server
    }

    /// Answers every request over TLS, as these names, of an authority that is written to a file.
    pub(crate) async fn https(names: &[&str], authority: &Path, answer: Arc<Answer>) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(certified(names, authority)));
        let (server, listener) = Self::bind().await;
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, answer, acceptor) = (this.clone(), answer.clone(), acceptor.clone());
                tokio::spawn(async move {
                    // A client that does not trust us leaves here.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        this.serve(stream, answer.as_ref()).await;
                    }
                });
            }
        });
        server
    }

    /// Gives every byte back.
    pub(crate) async fn bytes() -> Self {
        Self::bytes_at(([127, 0, 0, 1], 0).into()).await
    }

    /// Gives every byte back, at this address.
    pub(crate) async fn bytes_at(address: SocketAddr) -> Self {
        let (server, listener) = Self::bind_at(address).await;
        let this = server.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let this = this.clone();
                tokio::spawn(async move {
                    let _guard = this.opened();
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                        this.got(&String::from_utf8_lossy(&buffer[..length]));
                        if stream.write_all(&buffer[..length]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S, answer: &Answer) {
        let _guard = self.opened();
        let mut buffer = Vec::new();
        loop {
            let end = loop {
                if let Some(end) = whole(&buffer) {
                    break end;
                }
                match stream.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => {
                        self.got(&String::from_utf8_lossy(&buffer));
                        return;
                    }
                    Ok(_) => {}
                }
            };
            let request: Vec<u8> = buffer.drain(..end).collect();
            let request = String::from_utf8_lossy(&request).into_owned();
            self.got(&request);
            if let Some(crowd) = &self.crowd {
                crowd.few().await;
            }
            let pieces = answer(&request);
            if pieces.is_empty() {
                let _ = stream.read_buf(&mut buffer).await;
                return;
            }
            for piece in pieces {
                if stream.write_all(&piece).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }

    fn opened(&self) -> Opened {
        self.open.fetch_add(1, Ordering::SeqCst);
        self.connections.fetch_add(1, Ordering::SeqCst);
        if let Some(crowd) = &self.crowd {
            crowd.open.send_modify(|open| *open += 1);
        }
        self.changed.notify_waiters();
        Opened(self.clone())
    }

    fn got(&self, text: &str) {
        self.got.lock().unwrap().push_str(text);
    }

    /// Everything that arrived.
    pub(crate) fn received(&self) -> String {
        self.got.lock().unwrap().clone()
    }

    /// Whether anyone ever connected.
    pub(crate) fn was_reached(&self) -> bool {
        self.connections.load(Ordering::SeqCst) > 0
    }

    /// Takes this out of what arrived, where it must be, and belongs.
    pub(crate) fn forget(&self, text: &str) {
        let mut got = self.got.lock().unwrap();
        assert!(got.contains(text), "{text} is not in {got}");
        *got = got.replace(text, "");
    }

    /// Comes when so many connections were opened, and all of them are closed again: long before a client
    /// would close by itself what is idle.
    pub(crate) async fn all_closed(&self, opened: usize) {
        let done = async {
            loop {
                let mut changed = pin!(self.changed.notified());
                changed.as_mut().enable();
                let connections = self.connections.load(Ordering::SeqCst);
                if connections >= opened && self.open.load(Ordering::SeqCst) == 0 {
                    return;
                }
                changed.await;
            }
        };
        let all = timeout(PATIENCE, done).await;
        let (connections, open) = (&self.connections, &self.open);
        assert!(
            all.is_ok(),
            "of {connections:?} connections {open:?} are open"
        );
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }
}

/// An open connection.
struct Opened(Server);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        if let Some(crowd) = &self.0.crowd {
            crowd.open.send_modify(|open| *open -= 1);
        }
        self.0.changed.notify_waiters();
    }
}

fn certified(names: &[&str], authority: &Path) -> ServerConfig {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    std::fs::write(authority, ca_certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let leaf = rcgen::CertificateParams::new(names).unwrap();
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(leaf.der().to_vec())],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .unwrap()
}

/// A whole response.
pub(crate) fn reply(headers: &str, body: &[u8]) -> Vec<Vec<u8>> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n{headers}\r\n");
    vec![[head.as_bytes(), body].concat()]
}

/// A response of chunks.
pub(crate) fn chunked(headers: &str, chunks: &[&[u8]], trailers: &str) -> Vec<Vec<u8>> {
    let head = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{headers}\r\n");
    let mut pieces = vec![head.into_bytes()];
    for chunk in chunks {
        let size = format!("{:x}\r\n", chunk.len());
        pieces.push([size.as_bytes(), chunk, b"\r\n"].concat());
    }
    pieces.push(format!("0\r\n{trailers}\r\n").into_bytes());
    pieces
}

/// Where the first request in these bytes ends, if it is whole.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let end = bytes[head..]
            .windows(5)
            .position(|five| five == b"0\r\n\r\n")?;
        return Some(head + end + 5);
    }
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.trim().parse().unwrap());
    (bytes.len() >= head + length).then_some(head + length)
}
