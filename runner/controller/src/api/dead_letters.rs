//! Results that came too late: kept for people to look at.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{AtLeast, Reader};
use super::document::{Failure, raw_or_text};
use super::error::ApiError;
use super::extract::Params;
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, blocking, millis};
use crate::model::DeadLetter;
use wharf_protocol::{Payload, Verdict};

pub(super) fn routes(routes: Routes) -> Routes {
    let list = Operation {
        verb: Verb::Get,
        path: "/v1/dead-letters",
        id: "listDeadLetters",
        summary: "Results that came after their attempt was given up, newest first",
        needs: Needs::Reader,
        query: &[("limit", "At most so many, up to 500; 100 if not said.")],
        body: None,
        limit: SMALL,
        answers: &[(200, "The dead letters.", Some((JSON, Some("DeadLetters"))))],
    };
    routes.add(list, get_dead_letters)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    limit: Option<u32>,
}

async fn get_dead_letters(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Params(which): Params<Which>,
) -> Result<Json<Value>, ApiError> {
    let limit = which.limit.unwrap_or(100).clamp(1, 500);
    let history = Arc::clone(&app.history);
    let letters = blocking(move || history.dead_letters(limit)).await?;
    let letters: Vec<_> = letters.iter().map(document).collect();
    Ok(Json(json!({ "dead_letters": letters })))
}

fn document(letter: &DeadLetter) -> Value {
    let output = match &letter.verdict {
        Verdict::Done {
            output: Payload::Inline(text),
        } => json!(raw_or_text(text)),
        Verdict::Done {
            output: Payload::Stored { digest, size },
        } => json!({ "payload": digest, "size": size }),
        _ => Value::Null,
    };
    json!({
        "execution": letter.key.execution,
        "attempt": letter.key.attempt,
        "runner": letter.runner,
        "received_ms": millis(letter.received),
        "outcome": letter.verdict.word(),
        "output": output,
        "error": Failure::of(&letter.verdict),
    })
}
