//! Stopping an execution that somebody does not want any more.

use wharf_protocol::{AttemptKey, ExecutionId, Timings, ToRunner, Usage, Verdict};

use super::state::Phase;
use super::{Core, Effects};
use crate::model::{CancelAsk, Change, Ending, Micros, View};

/// What a request to stop has done.
#[derive(Debug)]
pub(crate) enum CancelOutcome {
    /// As it stands now: over if it only waited, or else its runner has been asked.
    Asked(View),
    /// The core knows no such execution: it is over since long, or never was.
    NotLive,
}

impl Core {
    /// Ends an execution that waits; asks the runner of one that runs. The result decides then.
    pub(crate) fn cancel(
        &mut self,
        id: ExecutionId,
        ask: CancelAsk,
        now: Micros,
        fx: &mut Effects,
    ) -> CancelOutcome {
        let Some(live) = self.live.get_mut(&id) else {
            return CancelOutcome::NotLive;
        };
        match &live.phase {
            Phase::Queued { attempt } => {
                let ending = Ending {
                    attempt: *attempt,
                    runner: None,
                    finished: now,
                    verdict: Verdict::Cancelled { reason: ask.reason },
                    usage: Usage::default(),
                    timings: Timings::default(),
                };
                let place = (live.order.submitted, id);
                if let Some(group) = self.groups.get_mut(&live.order.group) {
                    group.queue.remove(&place);
                }
                self.finish(id, ending, false, fx);
            }
            Phase::Running { run, .. } => {
                let (runner, attempt) = (run.runner, run.attempt);
                live.cancel = Some(ask.clone());
                fx.changes.push(Change::CancelAsked { id, ask });
                let key = AttemptKey {
                    execution: id,
                    attempt,
                };
                if let Some(link) = self.runners.get(&runner).and_then(|r| r.link.as_ref()) {
                    let link = link.id;
                    self.pass_on_cancel(key, link, fx);
                }
            }
            Phase::Finished { .. } => {}
        }
        self.view(&id)
            .map_or(CancelOutcome::NotLive, CancelOutcome::Asked)
    }

    /// Sends the request to stop, if there is one, to the runner of an attempt.
    pub(super) fn pass_on_cancel(&self, key: AttemptKey, link: super::LinkId, fx: &mut Effects) {
        if let Some(ask) = self
            .live
            .get(&key.execution)
            .and_then(|live| live.cancel.as_ref())
        {
            let cancel = ToRunner::Cancel {
                key,
                reason: ask.reason.clone(),
                grace_ms: ask.grace_ms,
            };
            fx.frames.push((link, cancel));
        }
    }
}
