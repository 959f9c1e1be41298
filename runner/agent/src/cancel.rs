//! Stopping an attempt: ask it, wait out the grace, end it. And the gate between preparing and
//! running, which an attempt passes at most once.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::connection::plain;

/// No grace is longer than this, whatever is asked.
const LONGEST_GRACE: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Asked {
    reason: String,
    grace: Duration,
}

/// How an attempt learns that it should stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cancel {
    asked: Arc<OnceLock<Asked>>,
    requested: CancellationToken,
    killed: CancellationToken,
}

impl Cancel {
    /// Asks the attempt to stop; after the grace it is ended. Only the first reason counts.
    pub(crate) fn request(&self, reason: &str, grace: Duration) {
        let asked = Asked {
            reason: plain(reason),
            grace: grace.min(LONGEST_GRACE),
        };
        // A second request changes nothing: the grace of the first runs already.
        let _ = self.asked.set(asked);
        self.requested.cancel();
    }

    /// Ends the attempt now.
    pub(crate) fn kill(&self, reason: &str) {
        self.request(reason, Duration::ZERO);
        self.killed.cancel();
    }

    /// Cancelled when someone asks the attempt to stop.
    pub(crate) fn requested(&self) -> &CancellationToken {
        &self.requested
    }

    /// Who or what asked.
    pub(crate) fn reason(&self) -> String {
        self.asked
            .get()
            .map_or_else(String::new, |asked| asked.reason.clone())
    }

    /// Comes when the attempt must end: at once if it waits at the gate, else after the grace.
    /// Tells whether the action runs.
    pub(crate) async fn due(&self, gate: &Gate) -> Due {
        self.requested.cancelled().await;
        if gate.cancel() {
            return Due::NotStarted;
        }
        let grace = self.asked.get().map_or(Duration::ZERO, |asked| asked.grace);
        tokio::select! {
            () = self.killed.cancelled() => {}
            () = tokio::time::sleep(grace) => {}
        }
        Due::Running
    }
}

/// What has to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The action has not begun, and will not.
    NotStarted,
    /// The action runs.
    Running,
}

const WAITING: u8 = 0;
const PASSED: u8 = 1;
const CANCELLED: u8 = 2;
const WITHDRAWN: u8 = 3;

/// The gate between preparing and running: either the attempt passes it, or someone shuts it
/// first, and then the action never runs.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU8);

impl Gate {
    /// The attempt wants to run, or has a result without having run. `false` if the gate was shut.
    pub(crate) fn pass(&self) -> bool {
        self.turn(PASSED)
    }

    /// Keeps the attempt from running; it ends as cancelled. `false` if it runs already.
    pub(crate) fn cancel(&self) -> bool {
        self.turn(CANCELLED) || self.is_withdrawn()
    }

    /// Keeps the attempt from running; it ends without a result, to be handed back. `false` if it
    /// runs or ends already.
    pub(crate) fn withdraw(&self) -> bool {
        self.turn(WITHDRAWN)
    }

    /// Whether the action runs, or has run.
    pub(crate) fn has_passed(&self) -> bool {
        self.0.load(Ordering::Acquire) == PASSED
    }

    /// Whether the attempt must leave no result.
    pub(crate) fn is_withdrawn(&self) -> bool {
        self.0.load(Ordering::Acquire) == WITHDRAWN
    }

    fn turn(&self, to: u8) -> bool {
        match self
            .0
            .compare_exchange(WAITING, to, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => true,
            Err(already) => already == to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[test]
    fn an_attempt_that_was_withdrawn_never_passes_the_gate_and_the_other_way_round() {
        let gate = Gate::default();
        assert!(gate.withdraw());
        assert!(!gate.pass());
        let gate = Gate::default();
        assert!(gate.pass());
        assert!(!gate.withdraw() && !gate.cancel());
        let gate = Gate::default();
        assert!(gate.cancel());
        assert!(!gate.withdraw(), "its result is on the way");
    }

    #[tokio::test]
    async fn a_running_attempt_gets_its_grace_and_a_waiting_one_none() {
        let cancel = Cancel::default();
        assert_eq!(cancel.due(&Gate::default()).now_or_never(), None);
        cancel.request("enough", Duration::from_secs(10));
        let waiting = cancel.due(&Gate::default()).now_or_never();
        assert_eq!(waiting, Some(Due::NotStarted));
        let running = Gate::default();
        running.pass();
        assert_eq!(cancel.due(&running).now_or_never(), None);
        assert_eq!(cancel.reason(), "enough");
    }

    #[tokio::test]
    async fn a_kill_does_not_wait_for_the_grace() {
        let cancel = Cancel::default();
        let running = Gate::default();
        running.pass();
        cancel.request("please", Duration::from_secs(10));
        cancel.kill("now");
        assert_eq!(cancel.due(&running).now_or_never(), Some(Due::Running));
        assert_eq!(cancel.reason(), "please", "the first reason counts");
    }
}
