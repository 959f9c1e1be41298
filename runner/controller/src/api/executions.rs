//! Looking at executions, and stopping them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use wharf_policy::PluginName;
use wharf_protocol::{ExecutionId, GroupName};

use super::auth::{AtLeast, Operator, Reader};
use super::document::{self, Document};
use super::error::ApiError;
use super::extract::{Body, Params, Segment};
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, blocking};
use crate::driver::Command;
use crate::model::{CancelAsk, View};
use crate::store::{Filter, StateFilter};

/// The longest that anyone waits.
const MAX_WAIT_MS: u64 = 300_000;

pub(super) fn routes(routes: Routes) -> Routes {
    let get = Operation {
        verb: Verb::Get,
        path: "/v1/executions/{id}",
        id: "getExecution",
        summary: "One execution; with wait_ms, when it is over",
        needs: Needs::Reader,
        query: &[(
            "wait_ms",
            "Answer when it is over, or after so many milliseconds; at most 300000.",
        )],
        body: None,
        limit: SMALL,
        answers: &[
            (200, "The execution.", Some((JSON, Some("Execution")))),
            (
                404,
                "There is no such execution.",
                Some((JSON, Some("Error"))),
            ),
        ],
    };
    let list = Operation {
        path: "/v1/executions",
        id: "listExecutions",
        summary: "Executions, newest first, without their outputs",
        query: &[
            ("group", "Only those of this group."),
            ("state", "Only those that are queued, running or finished."),
            ("plugin", "Only those of the plugin of this name."),
            ("limit", "At most so many, up to 500; 50 if not said."),
            (
                "before",
                "Only those submitted before the execution with this id.",
            ),
        ],
        answers: &[(200, "The executions.", Some((JSON, Some("Executions"))))],
        ..get.clone()
    };
    let cancel = Operation {
        verb: Verb::Post,
        path: "/v1/executions/{id}/cancel",
        id: "cancelExecution",
        summary: "Stop an execution: at once if it waits, else its runner is asked and its result decides",
        needs: Needs::Operator,
        query: &[],
        body: Some((JSON, Some("Cancel"))),
        answers: &[(
            200,
            "The execution as it stands.",
            Some((JSON, Some("Execution"))),
        )],
        ..get.clone()
    };
    routes
        .add(get, get_execution)
        .add(list, get_executions)
        .add(cancel, post_cancel)
}

/// How long to wait for the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    #[serde(default)]
    wait_ms: u64,
}

impl Wait {
    /// Bounded.
    pub(super) fn duration(&self) -> Duration {
        Duration::from_millis(self.wait_ms.min(MAX_WAIT_MS))
    }
}

/// An execution, live or over; waits so long for its end.
pub(super) async fn find(
    app: &Arc<App>,
    id: ExecutionId,
    patience: Duration,
) -> Result<View, ApiError> {
    let view = |wait| {
        app.handle
            .ask(move |reply| Command::View { id, wait, reply })
    };
    let live = if patience.is_zero() {
        view(false).await?
    } else {
        tokio::select! {
            view = view(true) => view?,
            () = tokio::time::sleep(patience) => view(false).await?,
            () = app.closing.cancelled() => view(false).await?,
        }
    };
    if let Some(view) = live {
        return Ok(view);
    }
    let history = Arc::clone(&app.history);
    blocking(move || history.execution(id))
        .await?
        .ok_or_else(|| {
            ApiError::not_found("no-such-execution", format!("there is no execution {id}"))
        })
}

async fn get_execution(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Segment(id): Segment<ExecutionId>,
    Params(wait): Params<Wait>,
) -> Result<Response, ApiError> {
    let view = find(&app, id, wait.duration()).await?;
    document::respond(&app, StatusCode::OK, &view).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    group: Option<GroupName>,
    state: Option<StateFilter>,
    plugin: Option<PluginName>,
    limit: Option<u32>,
    before: Option<ExecutionId>,
}

async fn get_executions(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Params(which): Params<Which>,
) -> Result<Response, ApiError> {
    let limit = which.limit.unwrap_or(50).clamp(1, 500);
    let filter = Filter {
        group: which.group,
        state: which.state,
        plugin: which.plugin.map(String::from),
        before: which.before,
        limit,
    };
    let history = Arc::clone(&app.history);
    let views = blocking(move || history.list(&filter)).await?;
    let next = views
        .last()
        .filter(|_| views.len() == limit as usize)
        .map(|view| view.order.id);
    let executions: Vec<_> = views.iter().map(|view| Document::new(view, None)).collect();
    Ok(Json(json!({ "executions": executions, "next": next })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancel {
    #[serde(default = "on_request")]
    reason: String,
    #[serde(default = "ten_seconds")]
    grace_ms: u64,
}

fn on_request() -> String {
    "cancelled by request".to_owned()
}

const fn ten_seconds() -> u64 {
    10_000
}

async fn post_cancel(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Segment(id): Segment<ExecutionId>,
    Body(cancel): Body<Cancel>,
) -> Result<Response, ApiError> {
    if cancel.reason.len() > 500 || cancel.grace_ms > 3_600_000 {
        return Err(ApiError::bad_request(
            "bad-body",
            "reason may have 500 bytes, grace_ms may be 3600000",
        ));
    }
    let ask = CancelAsk {
        reason: cancel.reason,
        grace_ms: cancel.grace_ms,
    };
    let live = app
        .handle
        .ask(|reply| Command::Cancel { id, ask, reply })
        .await?;
    let view = match live {
        Some(view) => view,
        None => find(&app, id, Duration::ZERO).await?,
    };
    document::respond(&app, StatusCode::OK, &view).await
}
