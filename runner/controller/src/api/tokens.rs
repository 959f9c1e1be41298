//! Making tokens. They are shown once; only their hashes are kept.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_protocol::GroupName;

use super::auth::{Admin, AtLeast};
use super::error::ApiError;
use super::extract::Body;
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, millis};
use crate::driver::Command;
use crate::model::{Change, Role, TokenKind, TokenRecord};
use crate::secret;

/// How long an enrolment token is good if nothing is said, and at most, in seconds.
const ENROLMENT_TTL: u64 = 3_600;
const MAX_ENROLMENT_TTL: u64 = 7 * 86_400;

/// The longest that an API token which expires at all is good, in seconds.
const MAX_API_TTL: u64 = 10 * 365 * 86_400;

/// The most tokens.
const MAX_TOKENS: usize = 100_000;

pub(super) fn routes(routes: Routes) -> Routes {
    let create = Operation {
        verb: Verb::Post,
        path: "/v1/tokens",
        id: "createToken",
        summary: "Make a token, to enrol runners or to use this API",
        needs: Needs::Admin,
        query: &[],
        body: Some((JSON, Some("NewToken"))),
        limit: SMALL,
        answers: &[(
            201,
            "The token. It is not shown again.",
            Some((JSON, Some("Token"))),
        )],
    };
    let revoke = Operation {
        path: "/v1/tokens/revoke",
        id: "revokeToken",
        summary: "Make a token good for nothing from now on; what was done with it stays",
        body: Some((JSON, Some("Revocation"))),
        answers: &[
            (204, "It is no more.", None),
            (404, "There is no such token.", Some((JSON, Some("Error")))),
        ],
        ..create.clone()
    };
    routes.add(create, post_token).add(revoke, post_revoke)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    token: String,
}

async fn post_revoke(
    _: AtLeast<Admin>,
    State(app): State<Arc<App>>,
    Body(revocation): Body<Revocation>,
) -> Result<StatusCode, ApiError> {
    let hash = secret::hash_token(&revocation.token)
        .filter(|hash| app.directory.token(hash, app.clock.now()).is_some())
        .ok_or_else(|| {
            ApiError::not_found("no-such-token", "there is no such token, or it has expired")
        })?;
    let change = Change::TokenRemoved(hash);
    app.handle
        .ask(|reply| Command::Keep { change, reply })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum NewToken {
    Enrolment {
        group: GroupName,
        ttl_s: Option<u64>,
    },
    Api {
        role: Role,
        ttl_s: Option<u64>,
        #[serde(default)]
        note: String,
    },
}

async fn post_token(
    _: AtLeast<Admin>,
    State(app): State<Arc<App>>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    if app.directory.tokens() >= MAX_TOKENS {
        return Err(ApiError::conflict(
            "too-many",
            format!(
                "there are {MAX_TOKENS} tokens, which is the limit; expired ones go by themselves"
            ),
        ));
    }
    let (kind, ttl, note) = match new {
        NewToken::Enrolment { group, ttl_s } => {
            let groups = app.handle.ask(|reply| Command::Groups { reply }).await?;
            if !groups.iter().any(|(known, _)| known.name == group) {
                return Err(ApiError::not_found(
                    "no-such-group",
                    format!("there is no group `{group}`: make it with POST /v1/groups"),
                ));
            }
            let ttl = ttl_s.unwrap_or(ENROLMENT_TTL);
            limit(ttl, MAX_ENROLMENT_TTL)?;
            (TokenKind::Enrolment(group), Some(ttl), String::new())
        }
        NewToken::Api { role, ttl_s, note } => {
            ttl_s.map_or(Ok(()), |ttl| limit(ttl, MAX_API_TTL))?;
            if note.len() > 200 {
                return Err(ApiError::bad_request(
                    "bad-body",
                    "the note is longer than 200 bytes",
                ));
            }
            (TokenKind::Api(role), ttl_s, note)
        }
    };
    let token = secret::new_token()?;
    let hash =
        secret::hash_token(&token).ok_or_else(|| ApiError::internal("a new token has no hash"))?;
    let created = app.clock.now();
    let expires = ttl.map(|seconds| created + seconds * 1_000_000);
    let change = Change::TokenCreated(TokenRecord {
        hash,
        kind,
        expires,
        note,
        created,
    });
    app.handle
        .ask(|reply| Command::Keep { change, reply })
        .await?;
    let answer = json!({ "token": token, "expires_ms": expires.map(millis) });
    Ok((StatusCode::CREATED, Json(answer)))
}

fn limit(seconds: u64, most: u64) -> Result<(), ApiError> {
    if (1..=most).contains(&seconds) {
        Ok(())
    } else {
        Err(ApiError::bad_request(
            "bad-body",
            format!("ttl_s must be from 1 to {most}"),
        ))
    }
}
