//! Leaving: nothing is lost, nothing is left unsaid.

use std::time::Duration;

use tempfile::tempdir;
use wharf_protocol::{HandBackReason, Pipe, ToController, ToRunner, Verdict};

use super::controller::Fake;
use super::{key, soon};
use crate::{AgentError, Left, Link};

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_hands_back_what_waits_finishes_what_runs_and_leaves_when_all_is_acknowledged() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "wait", "1").await;
    peer.find("the start", |frame| {
        matches!(frame, ToController::Started(_)).then_some(())
    })
    .await;
    peer.assign(key(2), "prepare", "2").await;
    peer.find("the second is accepted", |frame| {
        (frame == ToController::Accept(key(2))).then_some(())
    })
    .await;
    peer.send(ToRunner::Drain).await;
    let mut told = Vec::new();
    peer.find("the hand-back", |frame| match frame {
        ToController::Draining => {
            told.push("draining");
            None
        }
        ToController::HandBack { key: back, reason } => {
            assert_eq!((back, reason), (key(2), HandBackReason::Draining));
            Some(())
        }
        _ => None,
    })
    .await;
    assert_eq!(told, ["draining"]);
    // New work is not taken any more, and heartbeats go on.
    peer.assign(key(3), "echo", "3").await;
    peer.find("the hand-back", |frame| {
        matches!(frame, ToController::HandBack { key: back, .. } if back == key(3)).then_some(())
    })
    .await;
    peer.find("a heartbeat", |frame| {
        matches!(frame, ToController::Heartbeat { running, .. } if running.contains(&key(1)))
            .then_some(())
    })
    .await;
    executor.go.add_permits(1);
    let (finished, verdict) = peer.result().await;
    assert_eq!(finished, key(1));
    assert!(matches!(verdict, Verdict::Done { .. }));
    let mut status = runner.status();
    peer.acknowledge(key(1)).await;
    let closing = async { while peer.next().await.is_some() {} };
    soon("the farewell", closing).await;
    let left = soon("leaving", runner.wait()).await.unwrap();
    assert_eq!(
        left,
        Left {
            undelivered: 0,
            log_lines_lost: 0
        }
    );
    assert_eq!(executor.starts(), 1);
    assert!(!fake.has_another_peer(), "it came back after it had left");
    assert_eq!(status.borrow_and_update().link, Link::Stopped);
    let on_disk = crate::Status::read(state.path()).unwrap();
    assert_eq!(on_disk.link, Link::Stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_ends_what_runs_and_still_delivers_that_it_did() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "stubborn", "1").await;
    peer.find("the start", |frame| {
        matches!(frame, ToController::Started(_)).then_some(())
    })
    .await;
    runner.drain().await;
    runner.kill("the operator wants out").await;
    let (_, verdict) = peer.result().await;
    assert_eq!(
        verdict,
        Verdict::Cancelled {
            reason: "the operator wants out".to_owned()
        }
    );
    peer.acknowledge(key(1)).await;
    while peer.next().await.is_some() {}
    let left = soon("leaving", runner.wait()).await.unwrap();
    assert_eq!(left.undelivered, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_takes_too_long_ends_what_runs() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let mut config = fake.config(state.path());
    config.drain_timeout = Duration::from_millis(50);
    let execute = std::sync::Arc::new(super::executor::FakeExecutor::default());
    let runner =
        crate::Agent::start_with(&config, fake.surroundings(state.path()), execute).unwrap();
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "stubborn", "1").await;
    peer.find("the start", |frame| {
        matches!(frame, ToController::Started(_)).then_some(())
    })
    .await;
    runner.drain().await;
    let (_, verdict) = peer.result().await;
    assert!(matches!(verdict, Verdict::Cancelled { .. }), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_the_controller_will_not_have_ends_and_says_why() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.send(ToRunner::Goodbye {
        reason: "this runner was removed".to_owned(),
        retry: false,
    })
    .await;
    let error = soon("the end", runner.wait()).await.unwrap_err();
    assert!(
        matches!(&error, AgentError::Rejected(reason) if reason.contains("was removed")),
        "{error}"
    );
}
