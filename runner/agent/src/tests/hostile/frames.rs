//! Frames that are replayed, out of order, without end, or no frames at all.

use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::task::JoinSet;
use ulid::Ulid;
use wharf_protocol::{
    Acceptance, AttemptKey, Challenge, ExecutionId, GroupName, MAX_MESSAGE, Pipe, ToController,
    ToRunner, Verdict, encode,
};

use super::super::controller::{Fake, Peer, assign};
use super::super::executor::FakeExecutor;
use super::super::soon;
use super::{audited, says_so, until_audited};

/// What the controller does in a case.
enum Do {
    Say(ToRunner),
    /// Bytes that may be no message.
    Raw(Vec<u8>),
    Text(&'static str),
    /// Waits for the start of an attempt.
    Started(AttemptKey),
    /// Waits for the result of an attempt, and does not acknowledge it.
    Result(AttemptKey),
    /// Waits for so many results, of whichever attempts.
    Results(usize),
    /// Waits until an attempt is given back.
    HandedBack(AttemptKey),
    /// Lets this many attempts finish that wait.
    Go(usize),
    /// The runner hangs up and comes again.
    HungUp,
}

/// One attack.
struct Case {
    name: &'static str,
    steps: Vec<Do>,
    /// So many actions run because of it.
    runs: usize,
    /// The event in the record, and what it says.
    audited: (&'static str, &'static str),
}

fn attempt(case: usize, execution: u128, attempt: u32) -> AttemptKey {
    AttemptKey {
        execution: ExecutionId::from_ulid(Ulid::from(1_000 * case as u128 + execution)),
        attempt,
    }
}

fn ack(key: AttemptKey) -> Do {
    let acceptance = Acceptance::Accepted;
    Do::Say(ToRunner::ResultAck { key, acceptance })
}

fn cancel(key: AttemptKey) -> Do {
    Do::Say(ToRunner::Cancel {
        key,
        reason: "\u{1b}[2Jbecause".to_owned(),
        grace_ms: u64::MAX,
    })
}

/// A frame that the types of this crate would not let anyone write.
fn written(frame: &Value) -> Do {
    let mut message = Vec::new();
    encode(&mut message, frame).unwrap();
    Do::Raw(message)
}

fn assignment(member: &str, value: Value) -> Do {
    let mut assign = json!({
        "key": { "execution": Ulid::from(1_u128).to_string(), "attempt": 1 },
        "plugin": "test", "digest": format!("sha256:{}", "1".repeat(64)), "action": "echo",
        "input": { "inline": "1" }, "rights": { "limits": {} }, "lease_ms": 1000,
    });
    assign[member] = value;
    written(&json!({ "assign": assign }))
}

fn welcome() -> ToRunner {
    ToRunner::Welcome {
        session: "another".to_owned(),
        group: "here".parse::<GroupName>().unwrap(),
        lease_ms: 1,
        heartbeat_ms: 1,
        warnings: Vec::new(),
    }
}

fn challenge() -> ToRunner {
    ToRunner::Challenge(Challenge {
        controller: "the-controller".to_owned(),
        nonce: serde_bytes::ByteBuf::from([0; 32]),
    })
}

const ODD: &str = "controller-oddity";
const CUT: &str = "connection-refused";

#[expect(clippy::too_many_lines, reason = "it is a table")]
fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let mut case = |name, audited, runs, steps: fn(usize) -> Vec<Do>| {
        let steps = steps(all.len() + 1);
        all.push(Case {
            name,
            steps,
            runs,
            audited,
        });
    };
    case(
        "the same attempt twice while it runs",
        (ODD, "assigned-again"),
        1,
        |n| {
            let key = attempt(n, 1, 1);
            let go = || Do::Say(assign(key, "stubborn", "1"));
            vec![
                go(),
                Do::Started(key),
                go(),
                go(),
                Do::Go(1),
                Do::Result(key),
                ack(key),
            ]
        },
    );
    case(
        "the same attempt while its result waits to be acknowledged",
        (ODD, "assigned-again"),
        1,
        |n| {
            let key = attempt(n, 1, 1);
            let go = || Do::Say(assign(key, "echo", "1"));
            vec![go(), Do::Result(key), go(), ack(key)]
        },
    );
    case(
        "the same attempt again when it has ended",
        (ODD, "assigned-after-the-end"),
        1,
        |n| {
            let key = attempt(n, 1, 1);
            let go = || Do::Say(assign(key, "echo", "1"));
            vec![go(), Do::Result(key), ack(key), go(), go()]
        },
    );
    case(
        "an old fencing token while a newer one runs",
        (ODD, "assigned-too-late"),
        1,
        |n| {
            let (old, new) = (attempt(n, 1, 1), attempt(n, 1, 2));
            vec![
                Do::Say(assign(new, "stubborn", "1")),
                Do::Started(new),
                Do::Say(assign(old, "echo", "1")),
                Do::HandedBack(old),
                Do::Go(1),
                Do::Result(new),
                ack(new),
            ]
        },
    );
    case(
        "an old fencing token when the newer one has ended",
        (ODD, "assigned-after-the-end"),
        1,
        |n| {
            let (old, new) = (attempt(n, 1, 1), attempt(n, 1, 2));
            vec![
                Do::Say(assign(new, "echo", "1")),
                Do::Result(new),
                ack(new),
                Do::Say(assign(old, "echo", "1")),
            ]
        },
    );
    case(
        "an old fencing token while the newer result waits",
        (ODD, "assigned-after-the-end"),
        1,
        |n| {
            let (old, new) = (attempt(n, 1, 1), attempt(n, 1, 2));
            vec![
                Do::Say(assign(new, "echo", "1")),
                Do::Result(new),
                Do::Say(assign(old, "echo", "1")),
                ack(new),
            ]
        },
    );
    case(
        "an acknowledgement of what was never here",
        (ODD, "acknowledged-unknown"),
        0,
        |n| vec![ack(attempt(n, 1, 1))],
    );
    case(
        "an acknowledgement before the result",
        (ODD, "acknowledged-unknown"),
        1,
        |n| {
            let key = attempt(n, 1, 1);
            vec![
                Do::Say(assign(key, "stubborn", "1")),
                Do::Started(key),
                ack(key),
                Do::Go(1),
                Do::Result(key),
                ack(key),
            ]
        },
    );
    case(
        "two acknowledgements of one result",
        (ODD, "acknowledged-unknown"),
        1,
        |n| {
            let key = attempt(n, 1, 1);
            vec![
                Do::Say(assign(key, "echo", "1")),
                Do::Result(key),
                ack(key),
                ack(key),
            ]
        },
    );
    case(
        "a cancel before the assignment",
        (ODD, "cancelled-unknown"),
        1,
        |n| {
            let key = attempt(n, 1, 1);
            vec![
                cancel(key),
                Do::Say(assign(key, "echo", "1")),
                Do::Result(key),
                ack(key),
            ]
        },
    );
    case(
        "a cancel of somebody else's attempt",
        (ODD, "cancelled-unknown"),
        1,
        |n| {
            let (own, other) = (attempt(n, 1, 1), attempt(n, 2, 1));
            vec![
                Do::Say(assign(own, "stubborn", "1")),
                Do::Started(own),
                cancel(other),
                Do::Go(1),
                Do::Result(own),
                ack(own),
            ]
        },
    );
    case(
        "a cancel of another attempt at the same execution",
        (ODD, "cancelled-unknown"),
        1,
        |n| {
            let (own, other) = (attempt(n, 1, 1), attempt(n, 1, 2));
            vec![
                Do::Say(assign(own, "stubborn", "1")),
                Do::Started(own),
                cancel(other),
                Do::Go(1),
                Do::Result(own),
                ack(own),
            ]
        },
    );
    case("a flood of cancels", (ODD, "cancelled-unknown"), 0, |n| {
        (0..2_000).map(|i| cancel(attempt(n, i, 1))).collect()
    });
    case(
        "acknowledged log lines on the wrong pipe",
        (ODD, "logs-on-the-control-pipe"),
        0,
        |n| {
            let key = attempt(n, 1, 1);
            vec![Do::Say(ToRunner::LogAck {
                key,
                next: u64::MAX,
            })]
        },
    );
    case(
        "a flood of assignments without credit",
        (ODD, "assigned-without-room"),
        4,
        |n| {
            let go = (0..300).map(|i| Do::Say(assign(attempt(n, i, 1), "stubborn", "1")));
            let mut steps: Vec<Do> = go.collect();
            steps.push(Do::HandedBack(attempt(n, 299, 1)));
            steps.push(Do::Go(4));
            steps.push(Do::Results(4));
            steps.extend((0..4).map(|i| ack(attempt(n, i, 1))));
            steps
        },
    );
    case(
        "a second challenge, for a signature",
        (CUT, "a second challenge"),
        0,
        |_| vec![Do::Say(challenge()), Do::HungUp],
    );
    case(
        "a second welcome, with another token",
        (CUT, "a second welcome"),
        0,
        |_| vec![Do::Say(welcome()), Do::HungUp],
    );
    case(
        "bytes that are no frame",
        (CUT, "frame 0 of a message is malformed"),
        0,
        |_| vec![Do::Raw(vec![0xc1; 10]), Do::HungUp],
    );
    case("an empty message", (CUT, "an empty message"), 0, |_| {
        vec![Do::Raw(vec![]), Do::HungUp]
    });
    case("a message that is too large", (CUT, "too l"), 0, |_| {
        vec![Do::Raw(vec![0; MAX_MESSAGE + 1]), Do::HungUp]
    });
    case(
        "arrays within arrays, a hundred thousand deep",
        (CUT, "malformed"),
        0,
        |_| vec![Do::Raw(vec![0x91; 100_000]), Do::HungUp],
    );
    case(
        "maps within maps in a place for anything",
        (CUT, "malformed"),
        0,
        |_| {
            let mut message = b"\x81\xa6assign\x81\xa5bogus".to_vec();
            message.extend(std::iter::repeat_n(b"\x81\xa1x".to_vec(), 50_000).flatten());
            vec![Do::Raw(message), Do::HungUp]
        },
    );
    case(
        "a string that says it has four gigabytes",
        (CUT, "malformed"),
        0,
        |_| {
            vec![
                Do::Raw(b"\x81\xa6assign\x81\xa6plugin\xdb\xff\xff\xff\xff".to_vec()),
                Do::HungUp,
            ]
        },
    );
    case(
        "more frames than a message may have",
        (CUT, "more than 4096 frames"),
        0,
        |_| {
            let mut message = Vec::new();
            for _ in 0..5_000 {
                let key = attempt(0, 1, 1);
                encode(&mut message, &ToRunner::LogAck { key, next: 0 }).unwrap();
            }
            vec![Do::Raw(message), Do::HungUp]
        },
    );
    case(
        "a good frame before a bad one",
        (CUT, "frame 1 of a message"),
        0,
        |n| {
            let mut message = Vec::new();
            encode(&mut message, &assign(attempt(n, 1, 1), "echo", "1")).unwrap();
            message.push(0xc1);
            vec![Do::Raw(message), Do::HungUp]
        },
    );
    case(
        "a frame that nobody knows",
        (CUT, "unknown variant"),
        0,
        |_| vec![written(&json!({ "widen": { "grant": "*" } })), Do::HungUp],
    );
    case(
        "a plugin whose name is a path",
        (CUT, "plugin name"),
        0,
        |_| vec![assignment("plugin", "../../etc/passwd".into()), Do::HungUp],
    );
    case(
        "an action whose name is a pattern",
        (CUT, "action name"),
        0,
        |_| vec![assignment("action", "*".into()), Do::HungUp],
    );
    case("a tag in place of a digest", (CUT, "digest"), 0, |_| {
        vec![assignment("digest", "test:latest".into()), Do::HungUp]
    });
    case(
        "rights that the call cannot have",
        (CUT, "unknown field"),
        0,
        |_| {
            let rights = json!({ "limits": {}, "networks": ["0.0.0.0/0"] });
            vec![assignment("rights", rights), Do::HungUp]
        },
    );
    case("an attempt that is negative", (CUT, "malformed"), 0, |_| {
        vec![
            assignment(
                "key",
                json!({ "execution": Ulid::nil().to_string(), "attempt": -1 }),
            ),
            Do::HungUp,
        ]
    });
    case("text in place of frames", (CUT, "text"), 0, |_| {
        vec![Do::Text("{\"assign\":{}}"), Do::HungUp]
    });
    all
}

async fn act(step: Do, fake: &mut Fake, peer: &mut Peer, executor: &FakeExecutor) {
    match step {
        Do::Say(frame) => peer.send(frame).await,
        Do::Raw(bytes) => peer.send_junk(bytes).await,
        Do::Text(text) => peer.send_text(text).await,
        Do::Go(permits) => executor.go.add_permits(permits),
        Do::Started(key) => {
            let started = ToController::Started(key);
            peer.find("a start", |frame| (frame == started).then_some(()))
                .await;
        }
        Do::Result(key) => {
            let (of, verdict) = peer.result().await;
            assert_eq!(of, key);
            assert!(matches!(verdict, Verdict::Done { .. }), "{verdict:?}");
        }
        Do::Results(number) => {
            for _ in 0..number {
                peer.result().await;
            }
        }
        Do::HandedBack(key) => {
            peer.find("a hand-back", |frame| {
                matches!(frame, ToController::HandBack { key: of, .. } if of == key).then_some(())
            })
            .await;
        }
        Do::HungUp => {
            while peer.next().await.is_some() {}
            *peer = fake.peer(Pipe::Control).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_frame_of_a_hostile_controller_has_an_effect_that_it_should_not_have() {
    let cases = cases();
    assert!(cases.len() >= 30, "{}", cases.len());
    let mut all = JoinSet::new();
    for case in cases {
        all.spawn(attack(case));
    }
    while let Some(done) = all.join_next().await {
        done.unwrap();
    }
}

/// Each against a fresh runner, so that what is found in its record is of this case.
async fn attack(case: Case) {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    for step in case.steps {
        soon(case.name, act(step, &mut fake, &mut peer, &executor)).await;
    }
    // It goes on serving.
    let key = attempt(0, 999, 1);
    peer.assign(key, "echo", "\"still here\"").await;
    let (of, verdict) = peer.result().await;
    assert!(
        of == key && matches!(verdict, Verdict::Done { .. }),
        "{}",
        case.name
    );
    peer.acknowledge(key).await;
    assert_eq!(executor.starts(), case.runs + 1, "{}", case.name);
    let (event, says) = case.audited;
    until_audited(&mut peer, state.path(), event, says).await;
    let lines = audited(state.path()).len();
    assert!(lines < 20, "{}: {lines} lines for one attack", case.name);
    runner.kill("the case is over").await;
    while peer.next().await.is_some() {}
    soon("leaving", runner.wait()).await.unwrap();
    wharf_audit::verify(&state.path().join("audit"), None).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_is_asked_for_again_and_again_is_one_drain_and_loses_nothing() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    let key = attempt(1, 1, 1);
    peer.assign(key, "stubborn", "1").await;
    peer.find("the start", |f| {
        (f == ToController::Started(key)).then_some(())
    })
    .await;
    for _ in 0..100 {
        peer.send(ToRunner::Drain).await;
    }
    executor.go.add_permits(1);
    let (of, verdict) = peer.result().await;
    assert!(of == key && matches!(verdict, Verdict::Done { .. }));
    peer.acknowledge(key).await;
    while peer.next().await.is_some() {}
    let left = soon("leaving", runner.wait()).await.unwrap();
    assert_eq!(left.undelivered, 0);
    let asked = audited(state.path());
    assert_eq!(asked.iter().filter(|r| r.event == "drain-asked").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_on_the_log_pipe_touches_nothing_but_logs() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, executor) = fake.runner(state.path());
    let mut control = fake.peer(Pipe::Control).await;
    let mut logs = fake.peer(Pipe::Logs).await;
    let key = attempt(1, 1, 1);
    // Work, a cancel, a drain and an acknowledgement of lines that were never written.
    logs.send(assign(attempt(1, 2, 1), "echo", "1")).await;
    logs.send(ToRunner::Drain).await;
    logs.send(ToRunner::LogAck {
        key,
        next: u64::MAX,
    })
    .await;
    control.assign(key, "chatty", "10").await;
    let (of, _) = control.result().await;
    assert_eq!(of, key);
    control.acknowledge(key).await;
    let mut expected = 0;
    while expected < 10 {
        expected += logs
            .find("log lines", |frame| match frame {
                ToController::Log { first, entries, .. } => {
                    assert_eq!(first, expected, "a line was given up");
                    Some(entries.len() as u64)
                }
                _ => None,
            })
            .await;
    }
    assert_eq!(executor.starts(), 1);
    logs.send_junk(vec![0xc1]).await;
    while logs.next().await.is_some() {}
    until_audited(&mut control, state.path(), CUT, "\"pipe\":\"logs\"").await;
    assert!(!says_so(&audited(state.path()), "drain-asked", ""));
}
