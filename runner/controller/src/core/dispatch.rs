//! Bringing what waits and who has room together.

use wharf_protocol::{Assignment, AttemptKey, ExecutionId, GroupName, RunnerId, ToRunner};

use super::state::Phase;
use super::{Core, Effects};
use crate::model::{Change, Micros, Run};

impl Core {
    /// Assigns what waits in a group, oldest first, to the runners with the fewest attempts, until
    /// nothing waits or nobody has room.
    pub(super) fn dispatch(&mut self, name: &GroupName, now: Micros, fx: &mut Effects) {
        while let Some(group) = self.groups.get_mut(name)
            && let Some(&(_, runner)) = group.ready.first()
            && let Some((_, execution)) = group.queue.pop_first()
        {
            self.assign(execution, runner, now, fx);
        }
    }

    fn assign(&mut self, id: ExecutionId, to: RunnerId, now: Micros, fx: &mut Effects) {
        let (Some(live), Some(runner)) = (self.live.get_mut(&id), self.runners.get_mut(&to)) else {
            return;
        };
        let (Phase::Queued { attempt }, Some(link)) = (&live.phase, &mut runner.link) else {
            return;
        };
        let run = Run {
            attempt: attempt + 1,
            runner: to,
            assigned: now,
        };
        let key = AttemptKey {
            execution: id,
            attempt: run.attempt,
        };
        let lease = now + self.rules.lease;
        self.leases.insert((lease, key));
        link.credits -= 1;
        runner.held.insert(id, run.attempt);
        let order = &live.order;
        let assignment = Assignment {
            key,
            plugin: order.plugin.clone(),
            digest: order.digest,
            action: order.action.clone(),
            input: order.input.clone(),
            rights: order.rights.clone(),
            lease_ms: self.rules.lease / 1000,
        };
        fx.frames
            .push((link.id, ToRunner::Assign(Box::new(assignment))));
        fx.changes.push(Change::Assigned {
            id,
            run: run.clone(),
        });
        live.phase = Phase::Running {
            run,
            lease,
            started: false,
            progress: None,
        };
        self.rank(to);
    }

    /// Puts a runner at its place among those that take work, or takes it out.
    pub(super) fn rank(&mut self, id: RunnerId) {
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        let open = runner
            .link
            .as_ref()
            .is_some_and(|link| link.credits > 0 && !link.draining);
        // Never more than the credits, which are a u32.
        let load = u32::try_from(runner.held.len()).unwrap_or(u32::MAX);
        let rank = open.then_some(load);
        if rank == runner.rank {
            return;
        }
        if let Some(group) = self.groups.get_mut(&runner.record.group) {
            if let Some(old) = runner.rank {
                group.ready.remove(&(old, id));
            }
            if let Some(new) = rank {
                group.ready.insert((new, id));
            }
        }
        runner.rank = rank;
    }
}
