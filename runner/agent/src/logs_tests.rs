//! Log lines under reconnects, late acknowledgements and shortage.

use wharf_protocol::{AttemptKey, Level, LogEntry, ToController, decode};

use super::Logs;
use crate::tests::key;

fn line(text: &str) -> LogEntry {
    LogEntry {
        time_ms: 0,
        level: Level::Info,
        message: text.to_owned(),
        fields: vec![],
    }
}

async fn sent(logs: &Logs) -> (AttemptKey, u64, Vec<String>) {
    let mut frames: Vec<ToController> = decode(&logs.next().await.unwrap()).unwrap();
    let Some(ToController::Log {
        key,
        first,
        entries,
    }) = frames.pop()
    else {
        panic!("not a log frame")
    };
    (key, first, entries.into_iter().map(|e| e.message).collect())
}

#[tokio::test]
async fn lines_are_sent_once_and_again_after_a_reconnect_from_what_was_acknowledged() {
    let logs = Logs::default();
    for text in ["a", "b", "c"] {
        logs.push(key(1), line(text));
    }
    assert_eq!(
        sent(&logs).await,
        (key(1), 0, vec!["a".into(), "b".into(), "c".into()])
    );
    logs.push(key(1), line("d"));
    assert_eq!(sent(&logs).await, (key(1), 3, vec!["d".into()]));
    logs.acknowledged(key(1), 2);
    logs.reconnected();
    assert_eq!(sent(&logs).await, (key(1), 2, vec!["c".into(), "d".into()]));
}

#[tokio::test]
async fn a_finished_attempt_is_forgotten_when_all_its_lines_are_acknowledged() {
    let logs = Logs::default();
    logs.push(key(1), line("a"));
    assert_eq!(logs.finish(key(1)), 0);
    sent(&logs).await;
    logs.acknowledged(key(1), 1);
    logs.delivered().await;
    assert!(logs.book().attempts.is_empty() && logs.book().finished.is_empty());
}

#[tokio::test]
async fn an_acknowledgement_of_lines_that_were_never_sent_loses_nothing() {
    let logs = Logs::default();
    logs.push(key(1), line("a"));
    logs.acknowledged(key(1), 1000);
    assert_eq!(sent(&logs).await, (key(1), 0, vec!["a".into()]));
}

#[test]
fn an_attempt_over_its_budget_loses_lines_and_says_how_many() {
    let logs = Logs::default();
    let long = "x".repeat(60 << 10);
    for _ in 0..100 {
        logs.push(key(1), line(&long));
    }
    let dropped = logs.finish(key(1));
    let (waiting, _) = logs.counts();
    assert_eq!(dropped + waiting as u64, 100);
    assert!(dropped > 0);
}

#[test]
fn when_room_is_short_the_lines_of_attempts_that_ended_first_go_first() {
    let logs = Logs::default();
    let long = "x".repeat(60 << 10);
    for number in 0..30 {
        for _ in 0..50 {
            logs.push(key(number), line(&long));
        }
        assert_eq!(logs.finish(key(number)), 0);
    }
    let (_, lost) = logs.counts();
    assert!(lost >= 50);
    assert!(!logs.book().attempts.contains_key(&key(0)));
    assert!(logs.book().attempts.contains_key(&key(29)));
}

#[tokio::test]
async fn one_chatty_attempt_does_not_keep_the_others_waiting() {
    let logs = Logs::default();
    let long = "x".repeat(60 << 10);
    for _ in 0..20 {
        logs.push(key(1), line(&long));
    }
    logs.push(key(2), line("short"));
    assert_eq!(sent(&logs).await.0, key(1));
    assert_eq!(sent(&logs).await.0, key(2));
    assert_eq!(sent(&logs).await.0, key(1));
}
