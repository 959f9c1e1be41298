//! The control pipe: credits, assignments, heartbeats, results.

use serde_json::value::RawValue;
use wharf_protocol::{
    ActionFailure, FailureKind, MAX_INLINE, Payload, Progress, RunnerId, ToController, Verdict,
};

use super::handshake::{Guest, clip};
use super::pipe::{self, Receiver};
use super::{End, LinkContext};
use crate::core::{Greeting, LinkId, Report};
use crate::driver::{Command, outbound};
use crate::store::{Blobs, Shelf};

/// Serves a control pipe until it ends.
pub(super) async fn serve(
    socket: &mut axum::extract::ws::WebSocket,
    guest: &Guest,
    link: LinkId,
    context: &LinkContext,
) {
    let hello = &guest.hello;
    let runner = hello.runner;
    let (outbound, mut inbox) = outbound();
    let greeting = Greeting {
        boot: hello.boot,
        host: clip(&hello.host, 255),
        version: clip(&hello.version, 64),
        running: hello.running.clone(),
        journaled: hello.journaled.clone(),
    };
    let connected = context
        .handle
        .ask(|reply| Command::Connect {
            runner,
            link,
            greeting,
            outbound,
            reply,
        })
        .await;
    let refusal = match connected {
        Ok(true) => None,
        Ok(false) => Some(End::refuse("this runner was removed; enrol it anew")),
        Err(trouble) => Some(End::come_again(trouble)),
    };
    if let Some(end) = refusal {
        return pipe::say_goodbye(socket, end).await;
    }
    tracing::info!(%runner, link = link.0, host = %hello.host, "a runner is connected");
    let mut control = Control {
        runner,
        link,
        context,
    };
    let times = (context.heartbeat, context.lease);
    pipe::run(socket, &mut inbox, &mut control, times).await;
    // Before anything that takes time: nothing more can be sent on this connection.
    drop(inbox);
    let ended = context.handle.tell(Command::Disconnect { runner, link });
    if let Err(trouble) = ended.await {
        tracing::debug!(%runner, %trouble, "the end of a connection was not noted");
    }
    tracing::info!(%runner, link = link.0, "a runner's connection has ended");
}

struct Control<'c> {
    runner: RunnerId,
    link: LinkId,
    context: &'c LinkContext,
}

impl Receiver for Control<'_> {
    async fn receive(&mut self, frames: Vec<ToController>) -> Result<(), End> {
        let blobs = &self.context.blobs;
        let reports = frames
            .into_iter()
            .map(|frame| report(frame, blobs))
            .collect::<Result<Vec<_>, _>>()?;
        let command = Command::Reports {
            runner: self.runner,
            link: self.link,
            reports,
        };
        self.context
            .handle
            .tell(command)
            .await
            .map_err(End::come_again)
    }
}

fn report(frame: ToController, blobs: &Blobs) -> Result<Report, End> {
    Ok(match frame {
        ToController::Credit { add } => Report::Credit(add),
        ToController::Accept(_) => Report::Accept,
        ToController::Started(key) => Report::Started(key),
        ToController::Heartbeat {
            running,
            progress,
            audit,
        } => Report::Heartbeat {
            audit,
            running,
            progress: progress
                .into_iter()
                .map(|(key, news)| (key, sane(news)))
                .collect(),
        },
        ToController::Result {
            key,
            verdict,
            usage,
            timings,
        } => Report::Result {
            key,
            outcome: Box::new((checked(verdict, blobs), usage, timings)),
        },
        ToController::HandBack { key, .. } => Report::HandBack(key),
        ToController::Draining => Report::Draining,
        ToController::Hello(_) => return Err(End::refuse("a second hello on one connection")),
        ToController::Log { .. } => return Err(End::refuse("log lines belong on the log pipe")),
    })
}

/// An output is a JSON document that is there, or it is no output: whoever reads it later must be
/// able to rely on that.
fn checked(verdict: Verdict, blobs: &Blobs) -> Verdict {
    let Verdict::Done { output } = &verdict else {
        return verdict;
    };
    let why = match output {
        Payload::Inline(text) if text.len() > MAX_INLINE => format!(
            "the runner sent an output of {} bytes in a frame, the limit is {MAX_INLINE}",
            text.len()
        ),
        Payload::Inline(text) => match serde_json::from_str::<&RawValue>(text) {
            Ok(_) => return verdict,
            Err(error) => format!("the runner sent an output that is not JSON: {error}"),
        },
        Payload::Stored { digest, size } => match blobs.size(Shelf::Payloads, digest) {
            Some(found) if found == *size => return verdict,
            _ => format!("the runner did not store the output {digest} before it named it"),
        },
    };
    Verdict::Failed(ActionFailure {
        kind: FailureKind::Other,
        code: "bad-output".to_owned(),
        message: why,
        details: None,
        fields: Vec::new(),
        retry_after_ms: None,
    })
}

fn sane(progress: Progress) -> Progress {
    Progress {
        fraction: progress
            .fraction
            .filter(|fraction| fraction.is_finite())
            .map(|fraction| fraction.clamp(0.0, 1.0)),
        message: clip(&progress.message, 500),
    }
}
