//! Who asks, and whether that is enough. A handler states what it needs in its arguments; one that
//! states nothing is open, and there are three of those: health, the API document, enrolment.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use wharf_protocol::RunnerId;

use super::App;
use super::error::ApiError;
use crate::model::{Role, TokenHash, TokenKind};
use crate::secret::hash_token;

/// A role as a type.
pub(crate) trait Rank {
    /// The role.
    const ROLE: Role;
}

macro_rules! ranks {
    ($($name:ident)*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;
        impl Rank for $name {
            const ROLE: Role = Role::$name;
        }
    )*};
}
ranks!(Reader Operator Admin);

/// Proof that the caller has at least this role.
#[derive(Debug)]
pub(crate) struct AtLeast<R>(PhantomData<R>);

impl<R: Rank> FromRequestParts<Arc<App>> for AtLeast<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        require(app, &bearer(parts)?, R::ROLE)?;
        Ok(Self(PhantomData))
    }
}

/// Proof that the caller is a runner that is connected.
#[derive(Debug)]
pub(crate) struct Session(pub(crate) RunnerId);

impl FromRequestParts<Arc<App>> for Session {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        app.directory
            .session(&bearer(parts)?)
            .map(Self)
            .ok_or_else(unauthorized)
    }
}

/// Proof that the caller may read what runners and people both may: a session, or any role.
#[derive(Debug)]
pub(crate) struct Fetcher;

impl FromRequestParts<Arc<App>> for Fetcher {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let hash = bearer(parts)?;
        if app.directory.session(&hash).is_none() {
            require(app, &hash, Role::Reader)?;
        }
        Ok(Self)
    }
}

fn require(app: &App, hash: &TokenHash, least: Role) -> Result<(), ApiError> {
    let token = app
        .directory
        .token(hash, app.clock.now())
        .ok_or_else(unauthorized)?;
    match token.kind {
        TokenKind::Api(role) if role >= least => Ok(()),
        TokenKind::Api(role) => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            format!(
                "this needs the role {least}, the token has the role {role}: use another token"
            ),
        )),
        TokenKind::Enrolment(_) => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "this is an enrolment token, good only for POST /v1/runners/enrol: use an API token",
        )),
    }
}

fn bearer(parts: &Parts) -> Result<TokenHash, ApiError> {
    parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(|token| hash_token(token.trim()))
        .ok_or_else(unauthorized)
}

fn unauthorized() -> ApiError {
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "send `Authorization: Bearer TOKEN` with a token that is known and has not expired; `wharf token create` makes one",
    )
}
