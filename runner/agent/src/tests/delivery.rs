//! Work that comes in, and results that arrive: once accepted, whatever breaks in between.

use std::path::Path;

use tempfile::tempdir;
use wharf_protocol::{
    FailureKind, HandBackReason, MAX_INLINE, Payload, Pipe, ToController, ToRunner, Verdict,
};

use super::controller::{Fake, assign};
use super::{key, soon};
use crate::Status;

fn done(output: &str) -> Verdict {
    Verdict::Done {
        output: Payload::Inline(output.to_owned()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_accepted_started_and_answered_and_its_slot_is_offered_again() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    let offered = peer.find("credit", credit).await;
    assert_eq!(offered, 4);
    peer.assign(key(1), "echo", "[1]").await;
    let mut seen = Vec::new();
    let last = peer
        .find("a result", |frame| match frame {
            ToController::Heartbeat { .. } | ToController::Credit { .. } => None,
            ToController::Result { verdict, .. } => Some(verdict),
            frame => {
                seen.push(frame);
                None
            }
        })
        .await;
    assert_eq!(
        seen,
        [ToController::Accept(key(1)), ToController::Started(key(1))]
    );
    assert_eq!(last, done("[1]"));
    peer.acknowledge(key(1)).await;
    peer.assign(key(2), "echo", "2").await;
    assert_eq!(peer.find("credit", credit).await, 1);
}

fn credit(frame: ToController) -> Option<u32> {
    match frame {
        ToController::Credit { add } => Some(add),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_acknowledgement_is_sent_again_after_a_reconnect_and_not_after_one() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "echo", "1").await;
    assert_eq!(peer.result().await, (key(1), done("1")));
    drop(peer);

    let mut peer = fake.peer(Pipe::Control).await;
    assert_eq!(peer.hello.journaled, [key(1)]);
    assert!(peer.hello.running.is_empty());
    assert_eq!(peer.result().await, (key(1), done("1")));
    peer.acknowledge(key(1)).await;
    peer.assign(key(2), "echo", "2").await;
    assert_eq!(peer.result().await.0, key(2));
    drop(peer);

    let peer = fake.peer(Pipe::Control).await;
    assert_eq!(peer.hello.journaled, [key(2)]);
    assert_eq!(executor.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_goes_on_without_the_controller_and_its_result_is_delivered_later() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "wait", "1").await;
    peer.find("the start", started).await;
    drop(peer);
    let mut peer = fake.peer(Pipe::Control).await;
    assert_eq!(peer.hello.running, [key(1)]);
    executor.go.add_permits(1);
    assert_eq!(peer.result().await, (key(1), done("1")));
}

fn started(frame: ToController) -> Option<wharf_protocol::AttemptKey> {
    match frame {
        ToController::Started(key) => Some(key),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_in_the_journal_survives_the_death_of_the_runner() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "echo", "1").await;
    peer.result().await;

    // What is on the disk at this moment is what a killed process leaves.
    let after = tempdir().unwrap();
    copy(state.path(), after.path());
    let mut other = Fake::start().await;
    let (_runner, executor) = other.runner(after.path());
    let mut peer = other.peer(Pipe::Control).await;
    assert_eq!(peer.hello.journaled, [key(1)]);
    assert_eq!(peer.result().await, (key(1), done("1")));
    assert_eq!(executor.starts(), 0);
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // What is only being written has no name yet by which it is found.
        if path.is_file() && path.extension().is_none_or(|of| of != "tmp") {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_assignment_twice_runs_once() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "wait", "1").await;
    peer.assign(key(1), "wait", "1").await;
    executor.go.add_permits(2);
    peer.result().await;
    peer.assign(key(1), "wait", "1").await;
    peer.assign(key(2), "echo", "2").await;
    assert_eq!(peer.result().await.0, key(2));
    assert_eq!(executor.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_work_than_was_offered_is_handed_back() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    for number in 1..=5 {
        peer.assign(key(number), "wait", "1").await;
    }
    let back = peer.find("a hand-back", hand_back).await;
    assert_eq!(back, (key(5), HandBackReason::NoRoom));
}

fn hand_back(frame: ToController) -> Option<(wharf_protocol::AttemptKey, HandBackReason)> {
    match frame {
        ToController::HandBack { key, reason } => Some((key, reason)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polite_attempt_ends_when_asked_and_a_stubborn_one_after_its_grace() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    for (number, action, reason) in [
        (1, "wait", "politely: too slow"),
        (2, "stubborn", "too slow"),
        (3, "prepare", "too slow"),
    ] {
        peer.assign(key(number), action, "1").await;
        if action != "prepare" {
            peer.find("the start", started).await;
        }
        peer.send(ToRunner::Cancel {
            key: key(number),
            reason: "too slow".to_owned(),
            grace_ms: 50,
        })
        .await;
        let cancelled = Verdict::Cancelled {
            reason: reason.to_owned(),
        };
        assert_eq!(peer.result().await, (key(number), cancelled));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_attempt_ends_the_older_one_of_the_same_execution() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "stubborn", "1").await;
    peer.find("the start", started).await;
    let mut second = key(1);
    second.attempt = 2;
    peer.assign(second, "echo", "2").await;
    let mut results = [peer.result().await, peer.result().await];
    results.sort_by_key(|(key, _)| *key);
    assert!(matches!(results[0], (first, Verdict::Cancelled { .. }) if first == key(1)));
    assert_eq!(results[1], (second, done("2")));
    assert_eq!(executor.starts(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_panics_in_one_attempt_answers_for_it_and_goes_on() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "panic", "1").await;
    let (_, verdict) = peer.result().await;
    assert!(
        matches!(&verdict, Verdict::Failed(failure) if failure.kind == FailureKind::Other),
        "{verdict:?}"
    );
    peer.assign(key(2), "echo", "2").await;
    assert_eq!(peer.result().await, (key(2), done("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_output_is_stored_before_its_result_is_sent_even_if_storing_fails_at_first() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    fake.shelf.lock().unwrap().failing_uploads = 2;
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    let size = (MAX_INLINE * 3).to_string();
    peer.assign(key(1), "large", &size).await;
    let (_, verdict) = peer.result().await;
    let Verdict::Done {
        output: Payload::Stored { digest, size },
    } = verdict
    else {
        panic!("not stored: {verdict:?}")
    };
    let stored = fake.shelf.lock().unwrap().payloads[&digest].clone();
    assert_eq!(stored.len() as u64, size);
    assert_eq!(wharf_bundle::digest(&stored), digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_output_that_the_controller_never_takes_does_not_stay_for_ever() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    fake.shelf.lock().unwrap().no_uploads = true;
    let (runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    let size = (MAX_INLINE * 2).to_string();
    peer.assign(key(1), "large", &size).await;
    let (_, verdict) = peer.result().await;
    assert!(
        matches!(&verdict, Verdict::Stopped { limit, .. } if limit == "output"),
        "{verdict:?}"
    );
    peer.acknowledge(key(1)).await;
    let empty = |status: &Status| status.journaled == 0 && status.delivered == 1;
    soon("an empty journal", runner.status().wait_for(empty))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_results_that_wait_arrive_after_a_reconnect_each_once() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    let mut given = 0;
    let mut answered = std::collections::BTreeSet::new();
    while answered.len() < 300 {
        match peer.next().await.unwrap() {
            ToController::Credit { add } => {
                for _ in 0..add {
                    given += 1;
                    peer.send(assign(key(given), "echo", "1")).await;
                }
            }
            ToController::Result { key, .. } => {
                answered.insert(key);
            }
            _ => {}
        }
    }
    drop(peer);
    let mut peer = fake.peer(Pipe::Control).await;
    let held = peer.hello.journaled.len();
    assert!(held >= 300, "none was acknowledged, {held} are kept");
    let mut again = std::collections::BTreeSet::new();
    while again.len() < held {
        let (key, _) = peer.result().await;
        assert!(again.insert(key), "{key} was sent twice on one connection");
        peer.acknowledge(key).await;
    }
}
