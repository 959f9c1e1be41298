//! When to dial again after a connection has ended: at once after a good one, later after each bad one.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, chance};

/// A connection that lived this long was a good one.
const GOOD: Duration = Duration::from_secs(5);

/// The pauses between the connections of one pipe.
pub(crate) struct Redial {
    backoff: Backoff,
    dialled: Instant,
}

impl Redial {
    /// A connection is dialled now.
    pub(crate) fn begin() -> Self {
        Self {
            backoff: Backoff::default(),
            dialled: Instant::now(),
        }
    }

    /// The connection has ended: waits until the next one may be dialled, or for `stop`.
    pub(crate) async fn pause(&mut self, stop: &CancellationToken) {
        if self.dialled.elapsed() > GOOD {
            self.backoff.reset();
        }
        tokio::select! {
            () = tokio::time::sleep(self.backoff.next(chance())) => {}
            () = stop.cancelled() => {}
        }
        self.dialled = Instant::now();
    }
}
