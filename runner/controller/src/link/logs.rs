//! The log pipe: lines of attempts that are the runner's own.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wharf_protocol::{AttemptKey, RunnerId, ToController, ToRunner};

use super::handshake::Guest;
use super::pipe::{self, Receiver};
use super::{End, LinkContext};
use crate::core::LinkId;
use crate::driver::{Command, Outbound, outbound};

/// The most attempts that a pipe remembers to be its runner's.
const MAX_REMEMBERED: usize = 4_096;

/// Serves a log pipe until it ends, or a newer one of the same runner takes its place.
pub(super) async fn serve(
    socket: &mut axum::extract::ws::WebSocket,
    guest: &Guest,
    link: LinkId,
    context: &LinkContext,
) {
    let runner = guest.hello.runner;
    let replaced = CancellationToken::new();
    let old = context.log_pipes.insert(runner, (link, replaced.clone()));
    if let Some((_, old)) = old {
        old.cancel();
    }
    let (outbound, mut inbox) = outbound();
    let mut logs = Logs {
        runner,
        context,
        outbound,
        own: HashSet::new(),
    };
    let times = (context.heartbeat, context.lease);
    let end = tokio::select! {
        () = pipe::run(socket, &mut inbox, &mut logs, times) => None,
        () = replaced.cancelled() => Some("another log pipe of this runner took its place"),
        () = context.closing.cancelled() => Some("the controller is shutting down"),
    };
    if let Some(reason) = end {
        pipe::say_goodbye(socket, End::come_again(reason)).await;
    }
    context
        .log_pipes
        .remove_if(&runner, |_, (newest, _)| *newest == link);
}

struct Logs<'c> {
    runner: RunnerId,
    context: &'c LinkContext,
    outbound: Outbound,
    /// Attempts that are known to be this runner's.
    own: HashSet<AttemptKey>,
}

impl Receiver for Logs<'_> {
    async fn receive(&mut self, frames: Vec<ToController>) -> Result<(), End> {
        if self.context.directory.runner(&self.runner).is_none() {
            return Err(End::refuse("this runner was removed; enrol it anew"));
        }
        for frame in frames {
            let ToController::Log {
                key,
                first,
                entries,
            } = frame
            else {
                return Err(End::refuse("only log lines belong on the log pipe"));
            };
            let next = if self.is_own(key).await? {
                let kept = self.context.logs.append(key, first, entries).await;
                kept.ok_or_else(|| End::come_again("log lines cannot be kept now"))?
            } else {
                // Of an attempt that was given up, or never its own: not kept, not sent again.
                first.saturating_add(entries.len() as u64)
            };
            if !self.outbound.send(ToRunner::LogAck { key, next }) {
                return Err(End::come_again("the acknowledgements are not read"));
            }
        }
        Ok(())
    }
}

impl Logs<'_> {
    /// Whether an attempt is, or was to the end, this runner's.
    async fn is_own(&mut self, key: AttemptKey) -> Result<bool, End> {
        if self.own.contains(&key) {
            return Ok(true);
        }
        let id = key.execution;
        let live = self
            .context
            .handle
            .ask(|reply| Command::View {
                id,
                wait: false,
                reply,
            })
            .await
            .map_err(End::come_again)?;
        let view = match live {
            Some(view) => Some(view),
            None => {
                let history = Arc::clone(&self.context.history);
                tokio::task::spawn_blocking(move || history.execution(id))
                    .await
                    .map_err(End::come_again)?
                    .map_err(End::come_again)?
            }
        };
        let own = view.is_some_and(|view| {
            view.attempt() == key.attempt && view.holder() == Some(self.runner)
        });
        if own {
            if self.own.len() >= MAX_REMEMBERED {
                self.own.clear();
            }
            self.own.insert(key);
        }
        Ok(own)
    }
}
