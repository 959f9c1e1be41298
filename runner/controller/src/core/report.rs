//! What runners say while they work.

use wharf_protocol::{
    Acceptance, AttemptKey, AuditHead, Progress, RunnerId, Timings, ToRunner, Usage, Verdict,
};

use super::attempt::Without;
use super::state::{Phase, Runner};
use super::{Core, Effects, LinkId};
use crate::model::{Change, DeadLetter, Micros, Past};

/// The most credits that are believed of one runner.
const MAX_CREDITS: u32 = 10_000;

/// One thing that a runner says on its control pipe after the greeting.
#[derive(Debug)]
pub(crate) enum Report {
    /// Room for so many more.
    Credit(u32),
    /// The assignment has arrived.
    Accept,
    /// The action runs.
    Started(AttemptKey),
    /// Still here.
    Heartbeat {
        /// Attempts that it has.
        running: Vec<AttemptKey>,
        /// How far they are.
        progress: Vec<(AttemptKey, Progress)>,
        /// Where its audit record ends.
        audit: Option<AuditHead>,
    },
    /// An attempt has ended.
    Result {
        /// Which.
        key: AttemptKey,
        /// How, and what it took.
        outcome: Box<(Verdict, Usage, Timings)>,
    },
    /// An attempt comes back unstarted.
    HandBack(AttemptKey),
    /// No more work.
    Draining,
}

impl Core {
    /// Takes in what a runner says. `past` is what is kept of an execution that a result is about
    /// and that the core does not know.
    pub(crate) fn report(
        &mut self,
        runner: RunnerId,
        link: LinkId,
        report: Report,
        past: Option<Past>,
        now: Micros,
        fx: &mut Effects,
    ) {
        let Some(entry) = self.runners.get_mut(&runner) else {
            return;
        };
        let group = entry.record.group.clone();
        let current = entry.link.as_mut().filter(|known| known.id == link);
        let is_current = current.is_some();
        if is_current {
            entry.last_seen = now;
        }
        match report {
            Report::Credit(add) => {
                if let Some(known) = entry.link.as_mut().filter(|known| known.id == link) {
                    known.credits = known.credits.saturating_add(add).min(MAX_CREDITS);
                    self.rank(runner);
                    self.dispatch(&group, now, fx);
                }
            }
            Report::Accept => {}
            Report::Started(key) => {
                if self.is_held_by(key, runner)
                    && let Some(live) = self.live.get_mut(&key.execution)
                    && let Phase::Running { started, .. } = &mut live.phase
                {
                    *started = true;
                }
            }
            Report::Heartbeat {
                running,
                progress,
                audit,
            } if is_current => {
                remember(entry, audit);
                self.heartbeat(runner, &running, progress, now, fx);
            }
            // Of a connection that has been replaced.
            Report::Heartbeat { .. } => {}
            Report::Result { key, outcome } => {
                let acceptance = self.judge(runner, key, past);
                match acceptance {
                    Acceptance::Accepted => self.complete(key, *outcome, now, fx),
                    Acceptance::Late => {
                        fx.changes.push(Change::DeadLettered(Box::new(DeadLetter {
                            key,
                            runner,
                            received: now,
                            verdict: outcome.0,
                        })));
                    }
                    Acceptance::Duplicate | Acceptance::Unknown => {}
                }
                fx.frames
                    .push((link, ToRunner::ResultAck { key, acceptance }));
            }
            Report::HandBack(key) => self.hand_back(runner, key, now, fx),
            Report::Draining => {
                if let Some(known) = entry.link.as_mut().filter(|known| known.id == link) {
                    known.draining = true;
                    self.rank(runner);
                }
            }
        }
    }

    /// What becomes of a result: accepted once, from the attempt that holds the lease.
    fn judge(&self, runner: RunnerId, key: AttemptKey, past: Option<Past>) -> Acceptance {
        let past = match self.live.get(&key.execution).map(|live| &live.phase) {
            Some(Phase::Running { run, .. }) if run.attempt == key.attempt => {
                return if run.runner == runner {
                    Acceptance::Accepted
                } else {
                    Acceptance::Unknown
                };
            }
            Some(Phase::Running { run, .. }) => Past {
                attempt: run.attempt,
                by_result: false,
            },
            Some(Phase::Queued { attempt }) => Past {
                attempt: *attempt,
                by_result: false,
            },
            Some(Phase::Finished { ending, by_result }) => Past {
                attempt: ending.attempt,
                by_result: *by_result,
            },
            None => match past {
                Some(past) => past,
                None => return Acceptance::Unknown,
            },
        };
        if key.attempt == 0 || key.attempt > past.attempt {
            Acceptance::Unknown
        } else if key.attempt == past.attempt && past.by_result {
            Acceptance::Duplicate
        } else {
            Acceptance::Late
        }
    }

    pub(super) fn heartbeat(
        &mut self,
        runner: RunnerId,
        running: &[AttemptKey],
        progress: Vec<(AttemptKey, Progress)>,
        now: Micros,
        fx: &mut Effects,
    ) {
        let until = now + self.rules.lease;
        for key in running {
            if !self.is_held_by(*key, runner) {
                self.fence(runner, *key, fx);
            } else if let Some(live) = self.live.get_mut(&key.execution)
                && let Phase::Running { lease, .. } = &mut live.phase
            {
                self.leases.remove(&(*lease, *key));
                *lease = until;
                self.leases.insert((until, *key));
            }
        }
        for (key, news) in progress {
            if self.is_held_by(key, runner)
                && let Some(live) = self.live.get_mut(&key.execution)
                && let Phase::Running { progress, .. } = &mut live.phase
            {
                *progress = Some(news);
            }
        }
    }

    fn hand_back(&mut self, runner: RunnerId, key: AttemptKey, now: Micros, fx: &mut Effects) {
        if !self.is_held_by(key, runner) {
            return;
        }
        let started = matches!(
            self.live.get(&key.execution).map(|live| &live.phase),
            Some(Phase::Running { started: true, .. })
        );
        if started {
            // A runner that gives back what it has begun cannot say that it did nothing.
            self.give_up(
                key,
                Without::Lost,
                "the runner gave it back after it began",
                now,
                fx,
            );
        } else {
            self.give_up(
                key,
                Without::Unstarted,
                "the runner gave it back unstarted",
                now,
                fx,
            );
        }
    }
}

/// Keeps where a runner's audit record ends. A record only grows: one that ends earlier than it did
/// was cut, or began anew.
fn remember(runner: &mut Runner, head: Option<AuditHead>) {
    let Some(head) = head else { return };
    if let Some(known) = runner
        .audit
        .filter(|known| head.seq < known.seq || (head.seq == known.seq && head.hash != known.hash))
    {
        tracing::warn!(
            runner = %runner.record.id, %head, %known,
            "the audit record of a runner is another than it was, or was cut"
        );
    }
    runner.audit = Some(head);
}
