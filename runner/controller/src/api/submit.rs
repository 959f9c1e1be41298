//! Submitting: everything that can be checked is checked here, once, before it is accepted.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;
use wharf_policy::{ActionName, CallRights, Digest};
use wharf_protocol::{ExecutionId, GroupName, MAX_INLINE, Payload};

use super::auth::{AtLeast, Operator};
use super::error::ApiError;
use super::executions::{Wait, find};
use super::extract::{Body, Params};
use super::routes::{JSON, Needs, Operation, Routes, Verb};
use super::{App, blocking, document};
use crate::catalog::{InputRefusal, Plugin, PluginRef};
use crate::core::SubmitRefusal;
use crate::driver::{Command, SubmitAnswer};
use crate::model::Order;
use crate::store::Shelf;

/// The most bytes of an input, and of the body around it.
const MAX_INPUT: usize = 4 << 20;
const MAX_BODY: usize = MAX_INPUT + (256 << 10);

/// The most bytes of the rights of a call, as JSON: they travel in a frame with the input.
const MAX_RIGHTS: usize = 64 << 10;

/// An input of this size is checked away from the threads that serve.
const LONG_CHECK: usize = 64 << 10;

pub(super) fn routes(routes: Routes) -> Routes {
    let submit = Operation {
        verb: Verb::Post,
        path: "/v1/executions",
        id: "submitExecution",
        summary: "Submit an action; with wait_ms, wait for its end",
        needs: Needs::Operator,
        query: &[(
            "wait_ms",
            "Answer when it is over, or after so many milliseconds; at most 300000.",
        )],
        body: Some((JSON, Some("NewExecution"))),
        limit: MAX_BODY,
        answers: &[
            (
                200,
                "It had been submitted before with this idempotency_key.",
                Some((JSON, Some("Execution"))),
            ),
            (
                201,
                "It is accepted, and will not be lost.",
                Some((JSON, Some("Execution"))),
            ),
            (
                400,
                "The input does not fit its schema; fields says where.",
                Some((JSON, Some("Error"))),
            ),
            (
                404,
                "There is no such group, plugin or action.",
                Some((JSON, Some("Error"))),
            ),
            (
                409,
                "The idempotency_key stands for another submission.",
                Some((JSON, Some("Error"))),
            ),
            (
                429,
                "The queue is full; see Retry-After.",
                Some((JSON, Some("Error"))),
            ),
        ],
    };
    routes.add(submit, post_execution)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewExecution {
    group: GroupName,
    plugin: String,
    action: ActionName,
    input: Option<Box<RawValue>>,
    #[serde(default)]
    rights: CallRights,
    idempotency_key: Option<String>,
}

async fn post_execution(
    _: AtLeast<Operator>,
    State(app): State<Arc<App>>,
    Params(wait): Params<Wait>,
    Body(new): Body<NewExecution>,
) -> Result<Response, ApiError> {
    let order = Arc::new(check(&app, new).await?);
    let patience = wait.duration();
    let submit = |wait| {
        let order = Arc::clone(&order);
        app.handle
            .ask(move |reply| Command::Submit { order, wait, reply })
    };
    let in_time = if patience.is_zero() {
        Some(submit(false).await?)
    } else {
        // An order that is accepted stays so, whether or not anyone waits for its end.
        tokio::select! {
            answer = submit(true) => Some(answer?),
            () = tokio::time::sleep(patience) => None,
            () = app.closing.cancelled() => None,
        }
    };
    let answer = match in_time {
        Some(answer) => answer,
        // With a key, asking again tells which execution it is: this one or an earlier.
        None if order.idempotency.is_some() => submit(false).await?,
        None => Ok(SubmitAnswer::New(
            find(&app, order.id, Duration::ZERO).await?,
        )),
    };
    match answer.map_err(refusal)? {
        SubmitAnswer::New(view) => document::respond(&app, StatusCode::CREATED, &view).await,
        SubmitAnswer::Known(view) => document::respond(&app, StatusCode::OK, &view).await,
        SubmitAnswer::Over(id) => {
            let view = find(&app, id, Duration::ZERO).await?;
            document::respond(&app, StatusCode::OK, &view).await
        }
    }
}

/// Turns what was asked for into an order, or says what is wrong with it.
async fn check(app: &Arc<App>, new: NewExecution) -> Result<Order, ApiError> {
    let reference: PluginRef = new
        .plugin
        .parse()
        .map_err(|why: String| ApiError::bad_request("bad-plugin", why))?;
    let plugin = app.directory.catalog.resolve(&reference).ok_or_else(|| {
        ApiError::not_found(
            "no-such-plugin",
            format!("no plugin `{}` is published here: publish it with PUT /v1/bundles/DIGEST; GET /v1/plugins lists what there is", new.plugin),
        )
    })?;
    let Some(action) = plugin.action(&new.action) else {
        return Err(no_such_action(&plugin, &new.action));
    };
    let idempotent = action.idempotent;
    let input: String = new
        .input
        .map_or_else(|| "null".to_owned(), |input| Box::<str>::from(input).into());
    if input.len() > MAX_INPUT {
        return Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!(
                "the input has {} bytes, the limit is {MAX_INPUT}",
                input.len()
            ),
        ));
    }
    let rights = serde_json::to_string(&new.rights).map_err(ApiError::internal)?;
    if rights.len() > MAX_RIGHTS {
        return Err(ApiError::bad_request(
            "bad-rights",
            format!(
                "the rights have {} bytes as JSON, the limit is {MAX_RIGHTS}",
                rights.len()
            ),
        ));
    }
    let idempotency = match new.idempotency_key {
        Some(key) if !(1..=200).contains(&key.len()) => {
            return Err(ApiError::bad_request(
                "bad-key",
                "idempotency_key must have from 1 to 200 bytes",
            ));
        }
        Some(key) => {
            let parts = [
                new.group.as_str(),
                &new.plugin,
                new.action.as_str(),
                &input,
                &rights,
            ];
            Some((key, digest_of(&parts)))
        }
        None => None,
    };
    let order = |input| Order {
        id: ExecutionId::from_ulid(Ulid::generate()),
        group: new.group,
        plugin: plugin.record.manifest.name.clone(),
        version: plugin.record.manifest.version.to_string(),
        digest: plugin.record.digest,
        action: new.action.clone(),
        idempotent,
        input,
        rights: new.rights,
        idempotency,
        submitted: app.clock.now(),
    };
    if input.len() <= LONG_CHECK {
        fits(&plugin, &new.action, &input)?;
        return Ok(order(Payload::Inline(input)));
    }
    let (checked, action, blobs) = (Arc::clone(&plugin), new.action.clone(), app.blobs.clone());
    let payload = blocking(move || {
        fits(&checked, &action, &input)?;
        if input.len() <= MAX_INLINE {
            return Ok(Payload::Inline(input));
        }
        // On the disk before the order that names it is.
        let digest = wharf_bundle::digest(input.as_bytes());
        blobs.put(Shelf::Payloads, &digest, input.as_bytes())?;
        Ok::<_, ApiError>(Payload::Stored {
            digest,
            size: input.len() as u64,
        })
    })
    .await?;
    Ok(order(payload))
}

fn fits(plugin: &Plugin, action: &ActionName, input: &str) -> Result<(), ApiError> {
    plugin.check_input(action, input).map_err(|refusal| match refusal {
        InputRefusal::Misfit(fields) => ApiError::bad_request(
            "invalid-input",
            format!(
                "the input does not fit the input schema of {}: {}",
                action,
                fields.first().map_or("", |field| &field.message)
            ),
        )
        .with_fields(fields),
        InputRefusal::BadSchema(why) => ApiError::bad_request(
            "bad-schema",
            format!("the plugin's own input schema of {action} is unsound, so nothing can be checked against it: {why}"),
        ),
    })
}

fn no_such_action(plugin: &Plugin, action: &ActionName) -> ApiError {
    let manifest = &plugin.record.manifest;
    let known: Vec<_> = manifest.actions.keys().map(ActionName::as_str).collect();
    ApiError::not_found(
        "no-such-action",
        format!(
            "the plugin {}@{} has no action `{action}`; it has {}",
            manifest.name,
            manifest.version,
            known.join(", ")
        ),
    )
}

/// A digest over parts, each with its length before it.
fn digest_of(parts: &[&str]) -> Digest {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    Digest::from_bytes(hasher.finalize().into())
}

fn refusal(refusal: SubmitRefusal) -> ApiError {
    match refusal {
        SubmitRefusal::NoGroup => ApiError::not_found(
            "no-such-group",
            "there is no such group: make it with POST /v1/groups; GET /v1/groups lists what there is",
        ),
        SubmitRefusal::KeyTaken(id) => ApiError::conflict(
            "key-taken",
            format!("this idempotency_key stands for the execution {id}, which was submitted with something else: use a new key for a new submission"),
        ),
        SubmitRefusal::QueueFull(limit) => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "queue-full",
            format!("{limit} executions wait in this group, which is the limit: try again later, or add runners"),
        )
        .retry_after(5),
        SubmitRefusal::QueueTooHeavy(limit) => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "queue-full",
            format!("the executions that wait and run hold {limit} bytes, which is the limit: try again later"),
        )
        .retry_after(5),
    }
}
