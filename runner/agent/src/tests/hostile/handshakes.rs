//! Handshakes that are not what they should be.

use tempfile::tempdir;
use wharf_protocol::{Pipe, ToRunner, Verdict, encode};

use super::super::controller::{Fake, assign};
use super::super::{key, soon};
use super::until_audited;
use crate::{Link, Status};

fn message(frames: &[ToRunner]) -> Vec<u8> {
    let mut message = Vec::new();
    for frame in frames {
        encode(&mut message, frame).unwrap();
    }
    message
}

fn welcome(group: &str, session: &str, heartbeat_ms: u64, warnings: Vec<String>) -> ToRunner {
    ToRunner::Welcome {
        session: session.to_owned(),
        group: group.parse().unwrap(),
        lease_ms: 0,
        heartbeat_ms,
        warnings,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_the_hello_that_is_no_welcome_ends_the_connection_and_is_audited() {
    let good = || welcome("here", "s", 100, vec![]);
    let goodbye = || ToRunner::Goodbye {
        reason: "come again".to_owned(),
        retry: true,
    };
    let cases: [(&str, Vec<u8>); 7] = [
        (
            "no welcome after the hello",
            message(&[assign(key(1), "echo", "1")]),
        ),
        ("no welcome after the hello", message(&[ToRunner::Drain])),
        (
            "several frames",
            message(&[good(), assign(key(1), "echo", "1")]),
        ),
        ("several frames", message(&[goodbye(), good()])),
        (
            "into the group `admins`",
            message(&[welcome("admins", "s", 100, vec![])]),
        ),
        ("malformed", vec![0xc1]),
        ("an empty message", vec![]),
    ];
    for (says, instead) in cases {
        let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
        fake.instead_of_welcome(instead);
        let (_runner, executor) = fake.runner(state.path());
        // It comes again, and then all is well.
        let mut peer = fake.peer(Pipe::Control).await;
        until_audited(&mut peer, state.path(), "connection-refused", says).await;
        assert_eq!(executor.starts(), 0, "{says}");
        peer.assign(key(2), "echo", "1").await;
        let (_, verdict) = peer.result().await;
        assert!(matches!(verdict, Verdict::Done { .. }), "{says}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_not_ours_is_audited_and_gets_no_hello() {
    let (mut fake, state) = (Fake::stranger().await, tempdir().unwrap());
    let (runner, _) = fake.runner(state.path());
    let mut status = runner.status();
    let refused = |status: &Status| matches!(&status.link, Link::Connecting { reason } if reason.contains("a-stranger"));
    soon("a refusal", status.wait_for(refused)).await.unwrap();
    let all = super::audited(state.path());
    assert!(super::says_so(&all, "connection-refused", "a-stranger"));
    assert!(!fake.has_another_peer());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_with_absurd_numbers_and_endless_words_is_held_within_bounds() {
    let (fake, state) = (Fake::start().await, tempdir().unwrap());
    let warnings = vec!["\u{1b}]0;owned\u{7}".repeat(100); 500];
    let odd = welcome("here", "line\r\nx-admin: yes", 0, warnings);
    fake.instead_of_welcome(message(&[odd]));
    let (runner, _) = fake.runner(state.path());
    let mut status = runner.status();
    let connected = |status: &Status| matches!(status.link, Link::Connected { .. });
    let link = soon("a connection", status.wait_for(connected))
        .await
        .unwrap()
        .link
        .clone();
    let Link::Connected { warnings, .. } = link else {
        panic!("{link:?}")
    };
    assert_eq!(warnings.len(), 16);
    assert!(
        warnings
            .iter()
            .all(|w| w.chars().count() <= 1_000 && !w.contains('\u{1b}'))
    );
    runner.kill("the test is over").await;
    soon("leaving", runner.wait()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_the_controller_cannot_drive_a_terminal() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "wait", "1").await;
    peer.find("the start", |frame| {
        (frame == wharf_protocol::ToController::Started(key(1))).then_some(())
    })
    .await;
    let reason = "\u{1b}[2J\u{7}".repeat(10_000);
    peer.send(ToRunner::Cancel {
        key: key(1),
        reason: reason.clone(),
        grace_ms: 0,
    })
    .await;
    let (_, verdict) = peer.result().await;
    let Verdict::Cancelled { reason: told } = verdict else {
        panic!("{verdict:?}")
    };
    assert!(!told.contains('\u{1b}') && told.len() < 1_100, "{told:?}");
    peer.acknowledge(key(1)).await;
    let mut status = runner.status();
    peer.send(ToRunner::Goodbye {
        reason,
        retry: true,
    })
    .await;
    let told = |status: &Status| matches!(&status.link, Link::Connecting { reason } if reason.contains("goodbye"));
    let link = soon("the end", status.wait_for(told))
        .await
        .unwrap()
        .link
        .clone();
    let Link::Connecting { reason } = link else {
        panic!("{link:?}")
    };
    assert!(
        !reason.contains('\u{1b}') && reason.len() < 1_100,
        "{reason:?}"
    );
}
