//! What stores lend for one execution: renewed while the execution holds it, given back when it
//! lets go, however that comes about.
//!
//! Every lease has a task of its own that outlives the execution by as long as giving back takes.
//! Giving back is tried again while the store does not answer, but never for longer than the lease
//! can hold by itself, and never by too many at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::period::from_now;
use crate::{Lease, SecretStore, StoreError, Trouble};

/// Leases that are held or being given back at a time; past that, none are taken.
const MOST: usize = 4096;
/// Leases that are given back at the same moment.
const AT_A_TIME: usize = 16;
/// Giving back is not tried for longer than this.
const LONGEST: Duration = Duration::from_secs(600);
/// Between two tries, at first and at last.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// The leases of one execution. They are given back in the background when this is dropped.
#[derive(Default)]
#[must_use = "dropping it gives the leases back"]
pub struct Leases(Vec<DropGuard>);

impl Leases {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was lent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn push(&mut self, guard: DropGuard) {
        self.0.push(guard);
    }
}

/// Takes care of every lease of a runner.
pub(crate) struct Keeper {
    pub(crate) tasks: TaskTracker,
    turns: Arc<Semaphore>,
}

impl Default for Keeper {
    fn default() -> Self {
        Self {
            tasks: TaskTracker::new(),
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }
}

impl Keeper {
    /// Whether one more lease could be looked after.
    pub(crate) fn has_room(&self) -> bool {
        self.tasks.len() < MOST
    }

    /// Looks after a lease until the guard is dropped, and then gives it back.
    pub(crate) fn hold(
        &self,
        store: Arc<dyn SecretStore>,
        name: Arc<str>,
        lease: Lease,
    ) -> DropGuard {
        let released = CancellationToken::new();
        let held = Held {
            expires: from_now(lease.period),
            store,
            name,
            lease,
        };
        let (turns, gone) = (Arc::clone(&self.turns), released.clone());
        self.tasks
            .spawn(async move { held.keep(gone, &turns).await });
        released.drop_guard()
    }

    /// Waits until everything that was let go is given back, and no longer than this. What is
    /// still held then holds until it runs out.
    pub(crate) async fn finish(&self, within: Duration) {
        self.tasks.close();
        if timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                leases = self.tasks.len(),
                "leases could not be given back in time: they hold until they run out"
            );
        }
        self.tasks.reopen();
    }
}

struct Held {
    store: Arc<dyn SecretStore>,
    name: Arc<str>,
    lease: Lease,
    expires: Instant,
}

impl Held {
    async fn keep(mut self, released: CancellationToken, turns: &Semaphore) {
        tokio::select! {
            biased;
            () = released.cancelled() => {}
            () = self.renew() => released.cancelled().await,
        }
        self.give_back(turns).await;
    }

    /// Renews the lease until that is not possible any more.
    async fn renew(&mut self) {
        while self.lease.renewable {
            // With a third of its time left, so that one failure is not the end of it.
            let left = self.expires.saturating_duration_since(Instant::now());
            sleep(left - left / 3).await;
            match self.store.renew(&self.lease).await {
                Ok(period) if period > FIRST_PAUSE => {
                    self.lease.period = period;
                    self.expires = from_now(period);
                }
                // Whatever it says: while the lease is not over, another answer is possible. An
                // engine whose backend is away for a second refuses, and so does a standby.
                Err(error) if !self.is_over() => {
                    tracing::warn!(store = %self.name, %error, "a lease could not be renewed; trying again");
                    sleep(FIRST_PAUSE.max(left / 10)).await;
                }
                Ok(_) | Err(_) => {
                    tracing::warn!(store = %self.name, "a lease is not to be had for longer, and the execution that needs it still runs");
                    return;
                }
            }
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.expires
    }

    /// When the store has dropped it by itself, whatever came of the last renewal.
    fn latest(&self) -> Instant {
        match self.lease.period {
            // Nobody knows for how long it was lent.
            Duration::ZERO => from_now(LONGEST),
            // A renewal whose answer was lost may have counted.
            period if self.lease.renewable => from_now(period),
            _ => self.expires,
        }
    }

    async fn give_back(&self, turns: &Semaphore) {
        let until = self.latest().min(Instant::now() + LONGEST);
        let mut pause = FIRST_PAUSE;
        loop {
            let error = {
                // Never closed.
                let _turn = turns.acquire().await.ok();
                match self.store.revoke(&self.lease).await {
                    Ok(()) => return,
                    Err(error) => error,
                }
            };
            if error.trouble() != Trouble::Outage || Instant::now() + pause >= until {
                return self.left_behind(&error);
            }
            sleep_until(Instant::now() + pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    fn left_behind(&self, error: &StoreError) {
        tracing::error!(
            store = %self.name,
            %error,
            "a lease could not be given back: what was lent holds until the store drops it by itself"
        );
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
