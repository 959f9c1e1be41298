//! What every store must do, written against the traits alone.

use std::sync::Arc;

use ulid::Ulid;
use wharf_policy::{ByteSize, CallRights, LimitRequest};
use wharf_protocol::{
    ActionFailure, AttemptKey, BootId, ExecutionId, FailureKind, Payload, RunnerId, Timings, Usage,
    Verdict,
};

use super::memory::MemoryStore;
use super::sqlite::{SqliteHistory, SqliteStore};
use super::{Filter, History, StateFilter, Store};
use crate::model::{
    CancelAsk, Change, DeadLetter, Ending, Group, GroupKind, Keyed, Order, Past, Role, Run,
    RunnerRecord, Stage, TokenHash, TokenKind, TokenRecord,
};

/// A store that can be opened again, as after a restart.
trait Bench {
    fn open(&self) -> (Box<dyn Store>, Box<dyn History>);
}

struct Sqlite(tempfile::TempDir);

impl Bench for Sqlite {
    fn open(&self) -> (Box<dyn Store>, Box<dyn History>) {
        let path = self.0.path().join("test.db");
        (
            Box::new(SqliteStore::open(&path).unwrap()),
            Box::new(SqliteHistory::open(&path).unwrap()),
        )
    }
}

impl Bench for MemoryStore {
    fn open(&self) -> (Box<dyn Store>, Box<dyn History>) {
        (Box::new(self.clone()), Box::new(self.clone()))
    }
}

fn id(n: u128) -> ExecutionId {
    ExecutionId::from_ulid(Ulid::from_parts(n as u64, n))
}

fn runner(n: u128) -> RunnerId {
    RunnerId::from_ulid(Ulid::from_parts(1, n))
}

fn order(n: u128) -> Order {
    Order {
        id: id(n),
        group: "edge".parse().unwrap(),
        plugin: "http".parse().unwrap(),
        version: "1.2.3".to_owned(),
        digest: wharf_bundle::digest(b"component"),
        action: "request".parse().unwrap(),
        idempotent: n.is_multiple_of(2),
        input: Payload::Inline(format!("{{\"n\":{n},\"text\":\"ä\\u0000\"}}")),
        rights: CallRights::default(),
        idempotency: None,
        submitted: 1_000 + n as u64,
    }
}

fn run(attempt: u32) -> Run {
    Run {
        attempt,
        runner: runner(7),
        assigned: 5_000 + u64::from(attempt),
    }
}

fn finished(n: u128, attempt: u32, verdict: Verdict, by_result: bool) -> Change {
    let ending = Ending {
        attempt,
        runner: (attempt > 0).then(|| (runner(7), 5_000)),
        finished: 9_000,
        verdict,
        usage: Usage {
            peak_memory: 65_536,
            ..Usage::default()
        },
        timings: Timings {
            prepare_us: 3,
            run_us: 4,
        },
    };
    Change::Finished {
        id: id(n),
        ending: Arc::new(ending),
        by_result,
    }
}

fn all_of_it(bench: &dyn Bench) {
    what_is_not_over_comes_back_as_it_was(bench);
    what_is_over_can_be_read_and_is_not_loaded(bench);
    keys_find_their_execution(bench);
    groups_tokens_and_runners_come_back(bench);
    lists_are_filtered_and_newest_first(bench);
    a_dead_letter_is_kept_once(bench);
}

fn what_is_not_over_comes_back_as_it_was(bench: &dyn Bench) {
    let (mut store, _) = bench.open();
    let narrowed = Order {
        rights: CallRights {
            secrets: Some(vec!["a/b".parse().unwrap()]),
            limits: LimitRequest {
                memory: Some(ByteSize::mib(1)),
                ..LimitRequest::default()
            },
            ..CallRights::default()
        },
        input: Payload::Stored {
            digest: wharf_bundle::digest(b"large"),
            size: 5,
        },
        ..order(2)
    };
    store
        .commit(&[
            Change::Submitted(Arc::new(order(1))),
            Change::Assigned {
                id: id(1),
                run: run(1),
            },
            Change::Submitted(Arc::new(narrowed.clone())),
            Change::Submitted(Arc::new(order(3))),
            Change::Assigned {
                id: id(3),
                run: run(1),
            },
        ])
        .unwrap();
    let ask = CancelAsk {
        reason: "enough".to_owned(),
        grace_ms: 10,
    };
    store
        .commit(&[
            Change::Requeued {
                id: id(3),
                run: run(1),
                losses: 1,
                at: 6_000,
                why: "gone".to_owned(),
            },
            Change::Assigned {
                id: id(3),
                run: run(2),
            },
            Change::CancelAsked {
                id: id(3),
                ask: ask.clone(),
            },
        ])
        .unwrap();
    drop(store);
    let live = bench.open().0.load().unwrap().live;
    assert_eq!(live.len(), 3);
    assert_eq!((&*live[0].order, &live[0].run), (&order(1), &Some(run(1))));
    assert_eq!((&*live[1].order, &live[1].run), (&narrowed, &None));
    assert_eq!((live[2].attempt, live[2].losses), (2, 1));
    assert_eq!((&live[2].run, &live[2].cancel), (&Some(run(2)), &Some(ask)));
}

fn what_is_over_can_be_read_and_is_not_loaded(bench: &dyn Bench) {
    let (mut store, history) = bench.open();
    let done = Verdict::Done {
        output: Payload::Inline("{\"ok\": true}".to_owned()),
    };
    let failed = Verdict::Failed(ActionFailure {
        kind: FailureKind::Unavailable,
        code: "later".to_owned(),
        message: "busy".to_owned(),
        details: Some("[1]".to_owned()),
        fields: Vec::new(),
        retry_after_ms: Some(3),
    });
    store
        .commit(&[
            finished(1, 1, done.clone(), true),
            finished(
                2,
                0,
                Verdict::Cancelled {
                    reason: "no".to_owned(),
                },
                false,
            ),
            finished(3, 2, failed.clone(), true),
        ])
        .unwrap();
    assert_eq!(store.load().unwrap().live, []);
    for (n, attempt, verdict) in [(1, 1, done), (3, 2, failed)] {
        let view = history.execution(id(n)).unwrap().unwrap();
        let Stage::Finished(ending) = &view.stage else {
            panic!("{view:?} is not over");
        };
        assert_eq!((&ending.verdict, ending.attempt), (&verdict, attempt));
        assert_eq!(
            (ending.timings.run_us, ending.usage.peak_memory),
            (4, 65_536)
        );
        assert_eq!(*view.order, order(n));
    }
    let past = |attempt, by_result| Some(Past { attempt, by_result });
    assert_eq!(store.past(id(1)).unwrap(), past(1, true));
    assert_eq!(store.past(id(2)).unwrap(), past(0, false));
    assert_eq!(store.past(id(99)).unwrap(), None);
    assert_eq!(history.execution(id(99)).unwrap(), None);
}

fn keys_find_their_execution(bench: &dyn Bench) {
    let (mut store, _) = bench.open();
    let body = wharf_bundle::digest(b"body");
    let keyed = Order {
        idempotency: Some(("once".to_owned(), body)),
        ..order(4)
    };
    store.commit(&[Change::Submitted(Arc::new(keyed))]).unwrap();
    assert_eq!(
        store.keyed("once").unwrap(),
        Some(Keyed { id: id(4), body })
    );
    assert_eq!(store.keyed("twice").unwrap(), None);
}

fn groups_tokens_and_runners_come_back(bench: &dyn Bench) {
    let (mut store, _) = bench.open();
    let group = Group {
        name: "edge".parse().unwrap(),
        kind: GroupKind::Ephemeral,
        created: 1,
    };
    let token = |n, kind, expires| TokenRecord {
        hash: TokenHash([n; 32]),
        kind,
        expires,
        note: "n".to_owned(),
        created: 2,
    };
    let tokens = [
        token(1, TokenKind::Api(Role::Reader), None),
        token(2, TokenKind::Api(Role::Operator), Some(77)),
        token(3, TokenKind::Api(Role::Admin), None),
        token(4, TokenKind::Enrolment(group.name.clone()), Some(9_999)),
    ];
    let record = |n| RunnerRecord {
        id: runner(n),
        group: group.name.clone(),
        public_key: [n as u8; 32],
        boot: None,
        host: "h".to_owned(),
        platform: "linux/x86_64".to_owned(),
        version: "0".to_owned(),
        enrolled: 3,
        last_seen: 3,
    };
    let boot = BootId::from_ulid(Ulid::from_parts(7, 0));
    let mut changes = vec![
        Change::GroupCreated(group.clone()),
        Change::RunnerEnrolled(record(1)),
        Change::RunnerEnrolled(record(2)),
        Change::RunnerSeen {
            id: runner(1),
            boot: Some(boot),
            host: "i".to_owned(),
            version: "1".to_owned(),
            at: 8,
        },
        Change::RunnerRemoved(runner(2)),
    ];
    changes.extend(tokens.iter().cloned().map(Change::TokenCreated));
    store.commit(&changes).unwrap();
    store.prune(100).unwrap();
    store
        .commit(&[Change::TokenRemoved(TokenHash([1; 32]))])
        .unwrap();
    let mut kept = bench.open().0.load().unwrap();
    kept.tokens.sort_by_key(|token| token.hash);
    assert_eq!(kept.groups, std::slice::from_ref(&group));
    assert_eq!(kept.tokens, [tokens[2].clone(), tokens[3].clone()]);
    let seen = RunnerRecord {
        boot: Some(boot),
        host: "i".to_owned(),
        version: "1".to_owned(),
        last_seen: 8,
        ..record(1)
    };
    assert_eq!(kept.runners, [seen]);
}

fn lists_are_filtered_and_newest_first(bench: &dyn Bench) {
    let (_, history) = bench.open();
    let list = |filter: Filter| -> Vec<ExecutionId> {
        let filter = Filter {
            limit: filter.limit.max(1),
            ..filter
        };
        let views = history.list(&filter).unwrap();
        views.iter().map(|view| view.order.id).collect()
    };
    let many = || Filter {
        limit: 10,
        ..Filter::default()
    };
    assert_eq!(list(many()), [id(4), id(3), id(2), id(1)]);
    assert_eq!(list(Filter { limit: 2, ..many() }), [id(4), id(3)]);
    assert_eq!(
        list(Filter {
            before: Some(id(3)),
            ..many()
        }),
        [id(2), id(1)]
    );
    let state = |state| Filter {
        state: Some(state),
        ..many()
    };
    assert_eq!(list(state(StateFilter::Queued)), [id(4)]);
    assert_eq!(list(state(StateFilter::Running)), []);
    assert_eq!(list(state(StateFilter::Finished)).len(), 3);
    assert_eq!(
        list(Filter {
            group: "other".parse().ok(),
            ..many()
        }),
        []
    );
    assert_eq!(
        list(Filter {
            plugin: Some("http".to_owned()),
            ..many()
        })
        .len(),
        4
    );
}

fn a_dead_letter_is_kept_once(bench: &dyn Bench) {
    let (mut store, history) = bench.open();
    let letter = DeadLetter {
        key: AttemptKey {
            execution: id(3),
            attempt: 1,
        },
        runner: runner(7),
        received: 5,
        verdict: Verdict::Refused {
            message: "no".to_owned(),
        },
    };
    for _ in 0..2 {
        store
            .commit(&[Change::DeadLettered(Box::new(letter.clone()))])
            .unwrap();
    }
    assert_eq!(history.dead_letters(10).unwrap(), [letter]);
}

#[test]
fn sqlite_keeps_what_a_store_must_keep() {
    all_of_it(&Sqlite(tempfile::tempdir().unwrap()));
}

#[test]
fn the_store_of_the_tests_keeps_what_a_store_must_keep() {
    all_of_it(&MemoryStore::default());
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let bench = Sqlite(tempfile::tempdir().unwrap());
    drop(bench.open());
    let path = bench.0.path().join("test.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = SqliteStore::open(&path).err().unwrap().to_string();
    assert!(error.contains("schema version 99"), "{error}");
}

#[test]
fn a_commit_that_cannot_be_whole_leaves_nothing() {
    let bench = Sqlite(tempfile::tempdir().unwrap());
    let (mut store, history) = bench.open();
    let order = Arc::new(order(1));
    let twice = [
        Change::Submitted(Arc::clone(&order)),
        Change::Submitted(Arc::clone(&order)),
    ];
    assert!(store.commit(&twice).is_err());
    assert_eq!(history.execution(order.id).unwrap(), None);
}
