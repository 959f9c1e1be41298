//! How a runner becomes one of a group, and how it connects.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use serde::Deserialize;
use serde_json::{Value, json};
use ulid::Ulid;
use wharf_protocol::{MAX_MESSAGE, RunnerId};

use super::App;
use super::error::ApiError;
use super::extract::Body;
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use crate::core::EnrolRefusal;
use crate::driver::Command;
use crate::link;
use crate::model::{RunnerRecord, TokenKind};
use crate::secret;

pub(super) fn routes(routes: Routes) -> Routes {
    let enrol = Operation {
        verb: Verb::Post,
        path: "/v1/runners/enrol",
        id: "enrolRunner",
        summary: "Become a runner of the token's group; the token is in the body",
        needs: Needs::Nothing,
        query: &[],
        body: Some((JSON, Some("Enrolment"))),
        limit: SMALL,
        answers: &[(201, "It is a runner now.", Some((JSON, Some("Enrolled"))))],
    };
    let connect = Operation {
        verb: Verb::Get,
        path: "/v1/runner/connect",
        id: "connectRunner",
        summary: "A WebSocket of binary messages with the frames of wharf-protocol; the runner proves who it is in the first one",
        body: None,
        answers: &[(101, "The WebSocket is open.", None)],
        ..enrol.clone()
    };
    routes.add(enrol, post_enrol).add(connect, get_connect)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolment {
    token: String,
    public_key: String,
    host: String,
    platform: String,
    version: String,
}

async fn post_enrol(
    State(app): State<Arc<App>>,
    Body(new): Body<Enrolment>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let now = app.clock.now();
    let token = secret::hash_token(&new.token).and_then(|hash| app.directory.token(&hash, now));
    let Some(TokenKind::Enrolment(group)) = token.map(|token| token.kind) else {
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "this is no enrolment token, or it has expired: make one with `wharf token create`",
        ));
    };
    for (what, text, most) in [
        ("host", &new.host, 255),
        ("platform", &new.platform, 64),
        ("version", &new.version, 64),
    ] {
        if text.is_empty() || text.len() > most {
            return Err(ApiError::bad_request(
                "bad-body",
                format!("{what} must have from 1 to {most} bytes"),
            ));
        }
    }
    let public_key = key(&new.public_key).ok_or_else(|| {
        ApiError::bad_request(
            "bad-key",
            "public_key must be a sound Ed25519 key: 32 bytes in base64",
        )
    })?;
    let record = RunnerRecord {
        id: RunnerId::from_ulid(Ulid::generate()),
        group: group.clone(),
        public_key,
        boot: None,
        host: new.host,
        platform: new.platform,
        version: new.version,
        enrolled: now,
        last_seen: now,
    };
    let runner = app
        .handle
        .ask(|reply| Command::Enrol { record, reply })
        .await?
        .map_err(|refusal| match refusal {
            EnrolRefusal::NoGroup => {
                ApiError::not_found("no-such-group", format!("there is no group `{group}` any more"))
            }
            EnrolRefusal::KeyTaken => ApiError::conflict(
                "key-taken",
                "a runner of another group has this key: make a new key for this one",
            ),
            EnrolRefusal::TooMany(limit) => ApiError::conflict(
                "too-many",
                format!("there are {limit} runners, which is the limit: remove some with DELETE /v1/runners/ID"),
            ),
        })?;
    tracing::info!(%runner, %group, "a runner has enrolled");
    let answer = json!({
        "runner": runner,
        "group": group,
        "controller": app.handle.controller(),
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn key(text: &str) -> Option<[u8; 32]> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    let key = VerifyingKey::from_bytes(&bytes).ok()?;
    (!key.is_weak()).then_some(bytes)
}

async fn get_connect(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    let links = Arc::clone(&app.links);
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| {
            let open = links.open.clone();
            open.track_future(link::serve(socket, links))
        })
}
