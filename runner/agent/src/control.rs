//! The connection for everything but logs, kept open for as long as the runner lives. One at a
//! time: a new one is dialled only when the old one has ended.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wharf_protocol::Pipe;

use crate::connection::{Connection, Ended};
use crate::core::Event;
use crate::dial::Dialer;
use crate::identity::Identity;
use crate::outbox::Outbox;
use crate::redial::Redial;

/// Keeps the connection until `stop`, or until the controller will not have this runner.
pub(crate) async fn keep(
    dialer: Arc<Dialer>,
    identity: Arc<Identity>,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) {
    let mut redial = Redial::begin();
    let mut number = 0;
    while !stop.is_cancelled() {
        number += 1;
        let ended = tokio::select! {
            ended = once(&dialer, &identity, &events, number, &stop) => ended,
            () = stop.cancelled() => Ended::Left,
        };
        let last = matches!(ended, Ended::Left | Ended::Goodbye { retry: false, .. });
        // If nobody listens any more, the runner has left: it must not come back to say nothing.
        let told = events.send(Event::Disconnected(number, ended)).await;
        if last || told.is_err() {
            return;
        }
        redial.pause(&stop).await;
    }
}

async fn once(
    dialer: &Dialer,
    identity: &Identity,
    events: &mpsc::Sender<Event>,
    number: u64,
    stop: &CancellationToken,
) -> Ended {
    let held = || async {
        let (answer, held) = oneshot::channel();
        events.send(Event::Hello(answer)).await.ok()?;
        held.await.ok()
    };
    let connection = match Connection::open(dialer, identity, Pipe::Control, held).await {
        Ok(connection) => connection,
        Err(ended) => return ended,
    };
    let outbox = Arc::new(Outbox::default());
    let connected = Event::Connected {
        number,
        welcome: connection.welcome.clone(),
        outbox: Arc::clone(&outbox),
    };
    let _ = events.send(connected).await;
    let take = |frames| {
        let events = events.clone();
        async move {
            let _ = events.send(Event::Frames(number, frames)).await;
        }
    };
    connection.serve(|| outbox.next(), take, stop).await
}

/// Serves the runner's own loop and its control connection, on a thread that runs no plugin.
pub(crate) fn thread(
    work: impl Future<Output = ()> + Send + 'static,
) -> Result<std::thread::JoinHandle<()>, crate::AgentError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| crate::AgentError::part("control thread", error))?;
    std::thread::Builder::new()
        .name("wharf-control".to_owned())
        .spawn(move || runtime.block_on(work))
        .map_err(|error| crate::AgentError::part("control thread", error))
}
