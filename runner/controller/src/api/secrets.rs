//! Sealed secrets: put by operators, fetched by the runners that they are sealed to.
//!
//! The controller cannot open one. It keeps the bytes and their signature, and gives them out to the
//! runners of the group; what they prove is for runners to say.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wharf_policy::{Digest, ParseError, SecretName};
use wharf_protocol::GroupName;

use super::auth::{AtLeast, Operator, Reader, Session};
use super::error::ApiError;
use super::extract::{Body, Params, Segment, Segments};
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, blocking, millis};
use crate::driver::Command;
use crate::store::{Blobs, Shelf};

/// The most bytes of a request: a sealed secret in base64, and its signature.
const MAX_SEALED: usize = 2 << 20;

/// The most sealed secrets of all groups.
const MOST: usize = 1000;

pub(super) fn routes(routes: Routes) -> Routes {
    let put = Operation {
        verb: Verb::Put,
        path: "/v1/groups/{group}/secrets/{name}",
        id: "putSecret",
        summary: "Keep a sealed secret for a group, in place of an earlier one; `wharf secret put` seals it",
        needs: Needs::Operator,
        query: &[(
            "replaces",
            "What is kept now: the digest of its sealed bytes, or `none`. If it is something else than that and than what is put, nothing is done. If not said, it may be anything.",
        )],
        body: Some((JSON, Some("SealedSecret"))),
        limit: MAX_SEALED,
        answers: &[
            (204, "It is kept.", None),
            (404, "There is no such group.", Some((JSON, Some("Error")))),
            (
                409,
                "Something else is kept than `replaces` says, or there is no room for more.",
                Some((JSON, Some("Error"))),
            ),
        ],
    };
    let get = Operation {
        verb: Verb::Get,
        id: "getSecret",
        summary: "A sealed secret as it is kept",
        needs: Needs::Reader,
        query: &[],
        body: None,
        limit: SMALL,
        answers: &[
            (
                200,
                "The sealed secret.",
                Some((JSON, Some("SealedSecret"))),
            ),
            (404, "There is none.", Some((JSON, Some("Error")))),
        ],
        ..put.clone()
    };
    let remove = Operation {
        verb: Verb::Delete,
        id: "removeSecret",
        summary: "Forget a sealed secret",
        needs: Needs::Operator,
        answers: &[
            (204, "It is no more.", None),
            (404, "There is none.", Some((JSON, Some("Error")))),
        ],
        ..get.clone()
    };
    let list = Operation {
        path: "/v1/groups/{group}/secrets",
        id: "listSecrets",
        summary: "The names of a group's sealed secrets",
        answers: &[(200, "The names.", Some((JSON, Some("SealedSecrets"))))],
        ..get.clone()
    };
    let fetch = Operation {
        path: "/v1/runner/secrets/{name}",
        id: "fetchSecret",
        summary: "A sealed secret of the runner's own group",
        needs: Needs::Session,
        ..get.clone()
    };
    routes
        .add(put, put_secret)
        .add(get, get_secret)
        .add(remove, delete_secret)
        .add(list, list_secrets)
        .add(fetch, fetch_secret)
}

/// What is put and given out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    /// The sealed bytes, in base64.
    sealed: String,
    /// The Sigstore bundle that signs them.
    signature: Box<RawValue>,
}

/// What is kept: the same, and where it belongs.
#[derive(Serialize, Deserialize)]
struct Kept {
    group: GroupName,
    name: SecretName,
    put_us: u64,
    sealed: String,
    signature: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    replaces: Option<Replaces>,
}

/// What must be kept for another to take its place.
#[derive(Deserialize)]
#[serde(try_from = "String")]
enum Replaces {
    Nothing,
    /// The sealed secret whose bytes have this digest.
    This(Digest),
}

impl TryFrom<String> for Replaces {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        match text.as_str() {
            "none" => Ok(Self::Nothing),
            digest => digest.parse().map(Self::This),
        }
    }
}

impl Replaces {
    fn is(&self, kept: Option<&Kept>) -> bool {
        match (self, kept) {
            (Self::Nothing, None) => true,
            (Self::This(digest), Some(kept)) => {
                let sealed = STANDARD.decode(&kept.sealed).unwrap_or_default();
                wharf_bundle::digest(&sealed) == *digest
            }
            _ => false,
        }
    }
}

/// The place of a secret: nothing but the two names decides it.
fn place(group: &GroupName, name: &SecretName) -> Digest {
    wharf_bundle::digest(format!("{group}\n{name}").as_bytes())
}

async fn put_secret(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Segments((group, name)): Segments<(GroupName, SecretName)>,
    Params(Condition { replaces }): Params<Condition>,
    Body(new): Body<Sealed>,
) -> Result<StatusCode, ApiError> {
    let groups = app.handle.ask(|reply| Command::Groups { reply }).await?;
    if !groups.iter().any(|(known, _)| known.name == group) {
        return Err(ApiError::not_found(
            "no-such-group",
            format!("there is no group `{group}`: make it with `wharf group create {group}`"),
        ));
    }
    if STANDARD.decode(&new.sealed).is_err() {
        return Err(ApiError::bad_request("bad-body", "`sealed` is not base64"));
    }
    let kept = Kept {
        put_us: app.clock.now(),
        sealed: new.sealed,
        signature: new.signature,
        group,
        name,
    };
    let (group, name) = (kept.group.clone(), kept.name.clone());
    let turn = Arc::clone(&app.putting).lock_owned().await;
    let blobs = app.blobs.clone();
    blocking(move || {
        // Held to the end of this, whether or not anyone waits for it.
        let _turn = turn;
        let place = place(&kept.group, &kept.name);
        if let Some(replaces) = replaces {
            let there = at(&blobs, &place)?;
            let same = |there: &Kept| {
                there.sealed == kept.sealed && there.signature.get() == kept.signature.get()
            };
            if there.as_ref().is_some_and(same) {
                // Asked again, because the answer did not arrive.
                return Ok(());
            }
            if !replaces.is(there.as_ref()) {
                return Err(ApiError::conflict(
                    "another-is-kept",
                    format!(
                        "somebody else has put or removed `{}` in the meantime: agree whose value counts, and put that one again",
                        kept.name
                    ),
                ));
            }
        }
        let there = blobs.list(Shelf::Sealed)?;
        if there.len() >= MOST && !there.contains(&place) {
            return Err(ApiError::conflict(
                "too-many",
                format!("there are {MOST} sealed secrets, which is the limit: remove some"),
            ));
        }
        let bytes = serde_json::to_vec(&kept).map_err(ApiError::internal)?;
        Ok(blobs.put(Shelf::Sealed, &place, &bytes)?)
    })
    .await?;
    tracing::info!(%group, %name, "a sealed secret is kept");
    Ok(StatusCode::NO_CONTENT)
}

async fn get_secret(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Segments((group, name)): Segments<(GroupName, SecretName)>,
) -> Result<Response, ApiError> {
    sealed(&app, group, name).await
}

async fn fetch_secret(
    Session(runner): Session,
    State(app): State<Arc<App>>,
    Segment(name): Segment<SecretName>,
) -> Result<Response, ApiError> {
    let runner = app.directory.runner(&runner).ok_or_else(|| {
        ApiError::not_found("no-such-runner", "this runner was taken out of its group")
    })?;
    sealed(&app, runner.group, name).await
}

async fn sealed(app: &App, group: GroupName, name: SecretName) -> Result<Response, ApiError> {
    let blobs = app.blobs.clone();
    let place = place(&group, &name);
    let kept = blocking(move || at(&blobs, &place)).await?;
    let kept = kept.ok_or_else(|| missing(&group, &name))?;
    let answer = json!({ "sealed": kept.sealed, "signature": kept.signature });
    Ok(([(header::CONTENT_TYPE, JSON)], answer.to_string()).into_response())
}

async fn delete_secret(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Segments((group, name)): Segments<(GroupName, SecretName)>,
) -> Result<StatusCode, ApiError> {
    let blobs = app.blobs.clone();
    let place = place(&group, &name);
    let turn = Arc::clone(&app.putting).lock_owned().await;
    let removed = blocking(move || {
        let _turn = turn;
        blobs.remove(Shelf::Sealed, &place)
    });
    if !removed.await? {
        return Err(missing(&group, &name));
    }
    tracing::info!(%group, %name, "a sealed secret is removed");
    Ok(StatusCode::NO_CONTENT)
}

async fn list_secrets(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Segment(group): Segment<GroupName>,
) -> Result<Json<Value>, ApiError> {
    let blobs = app.blobs.clone();
    let mut secrets = blocking(move || {
        let mut found = Vec::new();
        for place in blobs.list(Shelf::Sealed)? {
            // One that has just been removed is not there any more.
            let Some(kept) = at(&blobs, &place)? else {
                continue;
            };
            if kept.group == group {
                // Not the secret: a thousand of them are much.
                found.push((kept.name, kept.put_us));
            }
        }
        Ok::<_, ApiError>(found)
    })
    .await?;
    secrets.sort();
    let secrets: Vec<_> = secrets
        .iter()
        .map(|(name, put_us)| json!({ "name": name, "put_ms": millis(*put_us) }))
        .collect();
    Ok(Json(json!({ "secrets": secrets })))
}

/// What is kept at a place.
fn at(blobs: &Blobs, place: &Digest) -> Result<Option<Kept>, ApiError> {
    let bytes = blobs.get(Shelf::Sealed, place)?;
    bytes
        .map(|bytes| serde_json::from_slice(&bytes).map_err(ApiError::internal))
        .transpose()
}

fn missing(group: &GroupName, name: &SecretName) -> ApiError {
    ApiError::not_found(
        "no-such-secret",
        format!(
            "group `{group}` has no sealed secret `{name}`: put it there with `wharf secret put`"
        ),
    )
}
