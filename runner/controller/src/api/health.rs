//! Whether it works, and what it offers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::App;
use super::error::ApiError;
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use crate::driver::Command;

pub(super) fn routes(routes: Routes) -> Routes {
    let health = Operation {
        verb: Verb::Get,
        path: "/healthz",
        id: "health",
        summary: "Whether work can be accepted: the store can write",
        needs: Needs::Nothing,
        query: &[],
        body: None,
        limit: SMALL,
        answers: &[
            (200, "It can.", Some((JSON, Some("Health")))),
            (
                503,
                "It cannot; the message says why.",
                Some((JSON, Some("Error"))),
            ),
        ],
    };
    let document = Operation {
        path: "/openapi.json",
        id: "openapi",
        summary: "This document",
        answers: &[(200, "OpenAPI 3.1.", Some((JSON, None)))],
        ..health.clone()
    };
    routes.add(health, get_health).add(document, get_document)
}

async fn get_health(State(app): State<Arc<App>>) -> Result<axum::Json<Value>, ApiError> {
    let asked = app.handle.ask(|reply| Command::Probe { reply });
    // A store that hangs is no better than one that fails.
    tokio::time::timeout(Duration::from_secs(5), asked)
        .await
        .map_err(|_| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "the store has not answered for five seconds; look at the disk",
            )
        })??;
    Ok(axum::Json(json!({
        "status": "ok",
        "controller": app.handle.controller(),
        "version": env!("CARGO_PKG_VERSION"),
    })))
}

async fn get_document(State(app): State<Arc<App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, JSON)], app.document.clone())
}
