//! What the driver promises: nothing leaves that is not kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ulid::Ulid;
use wharf_policy::CallRights;
use wharf_protocol::{
    AttemptKey, BootId, ExecutionId, Payload, RunnerId, Timings, ToRunner, Usage, Verdict,
};

use super::*;
use crate::core::{Greeting, Report};
use crate::model::{Change, Group, GroupKind, Keyed, Order, Past, RunnerRecord, Snapshot, Stage};
use crate::store::memory::MemoryStore;

/// A store that can be broken.
#[derive(Clone, Default)]
struct Fragile {
    inner: MemoryStore,
    broken: Arc<AtomicBool>,
}

impl Fragile {
    fn check(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            Err(StoreError::Database {
                path: "here".to_owned(),
                source: rusqlite::Error::InvalidQuery,
            })
        } else {
            Ok(())
        }
    }
}

impl Store for Fragile {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.inner.load()
    }
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        self.check()?;
        self.inner.commit(changes)
    }
    fn past(&mut self, id: ExecutionId) -> Result<Option<Past>, StoreError> {
        self.inner.past(id)
    }
    fn keyed(&mut self, key: &str) -> Result<Option<Keyed>, StoreError> {
        self.inner.keyed(key)
    }
    fn probe(&mut self) -> Result<(), StoreError> {
        self.check()
    }
    fn prune(&mut self, now: Micros) -> Result<(), StoreError> {
        self.inner.prune(now)
    }
}

fn rules() -> Rules {
    Rules {
        lease: 30_000_000,
        heartbeat: 5_000_000,
        forget: 600_000_000,
        max_queue: 10,
        max_live_bytes: 1 << 20,
        max_runners: 10,
        max_groups: 10,
    }
}

fn open(store: &Fragile) -> Handle {
    let directory = Arc::new(Directory::default());
    start(store.clone(), rules(), Clock::new(), directory, ())
        .unwrap()
        .0
}

fn runner() -> RunnerId {
    RunnerId::from_ulid(Ulid::from_parts(1, 1))
}

/// A store with a group and a runner in it.
fn furnished() -> Fragile {
    let mut store = Fragile::default();
    let group = Group {
        name: "edge".parse().unwrap(),
        kind: GroupKind::Persistent,
        created: 0,
    };
    let record = RunnerRecord {
        id: runner(),
        group: group.name.clone(),
        public_key: [1; 32],
        boot: None,
        host: "h".to_owned(),
        platform: "linux/x86_64".to_owned(),
        version: "1".to_owned(),
        enrolled: 0,
        last_seen: 0,
    };
    let changes = [Change::GroupCreated(group), Change::RunnerEnrolled(record)];
    store.commit(&changes).unwrap();
    store
}

fn order(n: u64) -> Arc<Order> {
    Arc::new(Order {
        id: ExecutionId::from_ulid(Ulid::from_parts(n, 0)),
        group: "edge".parse().unwrap(),
        plugin: "http".parse().unwrap(),
        version: "1.0.0".to_owned(),
        digest: wharf_bundle::digest(b"x"),
        action: "request".parse().unwrap(),
        idempotent: true,
        input: Payload::Inline("{}".to_owned()),
        rights: CallRights::default(),
        idempotency: None,
        submitted: n,
    })
}

async fn connect(handle: &Handle, link: u64) -> Inbox {
    let (outbound, inbox) = outbound();
    let greeting = Greeting {
        boot: BootId::from_ulid(Ulid::from_parts(1, 0)),
        host: "h".to_owned(),
        version: "1".to_owned(),
        running: Vec::new(),
        journaled: Vec::new(),
    };
    let known = handle
        .ask(|reply| Command::Connect {
            runner: runner(),
            link: LinkId(link),
            greeting,
            outbound,
            reply,
        })
        .await;
    assert!(known.unwrap());
    inbox
}

async fn report(handle: &Handle, link: u64, report: Report) {
    let command = Command::Reports {
        runner: runner(),
        link: LinkId(link),
        reports: vec![report],
    };
    handle.tell(command).await.unwrap();
}

async fn submit(handle: &Handle, n: u64, wait: bool) -> Result<SubmitAnswer, Unavailable> {
    let order = order(n);
    let answer = handle
        .ask(|reply| Command::Submit { order, wait, reply })
        .await?;
    Ok(answer.unwrap())
}

async fn next(inbox: &mut Inbox) -> Option<ToRunner> {
    let mut frames = Vec::new();
    inbox.take(&mut frames, 1).await;
    frames.pop()
}

#[tokio::test]
async fn who_waits_is_told_of_the_end() {
    let handle = open(&furnished());
    let mut inbox = connect(&handle, 1).await;
    report(&handle, 1, Report::Credit(1)).await;
    let waiting = submit(&handle, 1, true);
    let runner = async {
        let Some(ToRunner::Assign(assignment)) = next(&mut inbox).await else {
            panic!("nothing was assigned");
        };
        let verdict = Verdict::Done {
            output: Payload::Inline("7".to_owned()),
        };
        let outcome = Box::new((verdict, Usage::default(), Timings::default()));
        report(
            &handle,
            1,
            Report::Result {
                key: assignment.key,
                outcome,
            },
        )
        .await;
        assert!(matches!(
            next(&mut inbox).await,
            Some(ToRunner::ResultAck { .. })
        ));
    };
    let (answer, ()) = tokio::join!(waiting, runner);
    let SubmitAnswer::New(view) = answer.unwrap() else {
        panic!("it was new");
    };
    assert!(matches!(view.stage, Stage::Finished(_)));
}

#[tokio::test]
async fn a_commit_that_fails_lets_nothing_out_and_the_store_is_the_truth_afterwards() {
    let store = furnished();
    let handle = open(&store);
    let mut inbox = connect(&handle, 1).await;
    report(&handle, 1, Report::Credit(5)).await;
    submit(&handle, 1, false).await.unwrap();
    assert!(matches!(next(&mut inbox).await, Some(ToRunner::Assign(_))));

    store.broken.store(true, Ordering::SeqCst);
    let refused = submit(&handle, 2, false).await.unwrap_err().to_string();
    assert!(refused.contains("database here failed"), "{refused}");
    assert!(
        next(&mut inbox).await.is_none(),
        "the connection ends without the frame"
    );
    assert!(submit(&handle, 3, false).await.is_err());
    assert!(handle.ask(|reply| Command::Probe { reply }).await.is_err());

    store.broken.store(false, Ordering::SeqCst);
    while handle.ask(|reply| Command::Probe { reply }).await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let view = |n| {
        handle.ask(move |reply| Command::View {
            id: order(n).id,
            wait: false,
            reply,
        })
    };
    let first = view(1).await.unwrap().unwrap();
    assert_eq!(first.attempt(), 1, "what was kept before is as it was");
    assert!(
        view(2).await.unwrap().is_none(),
        "what was refused never happened"
    );
    submit(&handle, 4, false).await.unwrap();
}

#[tokio::test]
async fn a_runner_that_reads_nothing_loses_its_connection_and_others_go_on() {
    let handle = open(&furnished());
    let inbox = connect(&handle, 1).await;
    // Every result of an attempt that never was is answered, and nobody reads the answers.
    let strange = |n| Report::Result {
        key: AttemptKey {
            execution: order(n).id,
            attempt: 1,
        },
        outcome: Box::new((
            Verdict::Refused {
                message: String::new(),
            },
            Usage::default(),
            Timings::default(),
        )),
    };
    for round in 0..20 {
        let reports = (0..1_000).map(|n| strange(round * 1_000 + n)).collect();
        let command = Command::Reports {
            runner: runner(),
            link: LinkId(1),
            reports,
        };
        handle.tell(command).await.unwrap();
    }
    handle.ask(|reply| Command::Groups { reply }).await.unwrap();
    drop(inbox);
    submit(&handle, 1, false).await.unwrap();
}

#[tokio::test]
async fn stopping_says_goodbye_to_runners_and_refuses_what_comes_after() {
    let handle = open(&furnished());
    let mut inbox = connect(&handle, 1).await;
    handle.tell(Command::Stop).await.unwrap();
    assert!(matches!(
        next(&mut inbox).await,
        Some(ToRunner::Goodbye { retry: true, .. })
    ));
    assert!(next(&mut inbox).await.is_none());
    assert!(submit(&handle, 1, false).await.is_err());
}
