//! An execution as JSON. Outputs travel as the text they are; nothing is parsed and spelled again.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use wharf_policy::{ActionName, Digest, PluginName};
use wharf_protocol::{
    ExecutionId, FailureKind, FieldError, GroupName, Payload, Progress, RunnerId, Usage, Verdict,
};

use super::error::ApiError;
use super::routes::JSON;
use super::{App, blocking, millis};
use crate::model::{Micros, Stage, View, Waiting};
use crate::store::Shelf;

/// An execution as callers see it.
#[derive(Serialize)]
pub(super) struct Document<'v> {
    id: ExecutionId,
    group: &'v GroupName,
    plugin: &'v PluginName,
    version: &'v str,
    digest: Digest,
    action: &'v ActionName,
    state: &'static str,
    outcome: Option<&'static str>,
    output: Option<Box<RawValue>>,
    error: Option<Failure<'v>>,
    attempt: u32,
    runner: Option<RunnerId>,
    progress: Option<&'v Progress>,
    idempotent: bool,
    submitted_ms: u64,
    assigned_ms: Option<u64>,
    finished_ms: Option<u64>,
    queued_ms: Option<f64>,
    prepare_ms: Option<f64>,
    ran_ms: Option<f64>,
    usage: Option<Usage>,
    reason: Option<String>,
}

/// How an execution did not come to an output.
#[derive(Serialize)]
pub(super) struct Failure<'v> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'v str>,
    message: &'v str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    fields: &'v [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'v str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

impl<'v> Failure<'v> {
    /// The failure in a verdict, if it is one.
    pub(super) fn of(verdict: &'v Verdict) -> Option<Self> {
        let plain = |kind, message| Self {
            kind,
            code: None,
            message,
            details: None,
            fields: &[],
            limit: None,
            retry_after_ms: None,
        };
        Some(match verdict {
            Verdict::Done { .. } => return None,
            Verdict::Failed(failure) => Self {
                code: Some(&failure.code),
                details: failure.details.as_deref().map(raw_or_text),
                fields: &failure.fields,
                retry_after_ms: failure.retry_after_ms,
                ..plain(kind(failure.kind), &failure.message)
            },
            Verdict::Refused { message } => plain("refused", message),
            Verdict::Stopped { limit, message } => Self {
                limit: Some(limit),
                ..plain("stopped", message)
            },
            Verdict::Cancelled { reason } => plain("cancelled", reason),
            Verdict::Lost { message } => plain("lost", message),
        })
    }
}

const fn kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::InvalidInput => "invalid-input",
        FailureKind::Denied => "denied",
        FailureKind::Unavailable => "unavailable",
        FailureKind::Failed => "failed",
        FailureKind::Other => "other",
    }
}

/// Text that should be JSON, as the JSON it is, or else as a string.
pub(super) fn raw_or_text(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned())
        .or_else(|_| to_raw_value(text))
        .unwrap_or_default()
}

impl<'v> Document<'v> {
    /// The document, with this output.
    pub(super) fn new(view: &'v View, output: Option<Box<RawValue>>) -> Self {
        let order = &*view.order;
        let between = |from: Micros, to: Micros| to.saturating_sub(from) as f64 / 1000.0;
        let mut document = Self {
            id: order.id,
            group: &order.group,
            plugin: &order.plugin,
            version: &order.version,
            digest: order.digest,
            action: &order.action,
            state: "queued",
            outcome: None,
            output,
            error: None,
            attempt: view.attempt(),
            runner: view.holder(),
            progress: None,
            idempotent: order.idempotent,
            submitted_ms: millis(order.submitted),
            assigned_ms: None,
            finished_ms: None,
            queued_ms: None,
            prepare_ms: None,
            ran_ms: None,
            usage: None,
            reason: None,
        };
        match &view.stage {
            Stage::Queued { waiting, .. } => {
                document.reason = waiting.map(|waiting| reason(waiting, &order.group));
            }
            Stage::Running { run, progress } => {
                document.state = "running";
                document.progress = progress.as_ref();
                document.assigned_ms = Some(millis(run.assigned));
                document.queued_ms = Some(between(order.submitted, run.assigned));
            }
            Stage::Finished(ending) => {
                document.state = "finished";
                document.outcome = Some(ending.verdict.word());
                document.error = Failure::of(&ending.verdict);
                document.finished_ms = Some(millis(ending.finished));
                if let Some((_, assigned)) = ending.runner {
                    document.assigned_ms = Some(millis(assigned));
                    document.queued_ms = Some(between(order.submitted, assigned));
                    document.prepare_ms = Some(between(0, ending.timings.prepare_us));
                    document.ran_ms = Some(between(0, ending.timings.run_us));
                    document.usage = Some(ending.usage);
                }
            }
        }
        document
    }
}

fn reason(waiting: Waiting, group: &GroupName) -> String {
    match waiting {
        Waiting::NoRunner => format!("no runner of group {group} is connected"),
        Waiting::AllDraining(1) => format!("the only runner of group {group} is draining"),
        Waiting::AllDraining(all) => format!("all {all} runners of group {group} are draining"),
        Waiting::AllBusy(1) => format!("the only runner of group {group} is busy"),
        Waiting::AllBusy(all) => format!("all {all} runners of group {group} are busy"),
    }
}

/// The output of an execution; fetched if it is stored apart.
async fn output(app: &App, view: &View) -> Result<Option<Box<RawValue>>, ApiError> {
    let Stage::Finished(ending) = &view.stage else {
        return Ok(None);
    };
    let Verdict::Done { output } = &ending.verdict else {
        return Ok(None);
    };
    match output {
        Payload::Inline(text) => Ok(Some(raw_or_text(text))),
        Payload::Stored { digest, .. } => {
            let (blobs, digest) = (app.blobs.clone(), *digest);
            let bytes = blocking(move || blobs.get(Shelf::Payloads, &digest)).await?;
            let text = bytes
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| ApiError::internal(format!("the output {digest} is missing")))?;
            Ok(Some(raw_or_text(&text)))
        }
    }
}

/// An execution as a response.
pub(super) async fn respond(
    app: &Arc<App>,
    status: StatusCode,
    view: &View,
) -> Result<Response, ApiError> {
    let output = output(app, view).await?;
    let body = serde_json::to_vec(&Document::new(view, output)).map_err(ApiError::internal)?;
    let media = HeaderValue::from_static(JSON);
    Ok((status, [(header::CONTENT_TYPE, media)], body).into_response())
}
