//! What a runner holds, and what follows from it: credits, duplicates, hand-backs, drain.
//!
//! A value with no I/O, no clock and no task: every decision here can be tested by calling it.

use std::collections::{BTreeMap, BTreeSet};

use wharf_protocol::{AttemptKey, HandBackReason};

use crate::over::Over;

/// So many hand-backs are remembered at a time.
const MOST_RETURNS: usize = 4096;

/// How much the journal may hold before no more work is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Results.
    pub(crate) results: usize,
    /// Bytes of them.
    pub(crate) bytes: u64,
}

/// How far an attempt has come that has no result yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Fetching, verifying, compiling: nothing of the plugin has run.
    Preparing,
    /// The action runs, or its result is on the way to the disk.
    Running,
}

/// How long ago a hand-back was sent on this connection, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Return {
    reason: HandBackReason,
    sent: Option<u8>,
}

/// What becomes of an assignment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Run it. An older attempt at the same execution, if there is one, is to be stopped.
    Run {
        /// The older attempt.
        supersedes: Option<AttemptKey>,
    },
    /// It is held already: nothing to do.
    Known,
    /// It has ended here, or a newer attempt at the same execution has: nothing to do. A sound
    /// controller does not ask, and one that is not shall not run things twice.
    Over,
    /// It is handed back: a newer attempt at the same execution is here.
    Overtaken,
    /// It is handed back: there is no room for it.
    NoRoom,
    /// It is handed back: the runner leaves.
    Leaving,
}

/// What becomes of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// The result may go.
    Now,
    /// The result was not sent on this connection, so nobody can have it: it stays.
    Unsent,
    /// There is no such result.
    Unknown,
}

/// Everything a runner holds.
#[derive(Debug)]
pub(crate) struct Attempts {
    slots: usize,
    capacity: Capacity,
    active: BTreeMap<AttemptKey, Phase>,
    /// Results in the journal, and what each takes there.
    kept: BTreeMap<AttemptKey, u64>,
    kept_bytes: u64,
    /// Those of them that are not on their way on this connection.
    waiting: BTreeSet<AttemptKey>,
    /// Given back, and not yet certain to have arrived.
    returning: BTreeMap<AttemptKey, Return>,
    /// Credits that the controller holds on this connection.
    promised: usize,
    /// What has ended here and was acknowledged.
    over: Over,
    draining: bool,
    /// The journal takes no more at the moment.
    blocked: bool,
}

impl Attempts {
    /// A runner with so much room and these results in its journal.
    pub(crate) fn new(
        slots: usize,
        capacity: Capacity,
        journaled: impl IntoIterator<Item = (AttemptKey, u64)>,
    ) -> Self {
        let kept: BTreeMap<_, _> = journaled.into_iter().collect();
        Self {
            slots,
            capacity,
            active: BTreeMap::new(),
            kept_bytes: kept.values().sum(),
            waiting: kept.keys().copied().collect(),
            kept,
            returning: BTreeMap::new(),
            promised: 0,
            over: Over::default(),
            draining: false,
            blocked: false,
        }
    }

    /// How many more attempts could be held now.
    fn room(&self) -> usize {
        if self.draining || self.blocked || self.is_full() {
            return 0;
        }
        let slots = self.slots.saturating_sub(self.active.len());
        let journal = self
            .capacity
            .results
            .saturating_sub(self.kept.len() + self.active.len());
        slots.min(journal)
    }

    /// Whether the journal holds so much that no more work is asked for.
    pub(crate) fn is_full(&self) -> bool {
        self.kept_bytes >= self.capacity.bytes || self.kept.len() >= self.capacity.results
    }

    /// Credits to send now, counted as promised.
    pub(crate) fn credit(&mut self) -> u32 {
        let more = self.room().saturating_sub(self.promised);
        self.promised += more;
        u32::try_from(more).unwrap_or(u32::MAX)
    }

    /// An assignment arrives.
    pub(crate) fn assign(&mut self, key: AttemptKey) -> Taken {
        self.promised = self.promised.saturating_sub(1);
        if self.active.contains_key(&key) || self.kept.contains_key(&key) {
            return Taken::Known;
        }
        let same = |number| AttemptKey {
            execution: key.execution,
            attempt: number,
        };
        let all = same(0)..=same(u32::MAX);
        let newest_kept = self.kept.range(all.clone()).next_back();
        let kept_is_newer = newest_kept.is_some_and(|(kept, _)| kept.attempt > key.attempt);
        if kept_is_newer || self.over.covers(key) {
            return Taken::Over;
        }
        let other = self.active.range(all).map(|(k, _)| *k).next_back();
        // An older try than the one that is running here was overtaken on its way.
        let overtaken = other.is_some_and(|other| other.attempt > key.attempt);
        if overtaken || self.room() == 0 {
            let (reason, taken) = match (self.draining, overtaken) {
                (true, _) => (HandBackReason::Draining, Taken::Leaving),
                (false, true) => (HandBackReason::NoRoom, Taken::Overtaken),
                (false, false) => (HandBackReason::NoRoom, Taken::NoRoom),
            };
            // A controller that ignores the credits altogether gets no answer past this.
            if self.returning.len() < MOST_RETURNS {
                self.returning.insert(key, Return { reason, sent: None });
            }
            return taken;
        }
        self.returning.remove(&key);
        self.active.insert(key, Phase::Preparing);
        Taken::Run { supersedes: other }
    }

    /// The action of an attempt runs now.
    pub(crate) fn started(&mut self, key: AttemptKey) -> bool {
        let phase = self.active.get_mut(&key);
        phase.is_some_and(|phase| std::mem::replace(phase, Phase::Running) == Phase::Preparing)
    }

    /// An attempt that has not started is given back.
    pub(crate) fn give_back(&mut self, key: AttemptKey, reason: HandBackReason) {
        if self.active.remove(&key).is_some() {
            self.returning.insert(key, Return { reason, sent: None });
        }
    }

    /// The result of an attempt is on disk.
    pub(crate) fn journaled(&mut self, key: AttemptKey, bytes: u64) {
        if self.active.remove(&key).is_some() {
            self.kept.insert(key, bytes);
            self.kept_bytes += bytes;
            self.waiting.insert(key);
        }
    }

    /// A result is on its way on this connection.
    pub(crate) fn sent(&mut self, key: AttemptKey) {
        self.waiting.remove(&key);
    }

    /// A result could not be sent after all; it waits again.
    pub(crate) fn unsent(&mut self, key: AttemptKey) {
        if self.kept.contains_key(&key) {
            self.waiting.insert(key);
        }
    }

    /// Whether a result waits to be sent.
    pub(crate) fn is_waiting(&self, key: AttemptKey) -> bool {
        self.waiting.contains(&key)
    }

    /// The controller says that it has a result.
    pub(crate) fn acknowledged(&mut self, key: AttemptKey) -> Acknowledged {
        if self.waiting.contains(&key) {
            return Acknowledged::Unsent;
        }
        let Some(bytes) = self.kept.remove(&key) else {
            return Acknowledged::Unknown;
        };
        self.kept_bytes -= bytes;
        self.over.add(key);
        Acknowledged::Now
    }

    /// Up to so many results that wait to be sent.
    pub(crate) fn waiting(&self, most: usize) -> Vec<AttemptKey> {
        self.waiting.iter().copied().take(most).collect()
    }

    /// Hand-backs to send now.
    pub(crate) fn returns(&mut self) -> Vec<(AttemptKey, HandBackReason)> {
        let unsent = self.returning.iter_mut().filter(|(_, r)| r.sent.is_none());
        unsent
            .map(|(key, back)| {
                back.sent = Some(0);
                (*key, back.reason)
            })
            .collect()
    }

    /// Some time has passed on this connection: what was handed back two ticks ago has arrived.
    pub(crate) fn tick(&mut self) {
        self.returning.retain(|_, back| {
            back.sent = back.sent.map(|ticks| ticks.saturating_add(1));
            back.sent.is_none_or(|ticks| ticks < 2)
        });
    }

    /// The connection has ended: credits are forgotten, nothing is on its way.
    pub(crate) fn disconnected(&mut self) {
        self.promised = 0;
        self.waiting = self.kept.keys().copied().collect();
        for back in self.returning.values_mut() {
            back.sent = None;
        }
    }

    /// Takes no more work. Gives the attempts that may not have started yet.
    pub(crate) fn drain(&mut self) -> Vec<AttemptKey> {
        self.draining = true;
        self.in_phase(Phase::Preparing)
    }

    /// The journal cannot be written, or can again.
    pub(crate) fn set_blocked(&mut self, blocked: bool) {
        self.blocked = blocked;
    }

    /// Attempts without a result, and those whose hand-back may not have arrived: the controller
    /// must not take them for lost.
    pub(crate) fn held(&self) -> Vec<AttemptKey> {
        self.active
            .keys()
            .chain(self.returning.keys())
            .copied()
            .collect()
    }

    /// Attempts whose results are in the journal.
    pub(crate) fn journal(&self) -> Vec<AttemptKey> {
        self.kept.keys().copied().collect()
    }

    /// Attempts without a result.
    #[cfg(test)]
    pub(crate) fn active(&self) -> Vec<AttemptKey> {
        self.active.keys().copied().collect()
    }

    fn in_phase(&self, wanted: Phase) -> Vec<AttemptKey> {
        self.active
            .iter()
            .filter(|(_, phase)| **phase == wanted)
            .map(|(key, _)| *key)
            .collect()
    }

    /// Whether nothing has still to be run.
    pub(crate) fn idle(&self) -> bool {
        self.active.is_empty()
    }

    /// Whether nothing has still to be run or delivered.
    pub(crate) fn finished(&self) -> bool {
        self.idle()
            && self.kept.is_empty()
            && self.returning.values().all(|back| back.sent.is_some())
    }

    /// Running, journaled, promised: for the status.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.active.len(), self.kept.len(), self.promised)
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
