//! Groups and runners: enrolment, connections, removal.

use std::collections::HashSet;

use wharf_protocol::{AttemptKey, BootId, RunnerId};

use super::attempt::Without;
use super::state::Link;
use super::{Core, Effects, LinkId};
use crate::model::{Change, Group, GroupKind, Micros, RunnerRecord};

/// What a runner says of itself when it connects.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    /// Which process of the runner.
    pub(crate) boot: BootId,
    /// Its host's name.
    pub(crate) host: String,
    /// Its version.
    pub(crate) version: String,
    /// Attempts that it runs.
    pub(crate) running: Vec<AttemptKey>,
    /// Attempts whose results it keeps.
    pub(crate) journaled: Vec<AttemptKey>,
}

/// Why a group cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupRefusal {
    /// It exists, and is of the other kind.
    OtherKind(GroupKind),
    /// There are as many as there may be.
    TooMany(usize),
}

/// Why a runner cannot enrol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnrolRefusal {
    /// Its group does not exist.
    NoGroup,
    /// Its key is that of a runner of another group.
    KeyTaken,
    /// There are as many as there may be.
    TooMany(usize),
}

impl Core {
    /// Makes a group; one that is there already, and the same, is fine.
    pub(crate) fn create_group(
        &mut self,
        group: Group,
        fx: &mut Effects,
    ) -> Result<(), GroupRefusal> {
        if let Some(known) = self.groups.get(&group.name) {
            return if known.record.kind == group.kind {
                Ok(())
            } else {
                Err(GroupRefusal::OtherKind(known.record.kind))
            };
        }
        if self.groups.len() >= self.rules.max_groups {
            return Err(GroupRefusal::TooMany(self.rules.max_groups));
        }
        fx.changes.push(Change::GroupCreated(group.clone()));
        self.add_group(group);
        Ok(())
    }

    /// Takes a runner in. One that asks again with its key gets the same id again.
    pub(crate) fn enrol(
        &mut self,
        record: RunnerRecord,
        fx: &mut Effects,
    ) -> Result<RunnerId, EnrolRefusal> {
        if !self.groups.contains_key(&record.group) {
            return Err(EnrolRefusal::NoGroup);
        }
        if let Some(known) = self
            .runners
            .values()
            .map(|runner| &runner.record)
            .find(|known| known.public_key == record.public_key)
        {
            return if known.group == record.group {
                Ok(known.id)
            } else {
                Err(EnrolRefusal::KeyTaken)
            };
        }
        if self.runners.len() >= self.rules.max_runners {
            return Err(EnrolRefusal::TooMany(self.rules.max_runners));
        }
        let id = record.id;
        fx.changes.push(Change::RunnerEnrolled(record.clone()));
        let now = record.enrolled;
        self.add_runner(record, now);
        Ok(id)
    }

    /// A runner has proved who it is: this connection is its one from now on. Whether it is known.
    pub(crate) fn connect(
        &mut self,
        id: RunnerId,
        link: LinkId,
        greeting: Greeting,
        now: Micros,
        fx: &mut Effects,
    ) -> bool {
        let Some(runner) = self.runners.get_mut(&id) else {
            return false;
        };
        let new = Link {
            id: link,
            credits: 0,
            draining: false,
        };
        if let Some(old) = runner.link.replace(new) {
            let why = "another connection of this runner took its place";
            fx.hangups.push((old.id, why, true));
        }
        runner.last_seen = now;
        runner.record.last_seen = now;
        // All that is held was assigned to the process that connected last. If this is the same
        // one, it knows of everything that has reached it.
        let same_process = runner.record.boot.replace(greeting.boot) == Some(greeting.boot);
        runner.record.host.clone_from(&greeting.host);
        runner.record.version.clone_from(&greeting.version);
        let held: Vec<_> = runner
            .held
            .iter()
            .map(|(&execution, &attempt)| AttemptKey { execution, attempt })
            .collect();
        fx.changes.push(Change::RunnerSeen {
            id,
            boot: Some(greeting.boot),
            host: greeting.host,
            version: greeting.version,
            at: now,
        });
        self.rank(id);
        let has: HashSet<_> = greeting
            .running
            .iter()
            .chain(&greeting.journaled)
            .copied()
            .collect();
        for key in held {
            if has.contains(&key) {
                self.pass_on_cancel(key, link, fx);
            } else if same_process {
                let why = "it never reached the runner";
                self.give_up(key, Without::Unstarted, why, now, fx);
            } else {
                let why = "the runner was started again and came back without it";
                self.give_up(key, Without::Lost, why, now, fx);
            }
        }
        self.heartbeat(id, &greeting.running, Vec::new(), now, fx);
        true
    }

    /// A connection has ended. Its attempts stay the runner's until their leases run out.
    pub(crate) fn disconnect(&mut self, id: RunnerId, link: LinkId, now: Micros, fx: &mut Effects) {
        let Some(runner) = self.runners.get_mut(&id) else {
            return;
        };
        if runner.link.as_ref().is_none_or(|known| known.id != link) {
            return;
        }
        runner.link = None;
        runner.absent_since = now;
        runner.record.last_seen = runner.last_seen;
        fx.changes.push(Change::RunnerSeen {
            id,
            boot: runner.record.boot,
            host: runner.record.host.clone(),
            version: runner.record.version.clone(),
            at: runner.last_seen,
        });
        self.rank(id);
    }

    /// Takes a runner out for good. What it had is lost.
    pub(crate) fn remove_runner(&mut self, id: RunnerId, now: Micros, fx: &mut Effects) -> bool {
        let Some(runner) = self.runners.get_mut(&id) else {
            return false;
        };
        if let Some(link) = runner.link.take() {
            fx.hangups
                .push((link.id, "this runner was removed; enrol it anew", false));
        }
        let held: Vec<_> = runner
            .held
            .iter()
            .map(|(&execution, &attempt)| AttemptKey { execution, attempt })
            .collect();
        self.rank(id);
        for key in held {
            self.give_up(key, Without::Lost, "the runner was removed", now, fx);
        }
        if let Some(runner) = self.runners.remove(&id)
            && let Some(group) = self.groups.get_mut(&runner.record.group)
        {
            group.members.remove(&id);
        }
        fx.changes.push(Change::RunnerRemoved(id));
        true
    }

    /// Forgets the runners of ephemeral groups that have been gone too long.
    pub(super) fn forget_gone(&mut self, now: Micros, fx: &mut Effects) {
        let forget = self.rules.forget;
        let gone: Vec<RunnerId> = self
            .groups
            .values()
            .filter(|group| group.record.kind == GroupKind::Ephemeral)
            .flat_map(|group| &group.members)
            .filter(|id| {
                self.runners.get(id).is_some_and(|runner| {
                    runner.link.is_none()
                        && runner.held.is_empty()
                        && runner.absent_since + forget <= now
                })
            })
            .copied()
            .collect();
        for id in gone {
            self.remove_runner(id, now, fx);
        }
    }
}
