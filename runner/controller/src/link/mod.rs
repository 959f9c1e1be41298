//! The runner's end of the controller: one WebSocket is one pipe.
//!
//! A connection proves who it is, then its frames become commands for the driver, and what the
//! driver queues for it becomes messages. What goes wrong on one connection ends that connection,
//! with a goodbye that says why, and touches no other.

mod control;
mod handshake;
mod logs;
mod pipe;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::ws::WebSocket;
use dashmap::DashMap;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wharf_protocol::{Pipe, RunnerId};

use crate::core::LinkId;
use crate::directory::Directory;
use crate::driver::Handle;
use crate::logs::LogHandle;
use crate::store::{Blobs, History};

/// What all connections share.
pub(crate) struct LinkContext {
    pub(crate) handle: Handle,
    pub(crate) directory: Arc<Directory>,
    pub(crate) history: Arc<dyn History>,
    pub(crate) logs: LogHandle,
    pub(crate) blobs: Blobs,
    pub(crate) lease: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) next_link: AtomicU64,
    /// The log pipe of each runner, so that a new one ends the old one.
    /// Cancelled when the controller shuts down.
    pub(crate) closing: CancellationToken,
    /// Counts the connections, so that a shutdown can wait for their goodbyes.
    pub(crate) open: TaskTracker,
    pub(crate) log_pipes: DashMap<RunnerId, (LinkId, CancellationToken)>,
}

impl LinkContext {
    fn new_link(&self) -> LinkId {
        LinkId(self.next_link.fetch_add(1, Ordering::Relaxed))
    }
}

/// Why a connection ends.
#[derive(Debug)]
enum End {
    /// The other side is gone, or the driver has said all that is to be said.
    Gone,
    /// The other side is told why.
    Goodbye { reason: String, retry: bool },
}

impl End {
    fn refuse(reason: impl ToString) -> Self {
        Self::Goodbye {
            reason: reason.to_string(),
            retry: false,
        }
    }

    fn come_again(reason: impl ToString) -> Self {
        Self::Goodbye {
            reason: reason.to_string(),
            retry: true,
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn serve(mut socket: WebSocket, context: Arc<LinkContext>) {
    let guest = match handshake::greet(&mut socket, &context).await {
        Ok(guest) => guest,
        Err(refusal) => {
            tracing::warn!(%refusal, "a runner's connection is refused");
            let end = End::Goodbye {
                retry: refusal.may_retry(),
                reason: refusal.to_string(),
            };
            return pipe::say_goodbye(&mut socket, end).await;
        }
    };
    let session = guest.session;
    let link = context.new_link();
    match guest.hello.pipe {
        Pipe::Control => control::serve(&mut socket, &guest, link, &context).await,
        Pipe::Logs => logs::serve(&mut socket, &guest, link, &context).await,
    }
    context.directory.close_session(&session);
}
