//! SIGTERM and SIGINT: the first drains, the second ends what runs.

use std::future::Future;

use crate::core::Event;
use crate::{AgentError, Left, Running};

impl Running {
    /// Waits until the runner has left, and answers the signals meanwhile: the first SIGTERM or
    /// SIGINT drains, the second ends what still runs.
    ///
    /// # Errors
    /// As [`Running::wait`], or signals cannot be listened to.
    pub async fn wait_with_signals(self) -> Result<Left, AgentError> {
        let mut signals = Signals::listen()?;
        let (events, ended) = self.apart();
        let answer = async {
            signals.next().await;
            tracing::info!("asked to leave: draining; ask again to end what runs");
            let _ = events.send(Event::Drain).await;
            signals.next().await;
            tracing::warn!("asked to leave again: ending what runs");
            let reason = "the runner was told to stop at once".to_owned();
            let _ = events.send(Event::Kill(reason)).await;
            std::future::pending::<()>().await;
        };
        beside(Self::join(ended), answer).await
    }
}

/// The first future's result, with the second one going on beside it.
async fn beside<T>(first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    let first = std::pin::pin!(first);
    let second = std::pin::pin!(second);
    match futures_util::future::select(first, second).await {
        futures_util::future::Either::Left((result, _)) => result,
        futures_util::future::Either::Right(((), first)) => first.await,
    }
}

#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Result<Self, AgentError> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen =
            |kind| signal(kind).map_err(|error| AgentError::part("listening to signals", error));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Result<Self, AgentError> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
