//! A controller for tests: it shakes hands for real, and else does what the test says.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{any, get, post};
use base64::Engine as _;
use ed25519_dalek::{Signature, SigningKey, Verifier as _, VerifyingKey};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ClientConfig;
use serde_bytes::ByteBuf;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use wharf_policy::{CallRights, Digest};
use wharf_protocol::{
    Assignment, AttemptKey, Challenge, Hello, Payload, Pipe, ToController, ToRunner, decode,
    encode, hello_message,
};

use super::executor::FakeExecutor;
use super::soon;
use crate::agent::Surroundings;
use crate::audit::Auditor;
use crate::controller::Controller;
use crate::endpoint::Endpoint;
use crate::execute::Execute;
use crate::identity::{Card, Identity};
use crate::{Agent, AgentConfig, Running};

pub(super) const SESSION: &str = "session-of-the-test";
const NAME: &str = "the-controller";
const HEARTBEAT_MS: u64 = 100;

/// What the HTTP side holds.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) bundles: HashMap<Digest, Vec<u8>>,
    pub(super) signatures: HashMap<Digest, Vec<u8>>,
    pub(super) attestations: HashMap<Digest, Vec<u8>>,
    /// How often attestations were asked for.
    pub(super) asked_for_attestations: u32,
    pub(super) payloads: HashMap<Digest, Vec<u8>>,
    /// What is given out as any sealed secret.
    pub(super) sealed: Option<Vec<u8>>,
    /// So many uploads fail first.
    pub(super) failing_uploads: u32,
    /// Uploads are refused for good.
    pub(super) no_uploads: bool,
}

#[derive(Clone)]
struct Shared {
    /// Of the runner that is expected; enrolment sets it.
    key: Arc<Mutex<VerifyingKey>>,
    name: &'static str,
    peers: mpsc::UnboundedSender<Peer>,
    shelf: Arc<Mutex<Shelf>>,
    /// Said once in place of the welcome on the control pipe.
    instead: Arc<Mutex<Option<Vec<u8>>>>,
}

/// A controller that listens.
pub(super) struct Fake {
    pub(super) address: String,
    key: SigningKey,
    pub(super) shelf: Arc<Mutex<Shelf>>,
    peers: mpsc::UnboundedReceiver<Peer>,
    waiting: Vec<Peer>,
    instead: Arc<Mutex<Option<Vec<u8>>>>,
    server: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Fake {
    pub(super) async fn start() -> Self {
        Self::listen("127.0.0.1:0", NAME).await
    }

    /// A controller that calls itself something else.
    pub(super) async fn stranger() -> Self {
        Self::listen("127.0.0.1:0", "a-stranger").await
    }

    async fn listen(address: &str, name: &'static str) -> Self {
        let key = SigningKey::from_bytes(&[9; 32]);
        let (sender, peers) = mpsc::unbounded_channel();
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let instead = Arc::default();
        let shared = Shared {
            key: Arc::new(Mutex::new(key.verifying_key())),
            name,
            peers: sender,
            shelf: Arc::clone(&shelf),
            instead: Arc::clone(&instead),
        };
        let app = Router::new()
            .route("/v1/runner/connect", any(connect))
            .route("/v1/runners/enrol", post(enrol))
            .route("/v1/bundles/{digest}", get(bundle))
            .route("/v1/bundles/{digest}/signature", get(signature))
            .route("/v1/bundles/{digest}/attestations", get(attestations))
            .route("/v1/payloads/{digest}", get(payload).put(store))
            .route("/v1/runner/secrets/{name}", get(sealed))
            .layer(axum::extract::DefaultBodyLimit::disable())
            .with_state(shared);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            key,
            shelf,
            peers,
            waiting: Vec::new(),
            instead,
            server,
        }
    }

    /// The next connection for that pipe, with its handshake done.
    pub(super) async fn peer(&mut self, pipe: Pipe) -> Peer {
        if let Some(at) = self.waiting.iter().position(|p| p.hello.pipe == pipe) {
            return self.waiting.remove(at);
        }
        loop {
            let peer = soon("a connection", self.peers.recv()).await.unwrap();
            if peer.hello.pipe == pipe {
                return peer;
            }
            self.waiting.push(peer);
        }
    }

    /// Says this once, in place of the welcome on the control pipe.
    pub(super) fn instead_of_welcome(&self, message: Vec<u8>) {
        *self.instead.lock().unwrap() = Some(message);
    }

    /// Whether there was another connection for the control pipe.
    pub(super) fn has_another_peer(&mut self) -> bool {
        while let Ok(peer) = self.peers.try_recv() {
            self.waiting.push(peer);
        }
        self.waiting.iter().any(|p| p.hello.pipe == Pipe::Control)
    }

    pub(super) fn config(&self, state: &Path) -> AgentConfig {
        AgentConfig {
            slots: 4,
            ..AgentConfig::new(state, state.join("policy.toml"))
        }
    }

    pub(super) fn surroundings(&self, state: &Path) -> Surroundings {
        self.surroundings_at(state, format!("http://{}", self.address), None)
    }

    /// The same for a runner that finds this controller elsewhere.
    pub(super) fn surroundings_at(
        &self,
        state: &Path,
        url: String,
        tls: Option<Arc<ClientConfig>>,
    ) -> Surroundings {
        let endpoint = Endpoint::parse(&url).unwrap();
        let (session, live) = tokio::sync::watch::channel(None);
        let card = Card {
            runner: "01JD8Z6J3KX9V4T0M5N7P2Q1RS".parse().unwrap(),
            group: "here".parse().unwrap(),
            controller: NAME.to_owned(),
            url,
        };
        Surroundings {
            audit: Auditor::open(state, &card.runner).unwrap(),
            identity: Arc::new(Identity::new(self.key.clone(), card)),
            controller: Controller::new(endpoint.clone(), tls.as_deref(), live).unwrap(),
            endpoint,
            tls,
            session,
            useless: None,
            lock: None,
        }
    }

    /// A runner of this controller that does what the fake executor does.
    pub(super) fn runner(&self, state: &Path) -> (Running, Arc<FakeExecutor>) {
        self.runner_in(state, self.surroundings(state))
    }

    /// The same in these surroundings.
    pub(super) fn runner_in(
        &self,
        state: &Path,
        around: Surroundings,
    ) -> (Running, Arc<FakeExecutor>) {
        let executor = Arc::new(FakeExecutor::default());
        let execute: Arc<dyn Execute> = executor.clone();
        let running = Agent::start_with(&self.config(state), around, execute);
        (running.unwrap(), executor)
    }
}

/// One welcomed connection. That for control is read, and pings are answered, whether or not the test waits
/// for a frame; that for logs only from the first time on that it does.
pub(super) struct Peer {
    pub(super) hello: Hello,
    socket: SplitSink<WebSocket, Message>,
    /// What was read, or why it is not understood.
    frames: mpsc::UnboundedReceiver<Result<ToController, String>>,
    wanted: Arc<Notify>,
    reader: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Peer {
    pub(super) async fn send(&mut self, frame: ToRunner) {
        let mut message = Vec::new();
        encode(&mut message, &frame).unwrap();
        let message = Message::Binary(message.into());
        self.socket.send(message).await.unwrap();
    }

    /// Sends what may be no message. The runner may hang up before all of it is written.
    pub(super) async fn send_junk(&mut self, bytes: Vec<u8>) {
        let _ = self.socket.send(Message::Binary(bytes.into())).await;
    }

    pub(super) async fn send_text(&mut self, text: &'static str) {
        let _ = self.socket.send(Message::Text(text.into())).await;
    }

    pub(super) async fn assign(&mut self, key: AttemptKey, action: &str, input: &str) {
        self.send(assign(key, action, input)).await;
    }

    pub(super) async fn acknowledge(&mut self, key: AttemptKey) {
        let acceptance = wharf_protocol::Acceptance::Accepted;
        self.send(ToRunner::ResultAck { key, acceptance }).await;
    }

    /// The next frame, or nothing once the runner has closed.
    pub(super) async fn next(&mut self) -> Option<ToController> {
        self.wanted.notify_one();
        let frame = soon("a frame", self.frames.recv()).await?;
        Some(frame.expect("the runner sends whole frames"))
    }

    /// The next frame that `wanted` takes; others are passed over.
    pub(super) async fn find<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(ToController) -> Option<T>,
    ) -> T {
        soon(what, async {
            loop {
                let frame = self.next().await.expect("the connection is open");
                if let Some(found) = wanted(frame) {
                    return found;
                }
            }
        })
        .await
    }

    pub(super) async fn result(&mut self) -> (AttemptKey, wharf_protocol::Verdict) {
        self.find("a result", |frame| match frame {
            ToController::Result { key, verdict, .. } => Some((key, verdict)),
            _ => None,
        })
        .await
    }
}

/// Reads until the runner has closed, or nobody wants to know.
async fn read(
    mut socket: SplitStream<WebSocket>,
    frames: mpsc::UnboundedSender<Result<ToController, String>>,
) {
    while let Some(Ok(message)) = socket.next().await {
        let Message::Binary(bytes) = message else {
            continue;
        };
        let decoded = match decode::<ToController>(&bytes) {
            Ok(decoded) => decoded.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error.to_string())],
        };
        for frame in decoded {
            if frames.send(frame).is_err() {
                return;
            }
        }
    }
}

pub(super) fn assign(key: AttemptKey, action: &str, input: &str) -> ToRunner {
    ToRunner::Assign(Box::new(Assignment {
        key,
        plugin: "test".parse().unwrap(),
        digest: Digest::from_bytes([1; 32]),
        action: action.parse().unwrap(),
        input: Payload::Inline(input.to_owned()),
        rights: CallRights::default(),
        lease_ms: 30_000,
    }))
}

async fn connect(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| async move {
        // A runner that goes away during the handshake is none of the test's business.
        if let Some(peer) = shake_hands(socket, &shared).await {
            let _ = shared.peers.send(peer);
        }
    })
}

async fn shake_hands(mut socket: WebSocket, shared: &Shared) -> Option<Peer> {
    let challenge = Challenge {
        controller: shared.name.to_owned(),
        nonce: ByteBuf::from(getrandom::u64().unwrap().to_be_bytes().repeat(4)),
    };
    let mut message = Vec::new();
    encode(&mut message, &ToRunner::Challenge(challenge.clone())).unwrap();
    socket.send(Message::Binary(message.into())).await.ok()?;
    let Some(Ok(Message::Binary(bytes))) = socket.recv().await else {
        return None;
    };
    let mut frames: Vec<ToController> = decode(&bytes).ok()?;
    let Some(ToController::Hello(hello)) = frames.pop() else {
        return None;
    };
    let signed = hello_message(&challenge, &hello.runner, hello.pipe);
    let signature = Signature::from_slice(&hello.signature).unwrap();
    let key = *shared.key.lock().unwrap();
    key.verify(&signed, &signature)
        .expect("the hello is signed by the runner's key");
    if hello.pipe == Pipe::Control {
        let instead = shared.instead.lock().unwrap().take();
        if let Some(message) = instead {
            socket.send(Message::Binary(message.into())).await.ok()?;
            // Until the runner hangs up.
            while let Some(Ok(_)) = socket.recv().await {}
            return None;
        }
    }
    let mut message = Vec::new();
    let welcome = ToRunner::Welcome {
        session: SESSION.to_owned(),
        group: "here".parse().unwrap(),
        lease_ms: 30_000,
        heartbeat_ms: HEARTBEAT_MS,
        warnings: vec![],
    };
    encode(&mut message, &welcome).unwrap();
    socket.send(Message::Binary(message.into())).await.ok()?;
    let (socket, incoming) = socket.split();
    let (sender, frames) = mpsc::unbounded_channel();
    let wanted = Arc::new(Notify::new());
    if hello.pipe != Pipe::Logs {
        wanted.notify_one();
    }
    let begin = Arc::clone(&wanted);
    Some(Peer {
        hello: *hello,
        socket,
        frames,
        wanted,
        reader: tokio::spawn(async move {
            begin.notified().await;
            read(incoming, sender).await;
        }),
    })
}

fn authorised(headers: &HeaderMap) -> bool {
    let bearer = format!("Bearer {SESSION}");
    headers
        .get("authorization")
        .is_some_and(|value| *value == *bearer)
}

type Answer = Result<Vec<u8>, StatusCode>;

fn from_shelf(
    shared: &Shared,
    headers: &HeaderMap,
    find: impl FnOnce(&Shelf) -> Option<Vec<u8>>,
) -> Answer {
    if !authorised(headers) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    find(&shared.shelf.lock().unwrap()).ok_or(StatusCode::NOT_FOUND)
}

async fn bundle(
    State(shared): State<Shared>,
    UrlPath(digest): UrlPath<Digest>,
    headers: HeaderMap,
) -> Answer {
    from_shelf(&shared, &headers, |shelf| {
        shelf.bundles.get(&digest).cloned()
    })
}

async fn signature(
    State(shared): State<Shared>,
    UrlPath(digest): UrlPath<Digest>,
    headers: HeaderMap,
) -> Answer {
    from_shelf(&shared, &headers, |shelf| {
        shelf.signatures.get(&digest).cloned()
    })
}

async fn attestations(
    State(shared): State<Shared>,
    UrlPath(digest): UrlPath<Digest>,
    headers: HeaderMap,
) -> Answer {
    shared.shelf.lock().unwrap().asked_for_attestations += 1;
    from_shelf(&shared, &headers, |shelf| {
        shelf.attestations.get(&digest).cloned()
    })
}

async fn payload(
    State(shared): State<Shared>,
    UrlPath(digest): UrlPath<Digest>,
    headers: HeaderMap,
) -> Answer {
    from_shelf(&shared, &headers, |shelf| {
        shelf.payloads.get(&digest).cloned()
    })
}

async fn sealed(State(shared): State<Shared>, headers: HeaderMap) -> Answer {
    from_shelf(&shared, &headers, |shelf| shelf.sealed.clone())
}

async fn store(
    State(shared): State<Shared>,
    UrlPath(digest): UrlPath<Digest>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if !authorised(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    let mut shelf = shared.shelf.lock().unwrap();
    if shelf.no_uploads {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    if shelf.failing_uploads > 0 {
        shelf.failing_uploads -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    shelf.payloads.insert(digest, body.to_vec());
    StatusCode::CREATED
}

async fn enrol(
    State(shared): State<Shared>,
    axum::Json(ask): axum::Json<serde_json::Value>,
) -> Result<axum::Json<serde_json::Value>, (StatusCode, String)> {
    if ask["token"] != "whf_good" {
        let error = serde_json::json!({"error": {"code": "token", "message": "the token has expired: ask for a new one"}});
        return Err((StatusCode::UNAUTHORIZED, error.to_string()));
    }
    let key = base64::engine::general_purpose::STANDARD
        .decode(ask["public_key"].as_str().unwrap())
        .unwrap();
    let key = VerifyingKey::from_bytes(key.as_slice().try_into().unwrap()).unwrap();
    *shared.key.lock().unwrap() = key;
    Ok(axum::Json(serde_json::json!({
        "runner": "01JD8Z6J3KX9V4T0M5N7P2Q1RS",
        "group": "here",
        "controller": shared.name,
    })))
}
