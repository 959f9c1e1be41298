//! Runner groups.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_protocol::GroupName;

use super::auth::{Admin, AtLeast, Reader};
use super::error::ApiError;
use super::extract::Body;
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, millis};
use crate::core::GroupRefusal;
use crate::driver::Command;
use crate::model::{Group, GroupKind};

pub(super) fn routes(routes: Routes) -> Routes {
    let list = Operation {
        verb: Verb::Get,
        path: "/v1/groups",
        id: "listGroups",
        summary: "All runner groups, and how many executions wait in each",
        needs: Needs::Reader,
        query: &[],
        body: None,
        limit: SMALL,
        answers: &[(200, "The groups.", Some((JSON, Some("Groups"))))],
    };
    let create = Operation {
        verb: Verb::Post,
        id: "createGroup",
        summary: "Make a group; one that is there already, of the same kind, is fine",
        needs: Needs::Admin,
        body: Some((JSON, Some("NewGroup"))),
        answers: &[
            (201, "It exists now.", Some((JSON, Some("Group")))),
            (
                409,
                "A group of the other kind has this name.",
                Some((JSON, Some("Error"))),
            ),
        ],
        ..list.clone()
    };
    routes.add(list, get_groups).add(create, post_group)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewGroup {
    name: GroupName,
    #[serde(default = "persistent")]
    kind: GroupKind,
}

const fn persistent() -> GroupKind {
    GroupKind::Persistent
}

async fn get_groups(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
) -> Result<Json<Value>, ApiError> {
    let groups = app.handle.ask(|reply| Command::Groups { reply }).await?;
    let groups: Vec<_> = groups
        .iter()
        .map(|(group, queued)| document(group, *queued))
        .collect();
    Ok(Json(json!({ "groups": groups })))
}

async fn post_group(
    _: AtLeast<Admin>,
    State(app): State<Arc<App>>,
    Body(new): Body<NewGroup>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let group = Group {
        name: new.name,
        kind: new.kind,
        created: app.clock.now(),
    };
    let answer = document(&group, 0);
    app.handle
        .ask(|reply| Command::CreateGroup { group, reply })
        .await?
        .map_err(|refusal| match refusal {
            GroupRefusal::OtherKind(_) => ApiError::conflict(
                "other-kind",
                "a group of this name exists and is of the other kind: take another name",
            ),
            GroupRefusal::TooMany(limit) => ApiError::conflict(
                "too-many",
                format!("there are {limit} groups, which is the limit"),
            ),
        })?;
    Ok((StatusCode::CREATED, Json(answer)))
}

fn document(group: &Group, queued: usize) -> Value {
    json!({
        "name": group.name,
        "kind": group.kind,
        "created_ms": millis(group.created),
        "queued": queued,
    })
}
