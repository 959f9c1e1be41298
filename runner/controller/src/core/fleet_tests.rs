//! Each rule about runners by itself.

use super::tests::{SECOND, Table, greeting, key, record, runner};
use super::*;
use crate::model::{GroupKind, RunnerRecord, RunnerState, Stage};

#[test]
fn work_goes_to_the_runner_with_the_fewest_attempts() {
    let mut table = Table::with_runner(9);
    table.connect(2, 2, &[], &[]);
    table.say(2, 2, Report::Credit(9));
    for n in 1..=4 {
        table.submit(n, true);
    }
    let of_first = (1..=4).filter(|n| table.holder(*n).0 == runner(1)).count();
    assert_eq!(of_first, 2);
}

#[test]
fn a_heartbeat_keeps_the_lease_of_what_it_names_and_only_that() {
    let mut table = Table::with_runner(2);
    table.submit(1, true);
    table.submit(2, true);
    table.now = 20 * SECOND;
    let beat = Report::Heartbeat {
        running: vec![key(1, 1)],
        progress: Vec::new(),
        audit: None,
    };
    table.say(1, 1, beat);
    table.core.tick(31 * SECOND, &mut table.fx);
    assert_eq!(table.holder(1).1, 1);
    assert!(matches!(table.stage(2), Stage::Queued { attempt: 1, .. }));
}

#[test]
fn a_runner_that_was_started_again_keeps_what_it_names_and_loses_the_rest() {
    let mut table = Table::with_runner(3);
    for n in 1..=3 {
        table.submit(n, n != 3);
    }
    table
        .core
        .disconnect(runner(1), LinkId(1), 0, &mut table.fx);
    assert_eq!(table.holder(1).1, 1);
    table.boot = 2;
    table.connect(1, 2, &[key(1, 1)], &[key(2, 1)]);
    assert_eq!((table.holder(1).1, table.holder(2).1), (1, 1));
    assert_eq!(table.ending(3).verdict.word(), "lost");
}

#[test]
fn what_never_reached_a_runner_is_assigned_anew_and_counts_as_no_loss() {
    let mut table = Table::with_runner(1);
    table.submit(1, false);
    for link in 2..=9 {
        table.connect(1, link, &[], &[]);
        table.say(1, link, Report::Credit(1));
    }
    assert_eq!(table.holder(1), (runner(1), 9));
    // Another process may have received it, and run it, before it ended.
    table.boot = 2;
    table.connect(1, 10, &[], &[]);
    assert_eq!(table.ending(1).verdict.word(), "lost");
}

#[test]
fn the_end_of_a_replaced_connection_does_not_touch_the_new_one() {
    let mut table = Table::with_runner(1);
    table.connect(1, 2, &[], &[]);
    assert!(matches!(table.fx.hangups[..], [(LinkId(1), _, _)]));
    table.say(1, 2, Report::Credit(1));
    table
        .core
        .disconnect(runner(1), LinkId(1), 0, &mut table.fx);
    table.submit(1, true);
    assert_eq!(table.holder(1), (runner(1), 1));
}

#[test]
fn credits_are_forgotten_when_the_connection_ends() {
    let mut table = Table::with_runner(5);
    table
        .core
        .disconnect(runner(1), LinkId(1), 0, &mut table.fx);
    table.connect(1, 2, &[], &[]);
    table.submit(1, true);
    assert!(matches!(table.stage(1), Stage::Queued { .. }));
}

#[test]
fn a_removed_runner_loses_its_attempts_and_its_connection() {
    let mut table = Table::with_runner(1);
    table.submit(1, true);
    assert!(table.core.remove_runner(runner(1), 0, &mut table.fx));
    assert!(matches!(table.fx.hangups[..], [(LinkId(1), _, false)]));
    assert!(matches!(table.stage(1), Stage::Queued { attempt: 1, .. }));
    let again = table.core.connect(
        runner(1),
        LinkId(2),
        greeting(1, &[], &[]),
        0,
        &mut table.fx,
    );
    assert!(!again);
}

#[test]
fn ephemeral_runners_are_forgotten_and_persistent_ones_stay() {
    for (kind, left, state) in [
        (GroupKind::Ephemeral, 0, RunnerState::Gone),
        (GroupKind::Persistent, 2, RunnerState::Unhealthy),
    ] {
        let mut table = Table::of(kind);
        table.core.tick(599 * SECOND, &mut table.fx);
        let before = table.core.runners(None, 599 * SECOND);
        assert_eq!((before.len(), before[0].state), (2, state));
        table.core.tick(601 * SECOND, &mut table.fx);
        assert_eq!(table.core.runners(None, 601 * SECOND).len(), left);
    }
}

#[test]
fn enrolling_twice_with_one_key_gives_one_runner() {
    let mut table = Table::new();
    let again = RunnerRecord {
        id: runner(9),
        ..record(1)
    };
    assert_eq!(table.core.enrol(again, &mut table.fx), Ok(runner(1)));
    assert_eq!(table.core.enrol(record(3), &mut table.fx), Ok(runner(3)));
    let lost = RunnerRecord {
        group: "none".parse().unwrap(),
        ..record(4)
    };
    assert_eq!(
        table.core.enrol(lost, &mut table.fx),
        Err(EnrolRefusal::NoGroup)
    );
    table.core.enrol(record(4), &mut table.fx).unwrap();
    assert_eq!(
        table.core.enrol(record(5), &mut table.fx),
        Err(EnrolRefusal::TooMany(4))
    );
}
