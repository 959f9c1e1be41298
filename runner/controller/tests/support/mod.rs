//! A real controller on a free port, and a runner that is only a socket and a key.
// Each test file uses its own part of it; what is wrong here fails a test, as it should.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, Response};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use ulid::Ulid;
use wharf_controller::{Config, Controller, Running};
use wharf_policy::Digest;
use wharf_protocol::{
    Assignment, AttemptKey, BootId, Challenge, Hello, PROTOCOL, Payload, Pipe, RunnerId, Timings,
    ToController, ToRunner, Usage, Verdict, decode, encode, hello_message,
};

/// Long enough for a machine that is busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct House {
    pub running: Running,
    pub data: TempDir,
    pub http: reqwest::Client,
}

pub fn config(data: &Path) -> Config {
    Config {
        // Longer than any test is busy elsewhere while its runners say nothing.
        lease: Duration::from_secs(60),
        heartbeat: Duration::from_secs(1),
        ..Config::new(data.join("controller"), "127.0.0.1:0".parse().unwrap())
    }
}

impl House {
    /// A controller with the group `edge` and the plugin `shop/orders`.
    pub async fn furnished() -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = config(data.path());
        Self::furnished_with(data, config).await
    }

    /// The same, and a runner that says nothing for three seconds is given up.
    pub async fn impatient() -> Self {
        let data = tempfile::tempdir().unwrap();
        let lease = Duration::from_secs(3);
        let config = Config {
            lease,
            ..config(data.path())
        };
        Self::furnished_with(data, config).await
    }

    async fn furnished_with(data: TempDir, config: Config) -> Self {
        let house = Self::start(data, config).await;
        let (status, _) = house.post("/v1/groups", json!({"name": "edge"})).await;
        assert_eq!(status, 201);
        house.publish(&bundle("1.0.0")).await;
        house
    }

    pub async fn empty() -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = config(data.path());
        Self::start(data, config).await
    }

    async fn start(data: TempDir, config: Config) -> Self {
        let running = Controller::start(config).await.unwrap();
        Self {
            running,
            data,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// Drops the controller without a word, and starts another on the same folder.
    pub async fn crash(self) -> Self {
        let Self {
            running,
            data,
            http,
        } = self;
        drop(running);
        let running = loop {
            match Controller::start(config(data.path())).await {
                Ok(running) => break running,
                Err(error) => {
                    assert!(error.to_string().contains("in use"), "{error}");
                    tokio::task::yield_now().await;
                }
            }
        };
        Self {
            running,
            data,
            http,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.running.addr())
    }

    pub async fn call(&self, method: Method, path: &str, token: &str, body: Vec<u8>) -> Response {
        self.http
            .request(method, self.url(path))
            .bearer_auth(token)
            .body(body)
            .send()
            .await
            .unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let token = self.running.admin_token();
        let body = body.to_string().into_bytes();
        parts(self.call(Method::POST, path, token, body).await).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let token = self.running.admin_token();
        parts(self.call(Method::GET, path, token, Vec::new()).await).await
    }

    pub async fn put(&self, path: &str, body: &[u8]) -> (u16, Value) {
        let token = self.running.admin_token();
        parts(self.call(Method::PUT, path, token, body.to_vec()).await).await
    }

    pub async fn publish(&self, bytes: &[u8]) -> Digest {
        let digest = wharf_bundle::digest(bytes);
        let (status, answer) = self.put(&format!("/v1/bundles/{digest}"), bytes).await;
        assert_eq!(status, 201, "{answer}");
        digest
    }

    pub async fn submit(&self, action: &str, input: Value) -> Value {
        let body =
            json!({"group": "edge", "plugin": "shop/orders", "action": action, "input": input});
        let (status, answer) = self.post("/v1/executions", body).await;
        assert_eq!(status, 201, "{answer}");
        answer
    }

    pub async fn token(&self, body: Value) -> String {
        let (status, answer) = self.post("/v1/tokens", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["token"].as_str().unwrap().to_owned()
    }

    pub async fn enrol(&self) -> Identity {
        let token = self
            .token(json!({"kind": "enrolment", "group": "edge"}))
            .await;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let key = SigningKey::from_bytes(&seed);
        let body = json!({
            "token": token,
            "public_key": STANDARD.encode(key.verifying_key().as_bytes()),
            "host": "fake", "platform": "linux/x86_64", "version": env!("CARGO_PKG_VERSION"),
        });
        let (status, answer) = self.post("/v1/runners/enrol", body).await;
        assert_eq!(status, 201, "{answer}");
        assert_eq!(answer["group"], "edge");
        Identity {
            id: answer["runner"].as_str().unwrap().parse().unwrap(),
            key,
            boot: BootId::from_ulid(Ulid::from_parts(1, 0)),
        }
    }

    /// A runner that is connected and has room for so many.
    pub async fn runner(&self, credits: u32) -> FakeRunner {
        let identity = self.enrol().await;
        let mut runner = self.connect(&identity, Pipe::Control, &[], &[]).await;
        if credits > 0 {
            runner.send(&[ToController::Credit { add: credits }]).await;
        }
        runner
    }

    pub async fn connect(
        &self,
        identity: &Identity,
        pipe: Pipe,
        running: &[AttemptKey],
        journaled: &[AttemptKey],
    ) -> FakeRunner {
        let mut runner = self.knock().await;
        let hello = Hello {
            running: running.to_vec(),
            journaled: journaled.to_vec(),
            ..identity.hello(&runner.challenge, pipe)
        };
        runner.send(&[ToController::Hello(Box::new(hello))]).await;
        match runner.next().await {
            ToRunner::Welcome { session, .. } => runner.session = session,
            other => panic!("{other:?} is no welcome"),
        }
        runner
    }

    /// A connection that has got its challenge.
    pub async fn knock(&self) -> FakeRunner {
        let url = format!("ws://{}/v1/runner/connect", self.running.addr());
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut runner = FakeRunner {
            socket,
            ready: Vec::new(),
            challenge: Challenge {
                controller: String::new(),
                nonce: ByteBuf::new(),
            },
            session: String::new(),
        };
        match runner.next().await {
            ToRunner::Challenge(challenge) => runner.challenge = challenge,
            other => panic!("{other:?} is no challenge"),
        }
        runner
    }
}

pub async fn parts(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

pub struct Identity {
    pub id: RunnerId,
    /// Which process it is.
    pub boot: BootId,
    pub key: SigningKey,
}

impl Identity {
    /// The same runner, started again.
    pub fn restarted(self) -> Self {
        let boot = BootId::from_ulid(Ulid::from_parts(2, 0));
        Self { boot, ..self }
    }

    pub fn hello(&self, challenge: &Challenge, pipe: Pipe) -> Hello {
        let message = hello_message(challenge, &self.id, pipe);
        Hello {
            protocol: PROTOCOL,
            runner: self.id,
            boot: self.boot,
            pipe,
            signature: ByteBuf::from(self.key.sign(&message).to_bytes()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            platform: "linux/x86_64".to_owned(),
            host: "fake".to_owned(),
            plugins: Vec::new(),
            running: Vec::new(),
            journaled: Vec::new(),
        }
    }
}

pub struct FakeRunner {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    ready: Vec<ToRunner>,
    pub challenge: Challenge,
    pub session: String,
}

impl FakeRunner {
    pub async fn send(&mut self, frames: &[ToController]) {
        let mut message = Vec::new();
        for frame in frames {
            encode(&mut message, frame).unwrap();
        }
        self.send_raw(message).await;
    }

    pub async fn send_raw(&mut self, message: Vec<u8>) {
        // The other side may have hung up already, having said why.
        let _ = self.socket.send(Message::Binary(message.into())).await;
    }

    /// The next frame; none when the connection has ended.
    pub async fn try_next(&mut self) -> Option<ToRunner> {
        while self.ready.is_empty() {
            let message = tokio::time::timeout(PATIENCE, self.socket.next())
                .await
                .unwrap();
            match message {
                Some(Ok(Message::Binary(bytes))) => {
                    self.ready = decode::<ToRunner>(&bytes).unwrap();
                    self.ready.reverse();
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
        self.ready.pop()
    }

    /// A frame that has come already.
    pub fn ready_frame(&mut self) -> Option<ToRunner> {
        self.ready.pop()
    }

    pub async fn next(&mut self) -> ToRunner {
        self.try_next().await.expect("the connection has ended")
    }

    /// The next assignment; acknowledgements on the way are passed over.
    pub async fn assignment(&mut self) -> Assignment {
        loop {
            match self.next().await {
                ToRunner::Assign(assignment) => return *assignment,
                ToRunner::ResultAck { .. } => {}
                other => panic!("{other:?} is no assignment"),
            }
        }
    }

    /// The reason with which the connection is ended, and whether to come again.
    pub async fn goodbye(&mut self) -> (String, bool) {
        loop {
            match self.try_next().await {
                Some(ToRunner::Goodbye { reason, retry }) => return (reason, retry),
                Some(_) => {}
                None => panic!("the connection ended without a goodbye"),
            }
        }
    }

    pub async fn finish(&mut self, key: AttemptKey, verdict: Verdict) {
        self.send(&[result(key, verdict)]).await;
    }
}

pub fn result(key: AttemptKey, verdict: Verdict) -> ToController {
    ToController::Result {
        key,
        verdict,
        usage: Usage::default(),
        timings: Timings {
            prepare_us: 1_000,
            run_us: 2_500,
        },
    }
}

pub fn done(output: &str) -> Verdict {
    Verdict::Done {
        output: Payload::Inline(output.to_owned()),
    }
}

/// A component that has nothing but a manifest: `find` may be repeated, `pay` may not.
pub fn bundle(version: &str) -> Vec<u8> {
    let action = |idempotent: bool| {
        json!({
            "description": "d", "idempotent": idempotent,
            "input-schema": {
                "type": "object",
                "properties": {"id": {"type": "integer"}},
                "required": ["id"],
            },
            "output-schema": true,
        })
    };
    let manifest = json!({
        "format": 1, "name": "shop/orders", "version": version, "description": "Orders.",
        "actions": {"find": action(true), "pay": action(false)},
    })
    .to_string();
    let name = b"wharf:manifest";
    let mut section = vec![u8::try_from(name.len()).unwrap()];
    section.extend_from_slice(name);
    section.extend_from_slice(manifest.as_bytes());
    let mut bytes = b"\0asm\x0d\0\x01\0\0".to_vec();
    let mut size = section.len();
    while size >= 0x80 {
        bytes.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    bytes.push(size as u8);
    bytes.extend(section);
    bytes
}
