//! Google Cloud Secret Manager and the metadata server in one. There is no server of Google's to be had,
//! so this answers as its documentation says, from memory.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::fake::{Answer, Fake};

/// What the metadata server gives as the machine's token.
const TOKEN: &str = "token-of-the-machine";
/// What stands in the words of every error, which nobody may repeat.
pub const IN_ERRORS: &str = "hunter2hunter2";

/// A fake that answers over plain HTTP on loopback, as `endpoint` and as `metadata`.
pub struct Gcp(Fake);

impl Gcp {
    /// Starts one without secrets.
    pub async fn start() -> Self {
        Self(Fake::start(guard, error(404, "NOT_FOUND")).await)
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Keeps a value: `version` is `projects/P/secrets/NAME/versions/V`.
    pub fn put(&self, version: &str, value: &[u8]) {
        let body = json!({ "name": version, "payload": { "data": STANDARD.encode(value) } });
        self.answer(version, Answer::Text(200, body.to_string()));
    }

    /// Refuses to give one out.
    pub fn refuse(&self, version: &str, code: u16, status: &str) {
        self.answer(version, error(code, status));
    }

    /// Begins to answer and never ends.
    pub fn never_end(&self, version: &str) {
        self.answer(version, Answer::Endless(r#"{"payload": {"data": ""#));
    }

    fn answer(&self, version: &str, answer: Answer) {
        self.0.answer(format!("/v1/{version}:access"), answer);
    }
}

fn error(code: u16, status: &str) -> Answer {
    let body = json!({ "error": { "code": code, "status": status, "message": IN_ERRORS } });
    Answer::Text(code, body.to_string())
}

/// Gives the machine its token. Tokens that a service account signed are taken by their looks.
fn guard(path: &str, headers: &HeaderMap) -> Option<Answer> {
    if path.ends_with("/service-accounts/default/token") {
        let token = json!({ "access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer" });
        return Some(match headers.contains_key("metadata-flavor") {
            true => Answer::Text(200, token.to_string()),
            false => Answer::Text(403, String::new()),
        });
    }
    let known = headers
        .get("authorization")
        .and_then(|value| value.to_str().unwrap().strip_prefix("Bearer "))
        .is_some_and(|token| token == TOKEN || token.split('.').count() == 3);
    (!known).then(|| error(401, "UNAUTHENTICATED"))
}
