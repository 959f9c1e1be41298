//! Leaving: what a runner on its way out still does, and when it may go.

use std::time::Duration;

use tokio::time::Instant;
use wharf_protocol::{HandBackReason, ToController};

use super::Core;

/// How long a runner whose attempts were ended waits for acknowledgements.
const LAST_ACKS: Duration = Duration::from_secs(10);

/// How far a runner is on its way out.
pub(super) enum Leaving {
    No,
    /// Until then, what runs may finish and results may be delivered.
    Draining(Instant),
    /// What ran was ended; until then, results may be delivered.
    Killed(Instant),
}

impl Core {
    pub(super) fn drain(&mut self) {
        if !matches!(self.leaving, Leaving::No) {
            return;
        }
        tracing::info!("draining: no more work is taken");
        self.leaving = Leaving::Draining(Instant::now() + self.parts.drain_timeout);
        self.now(&ToController::Draining);
        for key in self.parts.attempts.drain() {
            let withdrawn = self.running.get(&key).is_some_and(|r| r.gate.withdraw());
            if withdrawn && let Some(running) = self.running.remove(&key) {
                running.cancel.kill("the runner leaves");
                self.parts.attempts.give_back(key, HandBackReason::Draining);
            }
        }
        self.publish();
    }

    pub(super) fn kill(&mut self, reason: &str) {
        self.drain();
        self.leaving = Leaving::Killed(Instant::now() + LAST_ACKS);
        for running in self.running.values() {
            running.cancel.kill(reason);
        }
    }

    /// Ends what still runs when the drain has taken too long.
    pub(super) fn hurry(&mut self) {
        if let Leaving::Draining(until) = self.leaving
            && Instant::now() >= until
            && !self.parts.attempts.idle()
        {
            tracing::warn!("the drain took too long: what still runs is ended");
            self.kill("the runner leaves and could not wait longer");
        }
    }

    /// Whether nothing is left to do, or nothing that is worth waiting for longer.
    pub(super) fn may_leave(&self) -> bool {
        if self.rejected.is_some() && self.parts.attempts.idle() {
            return true;
        }
        match self.leaving {
            Leaving::No => false,
            Leaving::Draining(until) => {
                let idle = self.parts.attempts.idle();
                self.parts.attempts.finished() || (idle && Instant::now() >= until)
            }
            Leaving::Killed(until) => self.parts.attempts.finished() || Instant::now() >= until,
        }
    }
}
