//! The end of an attempt: with a result, or lost, or given back.

use std::sync::Arc;

use wharf_protocol::{AttemptKey, ExecutionId, RunnerId, Timings, ToRunner, Usage, Verdict};

use super::state::Phase;
use super::{Core, Effects};
use crate::model::{Change, Ending, MAX_LOSSES, Micros, Run};

/// How an attempt ended without a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Without {
    /// Nobody knows whether it ran.
    Lost,
    /// It surely did not run.
    Unstarted,
}

impl Core {
    /// The running attempt of an execution, if it is this one.
    pub(super) fn current(&self, key: AttemptKey) -> Option<&Run> {
        match &self.live.get(&key.execution)?.phase {
            Phase::Running { run, .. } if run.attempt == key.attempt => Some(run),
            _ => None,
        }
    }

    /// Whether an attempt runs, and is this runner's.
    pub(super) fn is_held_by(&self, key: AttemptKey, runner: RunnerId) -> bool {
        self.current(key).is_some_and(|run| run.runner == runner)
    }

    /// Takes a running attempt from its runner.
    fn release(&mut self, key: AttemptKey) -> Option<Run> {
        let live = self.live.get_mut(&key.execution)?;
        let Phase::Running { run, lease, .. } = &live.phase else {
            return None;
        };
        if run.attempt != key.attempt {
            return None;
        }
        let (run, lease) = (run.clone(), *lease);
        live.phase = Phase::Queued {
            attempt: run.attempt,
        };
        self.leases.remove(&(lease, key));
        if let Some(runner) = self.runners.get_mut(&run.runner) {
            runner.held.remove(&key.execution);
        }
        self.rank(run.runner);
        Some(run)
    }

    /// Ends a running attempt with its own result.
    pub(super) fn complete(
        &mut self,
        key: AttemptKey,
        (verdict, usage, timings): (Verdict, Usage, Timings),
        now: Micros,
        fx: &mut Effects,
    ) {
        let Some(run) = self.release(key) else { return };
        let ending = Ending {
            attempt: run.attempt,
            runner: Some((run.runner, run.assigned)),
            finished: now,
            verdict,
            usage,
            timings,
        };
        self.finish(key.execution, ending, true, fx);
    }

    /// Ends a running attempt that brings no result, and decides what becomes of its execution.
    pub(super) fn give_up(
        &mut self,
        key: AttemptKey,
        how: Without,
        why: &str,
        now: Micros,
        fx: &mut Effects,
    ) {
        let Some(run) = self.release(key) else { return };
        let Some(live) = self.live.get_mut(&key.execution) else {
            return;
        };
        if how == Without::Lost {
            live.losses += 1;
        }
        let harmless = how == Without::Unstarted || live.order.idempotent;
        let verdict = match &live.cancel {
            Some(ask) if harmless => Some(Verdict::Cancelled {
                reason: ask.reason.clone(),
            }),
            _ if !harmless => Some(Verdict::Lost {
                message: format!(
                    "{why}; whether the action took effect is not known, and it is not declared idempotent, so it is not tried again"
                ),
            }),
            _ if live.losses >= MAX_LOSSES => Some(Verdict::Lost {
                message: format!(
                    "{why}; {} attempts were lost, which is the limit",
                    live.losses
                ),
            }),
            _ => None,
        };
        if let Some(verdict) = verdict {
            let ending = Ending {
                attempt: run.attempt,
                runner: Some((run.runner, run.assigned)),
                finished: now,
                verdict,
                usage: Usage::default(),
                timings: Timings::default(),
            };
            return self.finish(key.execution, ending, false, fx);
        }
        fx.changes.push(Change::Requeued {
            id: key.execution,
            run,
            losses: live.losses,
            at: now,
            why: why.to_owned(),
        });
        let (name, place) = (
            live.order.group.clone(),
            (live.order.submitted, key.execution),
        );
        if let Some(group) = self.groups.get_mut(&name) {
            group.queue.insert(place);
        }
        self.dispatch(&name, now, fx);
    }

    /// Ends an execution. It is neither running nor in the queue any more.
    pub(super) fn finish(
        &mut self,
        id: ExecutionId,
        ending: Ending,
        by_result: bool,
        fx: &mut Effects,
    ) {
        let Some(live) = self.live.get_mut(&id) else {
            return;
        };
        let ending = Arc::new(ending);
        fx.changes.push(Change::Finished {
            id,
            ending: Arc::clone(&ending),
            by_result,
        });
        live.phase = Phase::Finished { ending, by_result };
        self.settled.push(id);
        fx.finished.extend(self.view(&id));
    }

    /// Lets time pass: leases run out, ephemeral runners that are gone are forgotten.
    pub(crate) fn tick(&mut self, now: Micros, fx: &mut Effects) {
        while let Some(&(until, key)) = self.leases.first()
            && until <= now
        {
            let holder = self.current(key).map(|run| run.runner);
            self.give_up(
                key,
                Without::Lost,
                "the lease ran out without a heartbeat of the runner",
                now,
                fx,
            );
            if let Some(runner) = holder {
                self.fence(runner, key, fx);
            }
            // Gone already unless the two disagree; a stale entry must not hold up the others.
            self.leases.remove(&(until, key));
        }
        if self.next_sweep <= now {
            self.next_sweep = now + 1_000_000;
            self.forget_gone(now, fx);
        }
    }

    /// Tells a runner that an attempt is not its own any more, so that it stops.
    pub(super) fn fence(&self, runner: RunnerId, key: AttemptKey, fx: &mut Effects) {
        if let Some(link) = self.runners.get(&runner).and_then(|r| r.link.as_ref()) {
            let cancel = ToRunner::Cancel {
                key,
                reason: "the attempt is not this runner's any more".to_owned(),
                grace_ms: 0,
            };
            fx.frames.push((link.id, cancel));
        }
    }
}
