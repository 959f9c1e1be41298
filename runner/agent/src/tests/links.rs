//! The connections: who is spoken to, what breaks them, and what does not.

use std::sync::atomic::Ordering;

use tempfile::tempdir;
use wharf_protocol::{MAX_MESSAGE, Pipe, ToController, ToRunner, Verdict};

use super::controller::Fake;
use super::{key, soon};
use crate::Link;

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_none_breaks_the_connection_and_loses_nothing() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, executor) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "wait", "1").await;
    peer.find("the start", |frame| {
        matches!(frame, ToController::Started(_)).then_some(())
    })
    .await;
    for bad in [vec![0xc1; 10], vec![], vec![0; MAX_MESSAGE + 1]] {
        peer.send_junk(bad).await;
        while peer.next().await.is_some() {}
        peer = fake.peer(Pipe::Control).await;
        assert_eq!(peer.hello.running, [key(1)]);
    }
    executor.go.add_permits(1);
    let (finished, verdict) = peer.result().await;
    assert_eq!(finished, key(1));
    assert!(matches!(verdict, Verdict::Done { .. }));
    assert_eq!(executor.started.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_not_ours_gets_no_hello() {
    let (fake, state) = (Fake::stranger().await, tempdir().unwrap());
    let (runner, _) = fake.runner(state.path());
    let mut status = runner.status();
    let refused = |status: &crate::Status| matches!(&status.link, Link::Connecting { reason } if reason.contains("a-stranger"));
    soon("a refusal", status.wait_for(refused)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn heartbeats_name_what_runs_while_results_and_logs_flow_and_progress_comes_along() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut peer = fake.peer(Pipe::Control).await;
    peer.assign(key(1), "progress", "1").await;
    let progress = peer
        .find("progress", |frame| match frame {
            ToController::Heartbeat { progress, .. } => progress.into_iter().next(),
            _ => None,
        })
        .await;
    assert_eq!(progress.0, key(1));
    assert_eq!(progress.1.message, "half");
    // Nobody reads the logs, more of them than the system keeps for who does not, and results are large: the
    // lease is renewed all the same.
    for number in 2..5 {
        peer.assign(key(number), "chatty", "60000").await;
    }
    peer.assign(key(5), "large", "200000").await;
    for _ in 0..5 {
        peer.find("a heartbeat", |frame| {
            matches!(frame, ToController::Heartbeat { running, .. } if running.contains(&key(1)))
                .then_some(())
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_arrive_in_order_and_from_the_last_acknowledged_after_a_reconnect() {
    let (mut fake, state) = (Fake::start().await, tempdir().unwrap());
    let (_runner, _) = fake.runner(state.path());
    let mut control = fake.peer(Pipe::Control).await;
    let mut logs = fake.peer(Pipe::Logs).await;
    control.assign(key(1), "chatty", "1000").await;
    let mut expected = 0;
    while expected < 1000 {
        expected += lines(&mut logs, expected).await;
    }
    logs.send(ToRunner::LogAck {
        key: key(1),
        next: 700,
    })
    .await;
    // The acknowledgement is read before the close behind it.
    drop(logs);
    let mut logs = fake.peer(Pipe::Logs).await;
    let mut expected = 700;
    while expected < 1000 {
        expected += lines(&mut logs, expected).await;
    }
    control.result().await;
}

async fn lines(peer: &mut super::controller::Peer, expected: u64) -> u64 {
    peer.find("log lines", |frame| match frame {
        ToController::Log {
            key: of,
            first,
            entries,
        } => {
            assert_eq!((of, first), (key(1), expected));
            assert_eq!(entries[0].message, format!("line {first}"));
            Some(entries.len() as u64)
        }
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_a_damaged_journal_starts_no_runner() {
    let (fake, state) = (Fake::start().await, tempdir().unwrap());
    std::fs::write(state.path().join("journal.db"), [7; 8192]).unwrap();
    let execute = std::sync::Arc::new(super::executor::FakeExecutor::default());
    let config = fake.config(state.path());
    let error = crate::Agent::start_with(&config, fake.surroundings(state.path()), execute).err();
    assert!(matches!(error, Some(crate::AgentError::Journal { .. })));
}
