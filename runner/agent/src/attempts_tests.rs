//! The attempts a runner holds, under any order of events.

use proptest::prelude::*;
use ulid::Ulid;
use wharf_protocol::{AttemptKey, ExecutionId, HandBackReason};

use super::{Acknowledged, Attempts, Capacity, Taken};

const ROOMY: Capacity = Capacity {
    results: 1000,
    bytes: 1 << 30,
};

fn key(execution: u128, attempt: u32) -> AttemptKey {
    AttemptKey {
        execution: ExecutionId::from_ulid(Ulid::from(execution)),
        attempt,
    }
}

const RUN: Taken = Taken::Run { supersedes: None };

#[test]
fn a_second_assign_of_the_same_attempt_is_ignored_until_it_is_acknowledged() {
    let mut attempts = Attempts::new(2, ROOMY, []);
    assert_eq!(attempts.assign(key(1, 1)), RUN);
    assert_eq!(attempts.assign(key(1, 1)), Taken::Known);
    attempts.journaled(key(1, 1), 10);
    assert_eq!(attempts.assign(key(1, 1)), Taken::Known);
    // Before it is sent, nobody can have it.
    assert_eq!(attempts.acknowledged(key(1, 1)), Acknowledged::Unsent);
    attempts.sent(key(1, 1));
    assert_eq!(attempts.acknowledged(key(1, 1)), Acknowledged::Now);
    assert_eq!(attempts.acknowledged(key(1, 1)), Acknowledged::Unknown);
    // It has ended: a replay does not run it again.
    assert_eq!(attempts.assign(key(1, 1)), Taken::Over);
    assert_eq!(attempts.assign(key(1, 2)), RUN);
}

#[test]
fn a_newer_attempt_supersedes_the_one_that_runs_and_an_older_one_is_handed_back() {
    let mut attempts = Attempts::new(4, ROOMY, []);
    assert_eq!(attempts.assign(key(1, 2)), RUN);
    assert_eq!(
        attempts.assign(key(1, 3)),
        Taken::Run {
            supersedes: Some(key(1, 2))
        }
    );
    assert_eq!(attempts.assign(key(1, 1)), Taken::Overtaken);
    // Nor is an older one begun when the newer has its result here.
    attempts.journaled(key(1, 3), 1);
    assert_eq!(attempts.assign(key(1, 1)), Taken::Over);
}

#[test]
fn credits_are_promised_once_and_forgotten_at_a_disconnect() {
    let mut attempts = Attempts::new(3, ROOMY, []);
    assert_eq!(attempts.credit(), 3);
    assert_eq!(attempts.credit(), 0);
    attempts.assign(key(1, 1));
    assert_eq!(attempts.credit(), 0, "the credit became the attempt");
    attempts.journaled(key(1, 1), 1);
    assert_eq!(attempts.credit(), 1);
    attempts.disconnected();
    assert_eq!(attempts.credit(), 3);
}

#[test]
fn a_full_journal_gives_no_credit_until_something_is_acknowledged() {
    let few = Capacity {
        results: 2,
        bytes: 1 << 30,
    };
    let mut attempts = Attempts::new(8, few, [(key(1, 1), 5), (key(2, 1), 5)]);
    assert_eq!(attempts.credit(), 0);
    attempts.sent(key(1, 1));
    attempts.acknowledged(key(1, 1));
    assert_eq!(attempts.credit(), 1);

    let small = Capacity {
        results: 100,
        bytes: 8,
    };
    let mut attempts = Attempts::new(8, small, [(key(1, 1), 5), (key(2, 1), 5)]);
    assert_eq!(attempts.credit(), 0);
    attempts.sent(key(1, 1));
    attempts.acknowledged(key(1, 1));
    assert_eq!(attempts.credit(), 8);
}

#[test]
fn a_journal_that_cannot_be_written_stops_the_credits() {
    let mut attempts = Attempts::new(2, ROOMY, []);
    attempts.set_blocked(true);
    assert_eq!(attempts.credit(), 0);
    assert_eq!(attempts.assign(key(1, 1)), Taken::NoRoom);
    attempts.set_blocked(false);
    assert_eq!(attempts.credit(), 2);
}

#[test]
fn draining_gives_back_what_has_not_started_and_takes_nothing() {
    let mut attempts = Attempts::new(4, ROOMY, []);
    attempts.assign(key(1, 1));
    attempts.assign(key(2, 1));
    assert!(attempts.started(key(1, 1)));
    assert_eq!(attempts.drain(), [key(2, 1)]);
    attempts.give_back(key(2, 1), HandBackReason::Draining);
    assert_eq!(attempts.assign(key(3, 1)), Taken::Leaving);
    assert_eq!(attempts.credit(), 0);
    assert_eq!(
        attempts.returns(),
        [
            (key(2, 1), HandBackReason::Draining),
            (key(3, 1), HandBackReason::Draining)
        ]
    );
    assert!(!attempts.finished());
    attempts.journaled(key(1, 1), 1);
    attempts.sent(key(1, 1));
    attempts.acknowledged(key(1, 1));
    assert!(attempts.finished());
}

#[test]
fn a_hand_back_is_sent_again_when_the_connection_ends_right_after() {
    let mut attempts = Attempts::new(1, ROOMY, []);
    attempts.assign(key(1, 1));
    attempts.give_back(key(1, 1), HandBackReason::NoRoom);
    assert_eq!(attempts.returns().len(), 1);
    assert!(attempts.returns().is_empty());
    attempts.disconnected();
    assert_eq!(
        attempts.held(),
        [key(1, 1)],
        "it must not be taken for lost"
    );
    assert_eq!(attempts.returns().len(), 1);
    attempts.tick();
    attempts.tick();
    assert!(attempts.held().is_empty());
}

#[derive(Debug, Clone)]
enum Step {
    Assign(u8),
    Started(u8),
    Journaled(u8, u8),
    Acknowledged(u8),
    GiveBack(u8),
    Credit,
    Disconnected,
    Sent(u8),
    Tick,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..12).prop_map(Step::Assign),
        2 => (0_u8..12).prop_map(Step::Started),
        3 => (0_u8..12, any::<u8>()).prop_map(|(k, n)| Step::Journaled(k, n)),
        3 => (0_u8..12).prop_map(Step::Acknowledged),
        1 => (0_u8..12).prop_map(Step::GiveBack),
        3 => Just(Step::Credit),
        1 => Just(Step::Disconnected),
        1 => (0_u8..12).prop_map(Step::Sent),
        1 => Just(Step::Tick),
    ]
}

proptest! {
    #[test]
    fn a_runner_never_holds_more_than_it_has_room_for_nor_loses_a_result(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let capacity = Capacity { results: 6, bytes: 600 };
        let mut attempts = Attempts::new(4, capacity, []);
        let mut undelivered = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Assign(k) => { attempts.assign(key(k.into(), 1)); }
                Step::Started(k) => { attempts.started(key(k.into(), 1)); }
                Step::Journaled(k, n) => {
                    if attempts.active().contains(&key(k.into(), 1)) {
                        undelivered.insert(key(k.into(), 1));
                    }
                    attempts.journaled(key(k.into(), 1), n.into());
                }
                Step::Acknowledged(k) => {
                    let unsent = attempts.is_waiting(key(k.into(), 1));
                    let gone = attempts.acknowledged(key(k.into(), 1)) == Acknowledged::Now;
                    prop_assert!(!(gone && unsent), "a result went that nobody can have");
                    prop_assert_eq!(gone, !unsent && undelivered.remove(&key(k.into(), 1)));
                }
                Step::GiveBack(k) => attempts.give_back(key(k.into(), 1), HandBackReason::NoRoom),
                Step::Credit => { attempts.credit(); }
                Step::Disconnected => attempts.disconnected(),
                Step::Sent(k) => attempts.sent(key(k.into(), 1)),
                Step::Tick => attempts.tick(),
            }
            let (active, kept, promised) = attempts.counts();
            prop_assert!(active <= 4, "more active than slots");
            prop_assert!(active + kept <= 6, "more held than the journal takes");
            prop_assert!(promised <= 4);
            let journal: std::collections::BTreeSet<_> = attempts.journal().into_iter().collect();
            prop_assert_eq!(&journal, &undelivered);
        }
        // Whatever happened, after a new connection everything undelivered is due again.
        attempts.disconnected();
        prop_assert_eq!(attempts.waiting(usize::MAX).len(), undelivered.len());
    }
}
