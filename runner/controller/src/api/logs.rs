//! The log of an execution: as a page, or as a stream that ends when the execution and its log do.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wharf_protocol::{AttemptKey, ExecutionId, Progress};

use super::auth::{AtLeast, Reader};
use super::error::ApiError;
use super::executions::find;
use super::extract::{Params, Segment};
use super::routes::{JSON, Needs, Operation, Routes, SMALL, Verb};
use super::{App, blocking};
use crate::logs::Subscription;
use crate::model::{AttemptLog, Stage, StoredLine, View};

/// The most lines of a page.
const PAGE: u32 = 1_000;

/// How often a stream looks for progress, and for an end that it was not told of.
const LOOK: Duration = Duration::from_millis(500);

/// How long after the end of an execution a stream waits for the last lines of its log.
const LINGER: Duration = Duration::from_secs(5);

pub(super) fn routes(routes: Routes) -> Routes {
    let get = Operation {
        verb: Verb::Get,
        path: "/v1/executions/{id}/logs",
        id: "getLogs",
        summary: "The log of an execution; as a live stream with `Accept: text/event-stream`",
        needs: Needs::Reader,
        query: &[
            ("from", "The number of the first line wanted."),
            ("attempt", "Of which attempt; the last one if not said."),
        ],
        body: None,
        limit: SMALL,
        answers: &[(
            200,
            "A page of at most 1000 lines, or the stream.",
            Some((JSON, Some("Logs"))),
        )],
    };
    routes.add(get, get_logs)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    #[serde(default)]
    from: u64,
    attempt: Option<u32>,
}

async fn get_logs(
    _: AtLeast<Reader>,
    State(app): State<Arc<App>>,
    Segment(id): Segment<ExecutionId>,
    Params(which): Params<Which>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let view = find(&app, id, Duration::ZERO).await?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let streams = text(header::ACCEPT).is_some_and(|accept| accept.contains("text/event-stream"));
    if streams {
        let resumed = text(header::HeaderName::from_static("last-event-id"))
            .and_then(|last| last.parse::<u64>().ok())
            .map(|last| last.saturating_add(1));
        let from = resumed.unwrap_or(which.from);
        let events = follow(app, view, which.attempt, from);
        return Ok(Sse::new(events)
            .keep_alive(KeepAlive::default())
            .into_response());
    }
    let key = AttemptKey {
        execution: id,
        attempt: which.attempt.unwrap_or_else(|| view.attempt()),
    };
    let (lines, log) = read(&app, key, which.from).await?;
    let read_to = lines.last().map_or(which.from, |line| line.number + 1);
    let whole = is_whole(&view, key, log) && (read_to >= log.next || lines.len() < PAGE as usize);
    Ok(Json(json!({
        "attempt": key.attempt,
        "entries": lines.iter().map(spell).collect::<Vec<_>>(),
        "complete": whole,
        "dropped": dropped(&view, log),
    }))
    .into_response())
}

async fn read(
    app: &App,
    key: AttemptKey,
    from: u64,
) -> Result<(Vec<StoredLine>, AttemptLog), ApiError> {
    let logs = Arc::clone(&app.logs);
    blocking(move || logs.read(key, from, PAGE)).await
}

/// Whether the attempt is over and as many lines came as its runner says that it kept.
fn is_whole(view: &View, key: AttemptKey, log: AttemptLog) -> bool {
    match &view.stage {
        Stage::Finished(ending) => {
            key.attempt != ending.attempt || log.next >= ending.usage.log_entries
        }
        _ => key.attempt != view.attempt(),
    }
}

fn dropped(view: &View, log: AttemptLog) -> u64 {
    match &view.stage {
        Stage::Finished(ending) => log.dropped + ending.usage.log_dropped,
        _ => log.dropped,
    }
}

fn spell(line: &StoredLine) -> Value {
    let fields: Map<String, Value> = line
        .entry
        .fields
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "number": line.number,
        "time_ms": line.entry.time_ms,
        "level": line.entry.level,
        "message": line.entry.message,
        "fields": fields,
    })
}

/// A stream as it goes.
struct Follower {
    app: Arc<App>,
    news: Subscription,
    view: View,
    pinned: Option<u32>,
    key: AttemptKey,
    from: u64,
    progress: Option<Progress>,
    ready: VecDeque<Event>,
    over_since: Option<Instant>,
    ended: bool,
}

fn follow(
    app: Arc<App>,
    view: View,
    pinned: Option<u32>,
    from: u64,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let key = AttemptKey {
        execution: view.order.id,
        attempt: pinned.unwrap_or_else(|| view.attempt()),
    };
    let follower = Follower {
        news: app.hub.subscribe(view.order.id),
        app,
        view,
        pinned,
        key,
        from,
        progress: None,
        ready: VecDeque::new(),
        over_since: None,
        ended: false,
    };
    stream::unfold(follower, |mut follower| async move {
        loop {
            if let Some(event) = follower.ready.pop_front() {
                return Some((Ok(event), follower));
            }
            if follower.ended {
                return None;
            }
            if let Err(error) = follower.look().await {
                // The stream breaks off without `end`; the caller may resume it.
                tracing::warn!(?error, "a log stream broke off");
                return None;
            }
        }
    })
}

impl Follower {
    /// Looks for news, waiting a while if there is none.
    async fn look(&mut self) -> Result<(), ApiError> {
        let (lines, log) = read(&self.app, self.key, self.from).await?;
        if let Some(last) = lines.last() {
            self.from = last.number + 1;
            for line in &lines {
                self.ready.push_back(
                    Event::default()
                        .event("log")
                        .id(line.number.to_string())
                        .data(spell(line).to_string()),
                );
            }
            return Ok(());
        }
        if let Stage::Running {
            progress: Some(progress),
            ..
        } = &self.view.stage
            && self.progress.as_ref() != Some(progress)
        {
            self.progress = Some(progress.clone());
            self.ready.push_back(
                Event::default()
                    .event("progress")
                    .data(json!(progress).to_string()),
            );
            return Ok(());
        }
        if matches!(self.view.stage, Stage::Finished(_)) {
            let since = *self.over_since.get_or_insert_with(Instant::now);
            let whole = is_whole(&self.view, self.key, log);
            if whole || since.elapsed() >= LINGER || self.app.closing.is_cancelled() {
                let end = json!({"complete": whole, "dropped": dropped(&self.view, log)});
                self.ready
                    .push_back(Event::default().event("end").data(end.to_string()));
                self.ended = true;
                return Ok(());
            }
        } else if self.app.closing.is_cancelled() {
            self.ended = true;
            return Ok(());
        }
        self.wait().await
    }

    async fn wait(&mut self) -> Result<(), ApiError> {
        if self.over_since.is_some() {
            // Nothing but the last lines can come.
            let _ = tokio::time::timeout(LOOK, self.news.more()).await;
            return Ok(());
        }
        tokio::select! {
            () = self.news.more() => {}
            () = self.app.closing.cancelled() => {}
            view = find(&self.app, self.key.execution, LOOK) => {
                self.view = view?;
                if self.pinned.is_none() && self.view.attempt() > self.key.attempt {
                    // It is tried anew, with a log of its own.
                    if self.key.attempt > 0 {
                        self.from = 0;
                    }
                    self.key.attempt = self.view.attempt();
                }
            }
        }
        Ok(())
    }
}
