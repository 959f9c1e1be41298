//! A small HTTP service on loopback that stands for an internal API: it wants a bearer token, and
//! believes only webhooks that are signed.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::bundles::random_hex;
use crate::exit::{Context, Exit, Result};

/// What the operator knows and no plugin ever sees.
pub(super) struct Secrets {
    pub(super) token: String,
    pub(super) webhook_key: String,
}

/// The running service.
pub(super) struct InternalApi {
    pub(super) secrets: Arc<Secrets>,
    address: SocketAddr,
}

impl InternalApi {
    pub(super) async fn start() -> Result<Self> {
        let secrets = Arc::new(Secrets {
            token: format!("demo-token-{}", random_hex()?),
            webhook_key: format!("demo-webhook-{}", random_hex()?),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .or_exit(Exit::Usage, "no free port on loopback")?;
        let address = listener
            .local_addr()
            .or_exit(Exit::Usage, "no free port on loopback")?;
        let app = Router::new()
            .route("/v1/incidents", get(incidents))
            .route("/hooks/deploy", post(hook))
            .with_state(Arc::clone(&secrets));
        // It ends with the process.
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { secrets, address })
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }
}

async fn incidents(
    State(secrets): State<Arc<Secrets>>,
    headers: HeaderMap,
) -> (StatusCode, Json<Value>) {
    let expected = format!("Bearer {}", secrets.token);
    if headers
        .get("authorization")
        .is_none_or(|given| given.as_bytes() != expected.as_bytes())
    {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "a bearer token is wanted" })),
        );
    }
    let incidents = json!([
        { "id": 4711, "severity": "critical", "title": "checkout answers 503", "open": true },
        { "id": 4712, "severity": "minor", "title": "a dashboard is slow", "open": true },
        { "id": 4713, "severity": "critical", "title": "queue depth over limit", "open": false },
    ]);
    (StatusCode::OK, Json(json!({ "incidents": incidents })))
}

async fn hook(
    State(secrets): State<Arc<Secrets>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let signature = headers
        .get("x-wharf-signature")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("sha256="))
        .and_then(|digits| hex::decode(digits).ok());
    let believed = Hmac::<Sha256>::new_from_slice(secrets.webhook_key.as_bytes())
        .ok()
        .zip(signature)
        .is_some_and(|(mac, signature)| mac.chain_update(&body).verify_slice(&signature).is_ok());
    if believed {
        (StatusCode::OK, Json(json!({ "received": true })))
    } else {
        (
            StatusCode::UNAUTHORIZED,
            Json(json!({ "error": "the signature is wrong" })),
        )
    }
}
