//! What the state machine holds, and how it comes back from what was kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use wharf_protocol::{AttemptKey, AuditHead, ExecutionId, GroupName, Progress, RunnerId};

use super::LinkId;
use crate::model::{CancelAsk, Ending, Group, Micros, Order, Run, RunnerRecord, Snapshot};

/// Times and bounds.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// How long an attempt is a runner's without a heartbeat.
    pub(crate) lease: Micros,
    /// How often a runner sends a heartbeat.
    pub(crate) heartbeat: Micros,
    /// After how long without a heartbeat an ephemeral runner is forgotten.
    pub(crate) forget: Micros,
    /// The most executions that wait in one group.
    pub(crate) max_queue: usize,
    /// The most bytes that all executions that are not over may hold.
    pub(crate) max_live_bytes: usize,
    /// The most runners.
    pub(crate) max_runners: usize,
    /// The most groups.
    pub(crate) max_groups: usize,
}

/// All executions that are not over, all runners, all groups.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) rules: Rules,
    pub(super) groups: BTreeMap<GroupName, GroupState>,
    pub(super) runners: HashMap<RunnerId, Runner>,
    pub(super) live: HashMap<ExecutionId, Live>,
    /// Idempotency keys of the executions in `live`.
    pub(super) keys: HashMap<String, ExecutionId>,
    /// When each running attempt is lost, soonest first.
    pub(super) leases: BTreeSet<(Micros, AttemptKey)>,
    /// Executions in `live` that are over, until that is durable.
    pub(super) settled: Vec<ExecutionId>,
    pub(super) live_bytes: usize,
    pub(super) next_sweep: Micros,
}

#[derive(Debug)]
pub(super) struct GroupState {
    pub(super) record: Group,
    /// By time of submission, so that what is tried again does not go to the end.
    pub(super) queue: BTreeSet<(Micros, ExecutionId)>,
    /// Runners that take work, by how many attempts they have. Either this or `queue` is empty
    /// between calls.
    pub(super) ready: BTreeSet<(u32, RunnerId)>,
    /// All runners of the group.
    pub(super) members: BTreeSet<RunnerId>,
}

#[derive(Debug)]
pub(super) struct Runner {
    pub(super) record: RunnerRecord,
    pub(super) link: Option<Link>,
    /// Attempts that are its own.
    pub(super) held: BTreeMap<ExecutionId, u32>,
    pub(super) last_seen: Micros,
    /// Where its audit record ends, as it said last. Of this process only.
    pub(super) audit: Option<AuditHead>,
    /// Since when it may be missed: since its connection ended, or since this process began.
    pub(super) absent_since: Micros,
    /// Its place in `GroupState::ready`.
    pub(super) rank: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) credits: u32,
    pub(super) draining: bool,
}

#[derive(Debug)]
pub(super) struct Live {
    pub(super) order: Arc<Order>,
    pub(super) losses: u32,
    pub(super) cancel: Option<CancelAsk>,
    pub(super) phase: Phase,
}

#[derive(Debug)]
pub(super) enum Phase {
    Queued {
        attempt: u32,
    },
    Running {
        run: Run,
        lease: Micros,
        started: bool,
        progress: Option<Progress>,
    },
    /// Over, and not yet durably so.
    Finished {
        ending: Arc<Ending>,
        by_result: bool,
    },
}

impl Core {
    /// What was kept, as it was; leases begin anew, because nobody could renew them meanwhile.
    pub(crate) fn restore(rules: Rules, kept: &Snapshot, now: Micros) -> Self {
        let mut core = Self {
            rules,
            groups: BTreeMap::new(),
            runners: HashMap::new(),
            live: HashMap::new(),
            keys: HashMap::new(),
            leases: BTreeSet::new(),
            settled: Vec::new(),
            live_bytes: 0,
            next_sweep: now,
        };
        for group in &kept.groups {
            core.add_group(group.clone());
        }
        for record in &kept.runners {
            core.add_runner(record.clone(), now);
        }
        for kept in &kept.live {
            core.add_live(kept, now);
        }
        core
    }

    fn add_live(&mut self, kept: &crate::model::LiveRecord, now: Micros) {
        let order = Arc::clone(&kept.order);
        let id = order.id;
        let phase = match &kept.run {
            Some(run) => {
                let lease = now + self.rules.lease;
                let key = AttemptKey {
                    execution: id,
                    attempt: run.attempt,
                };
                self.leases.insert((lease, key));
                if let Some(runner) = self.runners.get_mut(&run.runner) {
                    runner.held.insert(id, run.attempt);
                }
                Phase::Running {
                    run: run.clone(),
                    lease,
                    // Unknown: the careful assumption.
                    started: true,
                    progress: None,
                }
            }
            None => {
                if let Some(group) = self.groups.get_mut(&order.group) {
                    group.queue.insert((order.submitted, id));
                }
                Phase::Queued {
                    attempt: kept.attempt,
                }
            }
        };
        self.live_bytes += order.weight();
        if let Some((key, _)) = &order.idempotency {
            self.keys.insert(key.clone(), id);
        }
        self.live.insert(
            id,
            Live {
                order,
                losses: kept.losses,
                cancel: kept.cancel.clone(),
                phase,
            },
        );
    }

    pub(super) fn add_group(&mut self, record: Group) {
        let state = GroupState {
            record,
            queue: BTreeSet::new(),
            ready: BTreeSet::new(),
            members: BTreeSet::new(),
        };
        self.groups.insert(state.record.name.clone(), state);
    }

    pub(super) fn add_runner(&mut self, record: RunnerRecord, now: Micros) {
        if let Some(group) = self.groups.get_mut(&record.group) {
            group.members.insert(record.id);
        }
        let runner = Runner {
            link: None,
            held: BTreeMap::new(),
            last_seen: record.last_seen,
            audit: None,
            absent_since: now,
            rank: None,
            record,
        };
        self.runners.insert(runner.record.id, runner);
    }

    /// Forgets the executions that are over. The driver calls it when their end is durable.
    pub(crate) fn forget_settled(&mut self) {
        for id in self.settled.drain(..) {
            if let Some(live) = self.live.remove(&id) {
                self.live_bytes -= live.order.weight();
                if let Some((key, _)) = &live.order.idempotency {
                    self.keys.remove(key);
                }
            }
        }
    }

    /// Whether the state machine itself knows this execution.
    pub(crate) fn knows(&self, id: &ExecutionId) -> bool {
        self.live.contains_key(id)
    }

    /// Whether the state machine itself knows this idempotency key.
    pub(crate) fn knows_key(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }
}
