//! HTTP for people and programs, and the few things that runners fetch. One module per resource.
//!
//! Handlers check, ask the driver or the history, and spell the answer. They hold no state and
//! decide nothing about executions.

mod auth;
mod bundles;
mod dead_letters;
mod document;
mod enrol;
mod error;
mod executions;
mod extract;
mod groups;
mod health;
mod logs;
mod payloads;
mod plugins;
mod routes;
mod runners;
mod secrets;
mod submit;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::directory::Directory;
use crate::driver::Handle;
use crate::link::LinkContext;
use crate::logs::{Hub, LogReader};
use crate::store::{Blobs, History};

use error::ApiError;
use routes::Routes;

/// What handlers work with.
pub(crate) struct App {
    pub(crate) handle: Handle,
    pub(crate) directory: Arc<Directory>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) blobs: Blobs,
    /// Whose turn it is to change the sealed secrets: two must not look at what is there and then both
    /// replace it.
    pub(crate) putting: Arc<tokio::sync::Mutex<()>>,
    pub(crate) logs: Arc<LogReader>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Clock,
    pub(crate) links: Arc<LinkContext>,
    /// The OpenAPI document, spelled once.
    pub(crate) document: String,
    /// Cancelled when the controller shuts down: whoever waits is answered, streams end.
    pub(crate) closing: CancellationToken,
}

/// The routes and the document about them.
pub(crate) fn routes() -> (Router<Arc<App>>, Value) {
    // It is part of this binary; a test reads it.
    let schemas = serde_json::from_str(include_str!("schemas.json")).unwrap_or_default();
    let routes = [
        health::routes,
        groups::routes,
        tokens::routes,
        enrol::routes,
        runners::routes,
        secrets::routes,
        bundles::routes,
        plugins::routes,
        submit::routes,
        executions::routes,
        logs::routes,
        dead_letters::routes,
        payloads::routes,
    ]
    .into_iter()
    .fold(Routes::default(), |routes, add: fn(Routes) -> Routes| {
        add(routes)
    });
    let (router, document) = routes.finish(schemas);
    let router = router
        .fallback(|| async {
            ApiError::not_found(
                "no-such-path",
                "there is nothing at this path; GET /openapi.json lists what there is",
            )
        })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "no-such-method",
                "this path has no such method; GET /openapi.json lists what there is",
            )
        });
    (router, document)
}

/// Runs something that blocks away from the threads that serve.
async fn blocking<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(ApiError::internal)?
        .map_err(Into::into)
}

/// Microseconds as the API has them.
fn millis(micros: u64) -> u64 {
    micros / 1000
}

#[cfg(test)]
mod tests;
