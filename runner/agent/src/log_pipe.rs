//! The connection for logs, kept open beside the one for everything else. It may lag, break and
//! come back without anyone noticing but the reader of the logs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wharf_protocol::{Pipe, ToRunner};

use crate::audit::{Auditor, RunnerEvent};
use crate::connection::{Connection, Ended, Held};
use crate::dial::Dialer;
use crate::identity::Identity;
use crate::logs::Logs;
use crate::redial::Redial;

/// Keeps the log connection until `stop`.
pub(crate) async fn keep(
    dialer: Arc<Dialer>,
    identity: Arc<Identity>,
    logs: Arc<Logs>,
    audit: Auditor,
    stop: CancellationToken,
) {
    let mut redial = Redial::begin();
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            ended = once(&dialer, &identity, &logs, &stop) => ended,
            () = stop.cancelled() => return,
        };
        if let Ended::Goodbye { retry: false, .. } | Ended::Left = ended {
            return;
        }
        if ended.blames_the_controller() {
            audit.tell(&RunnerEvent::connection_refused(Pipe::Logs, &ended));
        }
        tracing::debug!(reason = %ended, "the log connection ended");
        redial.pause(&stop).await;
    }
}

async fn once(
    dialer: &Dialer,
    identity: &Identity,
    logs: &Logs,
    stop: &CancellationToken,
) -> Ended {
    // What runs is told on the other pipe.
    let held = || std::future::ready(Some(Held::default()));
    let connection = match Connection::open(dialer, identity, Pipe::Logs, held).await {
        Ok(connection) => connection,
        Err(ended) => return ended,
    };
    logs.reconnected();
    let take = |frames: Vec<ToRunner>| {
        for frame in frames {
            if let ToRunner::LogAck { key, next } = frame {
                logs.acknowledged(key, next);
            }
        }
        std::future::ready(())
    };
    connection.serve(|| logs.next(), take, stop).await
}
