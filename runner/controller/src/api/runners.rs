//! The runners there are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_protocol::{GroupName, RunnerId};

use super::auth::{Admin, AtLeast, Reader};
use super::error::ApiError;
use super::extract::{Params, Segment};
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, millis};
use crate::driver::Command;
use crate::model::RunnerView;

pub(super) fn routes(routes: Routes) -> Routes {
    let list = Operation {
        verb: Verb::Get,
        path: "/v1/runners",
        id: "listRunners",
        summary: "All runners, or those of one group",
        needs: Needs::Reader,
        query: &[("group", "Only the runners of this group.")],
        body: None,
        limit: SMALL,
        answers: &[(200, "The runners.", Some((JSON, Some("Runners"))))],
    };
    let remove = Operation {
        verb: Verb::Delete,
        path: "/v1/runners/{id}",
        id: "removeRunner",
        summary: "Take a runner out for good: its connection ends, its key is refused, its attempts are lost",
        needs: Needs::Admin,
        query: &[],
        answers: &[
            (204, "It is no more.", None),
            (404, "There is no such runner.", Some((JSON, Some("Error")))),
        ],
        ..list.clone()
    };
    routes.add(list, get_runners).add(remove, delete_runner)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    group: Option<GroupName>,
}

async fn get_runners(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Params(which): Params<Which>,
) -> Result<Json<Value>, ApiError> {
    let group = which.group;
    let runners = app
        .handle
        .ask(|reply| Command::Runners { group, reply })
        .await?;
    let runners: Vec<_> = runners.iter().map(document).collect();
    Ok(Json(json!({ "runners": runners })))
}

async fn delete_runner(
    _: AtLeast<Admin>,
    State(app): State<Arc<App>>,
    Segment(id): Segment<RunnerId>,
) -> Result<StatusCode, ApiError> {
    let known = app
        .handle
        .ask(|reply| Command::RemoveRunner { id, reply })
        .await?;
    if known {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::not_found(
            "no-such-runner",
            format!("there is no runner {id}"),
        ))
    }
}

fn document(view: &RunnerView) -> Value {
    json!({
        "id": view.record.id,
        "group": view.record.group,
        "public_key": STANDARD.encode(view.record.public_key),
        "host": view.record.host,
        "version": view.record.version,
        "platform": view.record.platform,
        "state": view.state,
        "enrolled_ms": millis(view.record.enrolled),
        "last_seen_ms": millis(view.last_seen),
        "running": view.running,
        "credits": view.credits,
        "audit_head": view.audit.map(|head| head.to_string()),
        "transport": view.connected.then_some("websocket"),
    })
}
