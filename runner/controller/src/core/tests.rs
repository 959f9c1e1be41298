//! Each rule by itself.

use std::sync::Arc;

use ulid::Ulid;
use wharf_policy::CallRights;
use wharf_protocol::{
    Acceptance, AttemptKey, BootId, ExecutionId, Payload, RunnerId, Timings, ToRunner, Usage,
    Verdict,
};

use super::*;
use crate::model::{
    CancelAsk, Change, Ending, Group, GroupKind, Micros, Order, Past, RunnerRecord, Snapshot,
    Stage, Waiting,
};

pub(super) const SECOND: Micros = 1_000_000;

pub(super) fn rules() -> Rules {
    Rules {
        lease: 30 * SECOND,
        heartbeat: 5 * SECOND,
        forget: 600 * SECOND,
        max_queue: 3,
        max_live_bytes: 1 << 20,
        max_runners: 4,
        max_groups: 2,
    }
}

pub(super) fn execution(n: u64) -> ExecutionId {
    ExecutionId::from_ulid(Ulid::from_parts(n, 0))
}

pub(super) fn runner(n: u64) -> RunnerId {
    RunnerId::from_ulid(Ulid::from_parts(n, 0))
}

pub(super) fn order(n: u64, idempotent: bool) -> Arc<Order> {
    Arc::new(Order {
        id: execution(n),
        group: "edge".parse().unwrap(),
        plugin: "http".parse().unwrap(),
        version: "1.0.0".to_owned(),
        digest: wharf_bundle::digest(b"x"),
        action: "request".parse().unwrap(),
        idempotent,
        input: Payload::Inline("{}".to_owned()),
        rights: CallRights::default(),
        idempotency: None,
        submitted: n,
    })
}

pub(super) fn record(n: u64) -> RunnerRecord {
    RunnerRecord {
        id: runner(n),
        group: "edge".parse().unwrap(),
        public_key: [n as u8; 32],
        boot: None,
        host: "h".to_owned(),
        platform: "linux/x86_64".to_owned(),
        version: "1".to_owned(),
        enrolled: 0,
        last_seen: 0,
    }
}

pub(super) fn greeting(boot: u64, running: &[AttemptKey], journaled: &[AttemptKey]) -> Greeting {
    Greeting {
        boot: BootId::from_ulid(Ulid::from_parts(boot, 0)),
        host: "h".to_owned(),
        version: "1".to_owned(),
        running: running.to_vec(),
        journaled: journaled.to_vec(),
    }
}

pub(super) fn done() -> Box<(Verdict, Usage, Timings)> {
    let verdict = Verdict::Done {
        output: Payload::Inline("1".to_owned()),
    };
    Box::new((verdict, Usage::default(), Timings::default()))
}

pub(super) fn key(n: u64, attempt: u32) -> AttemptKey {
    AttemptKey {
        execution: execution(n),
        attempt,
    }
}

pub(super) fn core(kind: GroupKind) -> Core {
    let snapshot = Snapshot {
        groups: vec![Group {
            name: "edge".parse().unwrap(),
            kind,
            created: 0,
        }],
        runners: vec![record(1), record(2)],
        ..Snapshot::default()
    };
    Core::restore(rules(), &snapshot, 0)
}

/// A core with its effects at hand.
pub(super) struct Table {
    pub(super) core: Core,
    pub(super) fx: Effects,
    pub(super) now: Micros,
    /// Which process of the runners connects.
    pub(super) boot: u64,
}

impl Table {
    pub(super) fn new() -> Self {
        Self::of(GroupKind::Persistent)
    }

    pub(super) fn of(kind: GroupKind) -> Self {
        Self {
            core: core(kind),
            fx: Effects::default(),
            now: 0,
            boot: 1,
        }
    }

    /// A table with a runner that is connected and has room.
    pub(super) fn with_runner(credits: u32) -> Self {
        let mut table = Self::new();
        table.connect(1, 1, &[], &[]);
        table.say(1, 1, Report::Credit(credits));
        table
    }

    pub(super) fn connect(
        &mut self,
        n: u64,
        link: u64,
        running: &[AttemptKey],
        journaled: &[AttemptKey],
    ) {
        let greeting = greeting(self.boot, running, journaled);
        assert!(
            self.core
                .connect(runner(n), LinkId(link), greeting, self.now, &mut self.fx)
        );
    }

    pub(super) fn say(&mut self, n: u64, link: u64, report: Report) {
        self.say_of_past(n, link, report, None);
    }

    pub(super) fn say_of_past(&mut self, n: u64, link: u64, report: Report, past: Option<Past>) {
        self.core.report(
            runner(n),
            LinkId(link),
            report,
            past,
            self.now,
            &mut self.fx,
        );
    }

    pub(super) fn submit(&mut self, n: u64, idempotent: bool) {
        let order = order(n, idempotent);
        self.core
            .submit(order, None, self.now, &mut self.fx)
            .unwrap();
    }

    pub(super) fn stage(&self, n: u64) -> Stage {
        self.core.view(&execution(n)).unwrap().stage
    }

    pub(super) fn ending(&self, n: u64) -> Arc<Ending> {
        match self.stage(n) {
            Stage::Finished(ending) => ending,
            other => panic!("{other:?} is not over"),
        }
    }

    pub(super) fn holder(&self, n: u64) -> (RunnerId, u32) {
        match self.stage(n) {
            Stage::Running { run, .. } => (run.runner, run.attempt),
            other => panic!("{other:?} does not run"),
        }
    }

    pub(super) fn ack(&self) -> Acceptance {
        match self.fx.frames.last() {
            Some((_, ToRunner::ResultAck { acceptance, .. })) => *acceptance,
            other => panic!("{other:?} is no acknowledgement"),
        }
    }
}

#[test]
fn an_order_is_assigned_at_once_if_a_runner_has_room() {
    let mut table = Table::with_runner(1);
    table.fx.clear();
    table.submit(1, true);
    assert!(matches!(
        table.fx.changes[..],
        [Change::Submitted(_), Change::Assigned { .. }]
    ));
    assert!(matches!(
        table.fx.frames[..],
        [(LinkId(1), ToRunner::Assign(_))]
    ));
    table.submit(2, true);
    let waiting = Some(Waiting::AllBusy(1));
    assert_eq!(
        table.stage(2),
        Stage::Queued {
            attempt: 0,
            waiting
        }
    );
}

#[test]
fn what_waits_says_why() {
    let mut table = Table::new();
    table.submit(1, true);
    let queued = |waiting| Stage::Queued {
        attempt: 0,
        waiting: Some(waiting),
    };
    assert_eq!(table.stage(1), queued(Waiting::NoRunner));
    table.connect(1, 1, &[], &[]);
    assert_eq!(table.stage(1), queued(Waiting::AllBusy(1)));
    table.say(1, 1, Report::Draining);
    assert_eq!(table.stage(1), queued(Waiting::AllDraining(1)));
}

#[test]
fn a_full_queue_takes_nothing_more() {
    let mut table = Table::new();
    for n in 1..=3 {
        table.submit(n, true);
    }
    let refusal = table.core.submit(order(4, true), None, 0, &mut table.fx);
    assert_eq!(refusal.unwrap_err(), SubmitRefusal::QueueFull(3));
}

#[test]
fn an_order_that_is_too_heavy_for_what_is_left_is_refused() {
    let mut table = Table::new();
    let heavy = Order {
        input: Payload::Inline("x".repeat(2 << 20)),
        ..(*order(1, true)).clone()
    };
    let refusal = table.core.submit(Arc::new(heavy), None, 0, &mut table.fx);
    assert_eq!(refusal.unwrap_err(), SubmitRefusal::QueueTooHeavy(1 << 20));
}

#[test]
fn a_key_stands_for_one_order() {
    let mut table = Table::new();
    let keyed = |n, body: &[u8]| {
        Arc::new(Order {
            idempotency: Some(("k".to_owned(), wharf_bundle::digest(body))),
            ..(*order(n, true)).clone()
        })
    };
    let mut submit = |order, kept| table.core.submit(order, kept, 0, &mut table.fx);
    assert!(matches!(
        submit(keyed(1, b"a"), None),
        Ok(Submitted::New(_))
    ));
    assert!(matches!(submit(keyed(2, b"a"), None), Ok(Submitted::Same(id)) if id == execution(1)));
    assert_eq!(
        submit(keyed(3, b"b"), None).unwrap_err(),
        SubmitRefusal::KeyTaken(execution(1))
    );
}

#[test]
fn a_result_is_accepted_once() {
    let mut table = Table::with_runner(1);
    table.submit(1, true);
    let result = || Report::Result {
        key: key(1, 1),
        outcome: done(),
    };
    table.say(1, 1, result());
    assert_eq!(table.ack(), Acceptance::Accepted);
    assert_eq!(table.ending(1).verdict.word(), "done");
    table.say(1, 1, result());
    assert_eq!(table.ack(), Acceptance::Duplicate);
    table.core.forget_settled();
    let past = Some(Past {
        attempt: 1,
        by_result: true,
    });
    table.say_of_past(1, 1, result(), past);
    assert_eq!(table.ack(), Acceptance::Duplicate);
    table.say_of_past(1, 1, result(), None);
    assert_eq!(table.ack(), Acceptance::Unknown);
}

#[test]
fn a_result_of_somebody_elses_attempt_is_not_taken() {
    let mut table = Table::with_runner(1);
    table.submit(1, true);
    table.connect(2, 2, &[], &[]);
    table.say(
        2,
        2,
        Report::Result {
            key: key(1, 1),
            outcome: done(),
        },
    );
    assert_eq!(table.ack(), Acceptance::Unknown);
    assert_eq!(table.holder(1), (runner(1), 1));
}

#[test]
fn a_lost_lease_gives_an_idempotent_action_to_another_runner_and_fences_the_first() {
    let mut table = Table::with_runner(1);
    table.submit(1, true);
    table.connect(2, 2, &[], &[]);
    table.say(2, 2, Report::Credit(1));
    table.now = 31 * SECOND;
    table.core.tick(table.now, &mut table.fx);
    assert_eq!(table.holder(1), (runner(2), 2));
    assert!(matches!(
        table.fx.frames.last(),
        Some((LinkId(1), ToRunner::Cancel { key: k, .. })) if *k == key(1, 1)
    ));
    table.say(
        1,
        1,
        Report::Result {
            key: key(1, 1),
            outcome: done(),
        },
    );
    assert_eq!(table.ack(), Acceptance::Late);
    assert!(matches!(
        table.fx.changes.last(),
        Some(Change::DeadLettered(_))
    ));
    table.say(
        2,
        2,
        Report::Result {
            key: key(1, 2),
            outcome: done(),
        },
    );
    assert_eq!(table.ack(), Acceptance::Accepted);
}

#[test]
fn a_lost_lease_ends_an_action_that_is_not_idempotent() {
    let mut table = Table::with_runner(1);
    table.submit(1, false);
    table.core.tick(31 * SECOND, &mut table.fx);
    let ending = table.ending(1);
    assert!(
        matches!(&ending.verdict, Verdict::Lost { message } if message.contains("not tried again"))
    );
    table.say(
        1,
        1,
        Report::Result {
            key: key(1, 1),
            outcome: done(),
        },
    );
    assert_eq!(table.ack(), Acceptance::Late);
}

#[test]
fn the_third_loss_is_the_last() {
    let mut table = Table::with_runner(9);
    table.submit(1, true);
    for round in 1..=3 {
        table.core.tick(31 * SECOND * round, &mut table.fx);
        table.now = 31 * SECOND * round;
    }
    assert_eq!(
        (table.ending(1).verdict.word(), table.ending(1).attempt),
        ("lost", 3)
    );
}

#[test]
fn what_is_handed_back_unstarted_is_assigned_anew_and_counts_as_no_loss() {
    let mut table = Table::with_runner(9);
    table.submit(1, false);
    for attempt in 1..=5 {
        table.say(1, 1, Report::HandBack(key(1, attempt)));
    }
    assert_eq!(table.holder(1), (runner(1), 6));
    table.say(1, 1, Report::Started(key(1, 6)));
    table.say(1, 1, Report::HandBack(key(1, 6)));
    assert_eq!(table.ending(1).verdict.word(), "lost");
}

fn ask() -> CancelAsk {
    CancelAsk {
        reason: "enough".to_owned(),
        grace_ms: 7,
    }
}

#[test]
fn what_waits_is_cancelled_at_once_and_what_runs_by_its_runner() {
    let mut table = Table::with_runner(1);
    table.submit(1, true);
    table.submit(2, true);
    for n in [1, 2] {
        table.core.cancel(execution(n), ask(), 0, &mut table.fx);
    }
    assert_eq!(table.ending(2).verdict.word(), "cancelled");
    assert_eq!(table.holder(1).1, 1);
    assert!(matches!(
        table.fx.frames.last(),
        Some((_, ToRunner::Cancel { grace_ms: 7, .. }))
    ));
    table.say(
        1,
        1,
        Report::Result {
            key: key(1, 1),
            outcome: done(),
        },
    );
    assert_eq!(table.ending(1).verdict.word(), "done");
}

#[test]
fn a_cancelled_action_whose_runner_is_lost_is_not_tried_again() {
    let mut table = Table::with_runner(2);
    table.submit(1, true);
    table.core.cancel(execution(1), ask(), 0, &mut table.fx);
    table.core.tick(31 * SECOND, &mut table.fx);
    assert_eq!(table.ending(1).verdict.word(), "cancelled");
}

#[test]
fn a_request_to_stop_is_repeated_to_a_runner_that_comes_back() {
    let mut table = Table::with_runner(1);
    table.submit(1, true);
    table.core.cancel(execution(1), ask(), 0, &mut table.fx);
    table.fx.clear();
    table.connect(1, 2, &[key(1, 1)], &[]);
    assert!(matches!(
        table.fx.frames[..],
        [(LinkId(2), ToRunner::Cancel { .. })]
    ));
}
