//! Rights from text, events that are kept, stores in memory, and loopback servers.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use wharf_policy::{CallRights, LimitRequest, Policy, Rights};
use wharf_stores::{Document, Place, SecretStore, SecretValue, StoreError, Stores};

use crate::bindings::http::{Host as _, HttpError, Request, Response};
use crate::*;

pub(super) const TOKEN: &str = "canary-4f1d9a7b-token";

/// One with capitals, which names of hosts and headers do not keep.
pub(super) const CAPITALS: &str = "q7Zp2xW9kLm4vT8sB1nR";

/// Everything a run told.
#[derive(Default)]
pub(super) struct Recorder {
    /// Nothing can be written down.
    pub(super) full: AtomicBool,
    pub(super) synced: AtomicUsize,
    pub(super) lines: Mutex<Vec<LogLine>>,
    pub(super) progress: Mutex<Vec<Progress>>,
    pub(super) audit: Mutex<Vec<AuditEvent>>,
}

#[async_trait]
impl Events for Recorder {
    fn log(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line);
    }
    fn progress(&self, progress: Progress) {
        self.progress.lock().unwrap().push(progress);
    }
    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable> {
        if self.full.load(Ordering::SeqCst) {
            return Err(AuditUnavailable("no space left".to_owned()));
        }
        self.audit.lock().unwrap().push(event);
        Ok(())
    }
    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        self.synced.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

impl Recorder {
    pub(super) fn messages(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        lines.iter().map(|line| line.message.clone()).collect()
    }

    pub(super) fn everything(&self) -> String {
        format!(
            "{:?} {:?} {:?}",
            self.lines.lock().unwrap(),
            self.progress.lock().unwrap(),
            self.audit.lock().unwrap()
        )
    }
}

/// A store in memory.
pub(super) struct Memory(pub(super) HashMap<&'static str, &'static str>);

#[async_trait]
impl SecretStore for Memory {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        match self.0.get(&*place.path) {
            Some(value) => Ok(Document::text(SecretValue::new(value.as_bytes().to_vec()))),
            None if place.path == "down" => {
                Err(StoreError::Unavailable("mem".into(), "it is down".into()))
            }
            None => Err(StoreError::NoVariable(place.path.clone())),
        }
    }
}

pub(super) fn stores(values: &[(&'static str, &'static str)]) -> Stores {
    Stores::none().with("mem", Arc::new(Memory(values.iter().copied().collect())))
}

/// Names that resolve to fixed addresses.
#[derive(Default)]
pub(super) struct Names(pub(super) HashMap<&'static str, Vec<IpAddr>>);

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no such name");
        self.0.get(name).cloned().ok_or_else(unknown)
    }
}

pub(super) const ASKS: &str = r#"
    http = [{ origin = "http://*:*" }, { origin = "https://*:*" }]
    secrets = [{ name = "*", rungs = ["inject", "attach", "operate", "reveal"] }]
    config = true
"#;

pub(super) fn rights(policy: &str) -> Arc<Rights> {
    rights_asking(ASKS, policy)
}

pub(super) fn rights_asking(asks: &str, policy: &str) -> Arc<Rights> {
    Arc::new(Rights::effective(
        &"http".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(asks).unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(policy).unwrap(),
        &CallRights::default(),
    ))
}

/// A grant of everything on loopback, with these lines more.
pub(super) fn open_grant(more: &str) -> String {
    format!(
        "[[grant]]\nplugins = ['http']\nhttp = [{{ origin = 'http://*:*' }}, {{ origin = 'https://*:*' }}]\nnetworks = ['127.0.0.0/8']\n{more}"
    )
}

/// One secret `api` that is put on requests to this origin.
pub(super) fn secret_grant(origin: &str, placement: &str, rung: &str) -> String {
    format!(
        "[[secret]]\nname = 'api'\nfrom = 'mem:token'\nto = [{{ origin = '{origin}', path = '/v1' }}]\nas = {placement}\noperations = ['hmac']\n{}",
        open_grant(&format!(
            "secrets = [{{ name = 'api', rungs = ['{rung}'] }}]"
        ))
    )
}

pub(super) struct Bound {
    pub(super) state: State,
    pub(super) events: Arc<Recorder>,
    pub(super) cancel: CancelFlag,
}

pub(super) async fn bound(rights: &Arc<Rights>, stores: &Stores) -> Bound {
    bind_with(
        rights,
        stores,
        Names::default(),
        &ServicesConfig::default(),
        None,
    )
    .await
}

/// A state bound to these rights with the token in the store.
pub(super) async fn bound_to(policy: &str) -> Bound {
    bound(&rights(policy), &stores(&[("token", TOKEN)])).await
}

pub(super) async fn bind_with(
    rights: &Arc<Rights>,
    stores: &Stores,
    names: Names,
    config: &ServicesConfig,
    command: Option<CommandIo>,
) -> Bound {
    let services = Services::with_lookup(config, Arc::new(names)).unwrap();
    bind_sharing(&Arc::new(services), rights, stores, command).await
}

/// Another state in the same runner.
pub(super) async fn bind_sharing(
    services: &Arc<Services>,
    rights: &Arc<Rights>,
    stores: &Stores,
    command: Option<CommandIo>,
) -> Bound {
    let events = Arc::new(Recorder::default());
    let cancel = CancelFlag::default();
    let mut state = State::unbound(rights.limits());
    state.bind(Binding {
        execution: "e1".to_owned(),
        attempt: 1,
        rights: rights.clone(),
        deadline: tokio::time::Instant::now() + Duration::from_secs(20),
        cancel: cancel.clone(),
        services: services.clone(),
        events: events.clone(),
        command,
        secrets: resolve(rights, stores).await.unwrap().secrets,
    });
    Bound {
        state,
        events,
        cancel,
    }
}

pub(super) fn get(url: impl Into<String>) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.into(),
        headers: Vec::new(),
        body: None,
        timeout: None,
    }
}

/// A server that answers every request with what `answer` makes of its head and body, as raw
/// pieces that are written one by one. Keeps every request it got.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) got: Arc<Mutex<Vec<String>>>,
    pub(super) connections: Arc<AtomicUsize>,
    open: watch::Sender<usize>,
}

impl Server {
    pub(super) async fn start<A>(answer: A) -> Self
    where
        A: Fn(&str) -> Vec<Vec<u8>> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let answer = Arc::new(answer);
        let kept = got.clone();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        let open = watch::Sender::new(0);
        let opened = open.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                opened.send_modify(|open| *open += 1);
                let (served, closed) =
                    (serve(stream, answer.clone(), kept.clone()), opened.clone());
                tokio::spawn(async move {
                    served.await;
                    closed.send_modify(|open| *open -= 1);
                });
            }
        });
        Self {
            address,
            got,
            connections,
            open,
        }
    }

    /// Comes when no connection is open any more. One that is kept has to be closed long before a
    /// client would close it by itself.
    pub(super) async fn is_left(&self) {
        let mut open = self.open.subscribe();
        let left = open.wait_for(|open| *open == 0);
        let left = tokio::time::timeout(Duration::from_secs(10), left).await;
        assert!(left.is_ok(), "a connection stays open");
    }

    /// How many connections are open.
    pub(super) fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// One that answers with the whole request as it came, in the body and in a header.
    pub(super) async fn echo() -> Self {
        Self::start(|request| {
            let flat = request.replace("\r\n", " | ");
            vec![reply(&format!("x-echo: {flat}\r\n"), request.as_bytes())]
        })
        .await
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.got.lock().unwrap().clone()
    }
}

pub(super) fn reply(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn serve<A>(mut stream: TcpStream, answer: Arc<A>, got: Arc<Mutex<Vec<String>>>)
where
    A: Fn(&str) -> Vec<Vec<u8>>,
{
    stream.set_nodelay(true).unwrap();
    let mut buffer = Vec::new();
    loop {
        let request = loop {
            if let Some(end) = whole_request(&buffer) {
                break String::from_utf8_lossy(&buffer.drain(..end).collect::<Vec<_>>())
                    .into_owned();
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        got.lock().unwrap().push(request.clone());
        let pieces = answer(&request);
        if pieces.is_empty() {
            // A server that never answers: holds the connection until the client leaves.
            let _ = stream.read_buf(&mut buffer).await;
            return;
        }
        for piece in pieces {
            if stream.write_all(&piece).await.is_err() || stream.flush().await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// Where the first request in these bytes ends, if it is whole.
fn whole_request(bytes: &[u8]) -> Option<usize> {
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

/// Sends a record, as a guest does.
pub(super) async fn send(run: &mut Bound, request: Request) -> Result<Response, HttpError> {
    run.state.send(request).await.unwrap()
}

pub(super) async fn denied(run: &mut Bound, url: &str) -> String {
    match send(run, get(url)).await {
        Err(HttpError::Denied(why)) => why,
        other => panic!("{url}: {other:?}"),
    }
}

pub(super) async fn open() -> Bound {
    bound(&rights(&open_grant("")), &Stores::none()).await
}

pub(super) fn text(response: &Response) -> String {
    String::from_utf8_lossy(&response.body).into_owned()
}
