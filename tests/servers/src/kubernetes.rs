//! The part of a Kubernetes API server that gives out secrets, from memory. No real API server, nor the
//! etcd that it needs, can be had from the package registries, so this answers as its documentation says.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::fake::{Answer, Fake};
use crate::gcp::IN_ERRORS;

/// The token that it takes.
const TOKEN: &str = "of-the-runner";

/// A fake that answers over plain HTTP on loopback.
pub struct Kubernetes(Fake);

impl Kubernetes {
    /// Starts one without secrets.
    pub async fn start() -> Self {
        Self(Fake::start(guard, status(404)).await)
    }

    /// Keeps a secret with one key; `place` is `NAMESPACE/NAME`.
    pub fn put(&self, place: &str, key: &str, value: &[u8]) {
        let (namespace, name) = place.split_once('/').unwrap();
        let body = json!({
            "kind": "Secret", "apiVersion": "v1",
            "metadata": { "name": name, "namespace": namespace },
            "data": { key: STANDARD.encode(value) },
        });
        self.answer(place, Answer::Text(200, body.to_string()));
    }

    /// Refuses to give one out.
    pub fn refuse(&self, place: &str, code: u16) {
        self.answer(place, status(code));
    }

    /// Sends whoever asks for one to another server.
    pub fn redirect(&self, place: &str, status: u16, to: &Self) {
        let to = format!("{}{}", to.0.url(), path(place));
        self.answer(place, Answer::Redirect(status, to));
    }

    /// How many requests there were.
    pub fn asked(&self) -> usize {
        self.0.asked()
    }

    /// Begins to answer and never ends.
    pub fn never_end(&self, place: &str) {
        self.answer(place, Answer::Endless(r#"{"data": {"token": ""#));
    }

    /// The configuration file of somebody whom it lets in.
    pub fn kubeconfig(&self) -> Value {
        self.kubeconfig_of(TOKEN)
    }

    /// The configuration file of somebody with this token.
    pub fn kubeconfig_of(&self, token: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": self.0.url() } }],
            "users": [{ "name": "runner", "user": { "token": token } }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "runner" } }],
        })
    }

    fn answer(&self, place: &str, answer: Answer) {
        self.0.answer(path(place), answer);
    }
}

fn path(place: &str) -> String {
    let (namespace, name) = place.split_once('/').unwrap();
    format!("/api/v1/namespaces/{namespace}/secrets/{name}")
}

fn status(code: u16) -> Answer {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": IN_ERRORS, "reason": "Test", "code": code,
    });
    Answer::Text(code, body.to_string())
}

fn guard(_: &str, headers: &HeaderMap) -> Option<Answer> {
    let known = headers
        .get("authorization")
        .is_some_and(|value| *value == *format!("Bearer {TOKEN}"));
    (!known).then(|| status(401))
}
