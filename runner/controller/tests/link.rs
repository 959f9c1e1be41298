//! Runners that do as they should, and those that do not.

mod support;

use reqwest::Method;
use serde_bytes::ByteBuf;
use serde_json::json;
use support::{House, done, result};
use wharf_protocol::{
    Acceptance, Challenge, Hello, Level, LogEntry, MAX_MESSAGE, Pipe, Progress, ToController,
    ToRunner,
};

/// Says this hello, and is sent away with the reason.
async fn refused(house: &House, hello: impl FnOnce(&Challenge) -> Hello) -> (String, bool) {
    let mut runner = house.knock().await;
    let hello = hello(&runner.challenge);
    runner.send(&[ToController::Hello(Box::new(hello))]).await;
    runner.goodbye().await
}

#[tokio::test]
async fn a_runner_that_cannot_prove_who_it_is_is_refused() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let other = house.enrol().await;

    let forged = refused(&house, |challenge| Hello {
        runner: other.id,
        ..identity.hello(challenge, Pipe::Control)
    });
    let (reason, retry) = forged.await;
    assert!(reason.contains("signature") && !retry, "{reason}");

    // A good signature over the challenge of another controller, and over another nonce.
    for (controller, nonce) in [(Some("elsewhere"), None), (None, Some(vec![0; 32]))] {
        let replayed = refused(&house, |challenge| {
            let mut signed = challenge.clone();
            if let Some(name) = controller {
                signed.controller = name.to_owned();
            }
            if let Some(nonce) = nonce {
                signed.nonce = ByteBuf::from(nonce);
            }
            identity.hello(&signed, Pipe::Control)
        });
        assert!(replayed.await.0.contains("signature"));
    }

    // Signed for one pipe, used for the other.
    let crossed = refused(&house, |challenge| Hello {
        pipe: Pipe::Logs,
        ..identity.hello(challenge, Pipe::Control)
    });
    assert!(crossed.await.0.contains("signature"));
}

#[tokio::test]
async fn a_runner_of_another_protocol_or_system_is_refused_by_name() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let (reason, retry) = refused(&house, |challenge| Hello {
        protocol: 99,
        ..identity.hello(challenge, Pipe::Control)
    })
    .await;
    assert!(reason.contains("99") && !retry, "{reason}");
    let (reason, _) = refused(&house, |challenge| Hello {
        platform: "windows/x86_64".to_owned(),
        ..identity.hello(challenge, Pipe::Control)
    })
    .await;
    assert!(reason.contains("windows"), "{reason}");
}

#[tokio::test]
async fn what_is_no_frame_ends_its_own_connection_with_a_reason_and_no_other() {
    let house = House::furnished().await;
    let mut good = house.runner(1).await;
    for (bytes, reason) in [
        (b"\xc1\xc1".to_vec(), "malformed"),
        (Vec::new(), "empty"),
        (vec![0; MAX_MESSAGE + 1], ""),
    ] {
        let mut bad = house.knock().await;
        bad.send_raw(bytes.clone()).await;
        let (found, _) = bad.goodbye().await;
        assert!(found.contains(reason), "{found}");
        let mut bad = house.runner(0).await;
        bad.send_raw(bytes).await;
        let (found, _) = bad.goodbye().await;
        assert!(found.contains(reason), "{found}");
    }
    let mut bad = house.runner(0).await;
    let lines = ToController::Log {
        key: key_of_nothing(),
        first: 0,
        entries: Vec::new(),
    };
    bad.send(&[lines]).await;
    assert!(bad.goodbye().await.0.contains("log pipe"));

    house.submit("find", json!({"id": 1})).await;
    good.assignment().await;
}

fn key_of_nothing() -> wharf_protocol::AttemptKey {
    wharf_protocol::AttemptKey {
        execution: wharf_protocol::ExecutionId::from_ulid(ulid::Ulid::nil()),
        attempt: 1,
    }
}

#[tokio::test]
async fn a_newer_connection_takes_over_and_the_end_of_the_older_changes_nothing() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let mut old = house.connect(&identity, Pipe::Control, &[], &[]).await;
    let mut new = house.connect(&identity, Pipe::Control, &[], &[]).await;
    assert!(old.goodbye().await.1);
    drop(old);
    new.send(&[ToController::Credit { add: 1 }]).await;
    house.submit("find", json!({"id": 1})).await;
    new.assignment().await;
    let mut old = house.connect(&identity, Pipe::Logs, &[], &[]).await;
    let mut newer = house.connect(&identity, Pipe::Logs, &[], &[]).await;
    old.goodbye().await;
    newer
        .send(&[ToController::Log {
            key: key_of_nothing(),
            first: 3,
            entries: Vec::new(),
        }])
        .await;
    assert!(matches!(
        newer.next().await,
        ToRunner::LogAck { next: 3, .. }
    ));
}

#[tokio::test]
async fn a_removed_runner_is_sent_away_for_good() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let mut runner = house.connect(&identity, Pipe::Control, &[], &[]).await;
    let path = format!("/v1/runners/{}", identity.id);
    let token = house.running.admin_token();
    let removed = house.call(Method::DELETE, &path, token, Vec::new()).await;
    assert_eq!(removed.status(), 204);
    let (reason, retry) = runner.goodbye().await;
    assert!(reason.contains("removed") && !retry);
    let again = refused(&house, |challenge| identity.hello(challenge, Pipe::Control));
    assert!(again.await.0.contains("not known"));
}

#[tokio::test]
async fn an_attempt_whose_runner_falls_silent_goes_to_another_and_the_late_result_is_kept() {
    let house = House::impatient().await;
    let mut first = house.runner(1).await;
    let id = house.submit("find", json!({"id": 1})).await["id"].clone();
    let lost = first.assignment().await.key;
    let mut second = house.runner(1).await;
    // No heartbeat: the lease of three seconds runs out. Both read, and so answer pings.
    let (cancel, assignment) = tokio::join!(first.next(), second.assignment());
    let key = assignment.key;
    assert_eq!((key.execution, key.attempt), (lost.execution, 2));
    assert!(matches!(cancel, ToRunner::Cancel { .. }), "{cancel:?}");
    first.finish(lost, done("1")).await;
    assert!(matches!(
        first.next().await,
        ToRunner::ResultAck {
            acceptance: Acceptance::Late,
            ..
        }
    ));
    second
        .send(&[result(key, done("2")), result(key, done("3"))])
        .await;
    for expected in [Acceptance::Accepted, Acceptance::Duplicate] {
        match second.next().await {
            ToRunner::ResultAck { acceptance, .. } => assert_eq!(acceptance, expected),
            other => panic!("{other:?}"),
        }
    }
    let (_, found) = house
        .get(&format!("/v1/executions/{}", id.as_str().unwrap()))
        .await;
    assert_eq!(
        (&found["output"], &found["attempt"]),
        (&json!(2), &json!(2))
    );
    let (_, letters) = house.get("/v1/dead-letters").await;
    assert_eq!(letters["dead_letters"][0]["output"], 1);
}

#[tokio::test]
async fn logs_are_kept_once_and_stream_until_the_end() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let mut control = house.connect(&identity, Pipe::Control, &[], &[]).await;
    let mut logs = house.connect(&identity, Pipe::Logs, &[], &[]).await;
    control.send(&[ToController::Credit { add: 1 }]).await;
    let id = house.submit("find", json!({"id": 1})).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = control.assignment().await.key;
    let path = format!("/v1/executions/{id}/logs");
    let stream = house
        .http
        .get(house.url(&path))
        .bearer_auth(house.running.admin_token())
        .header("accept", "text/event-stream")
        .send()
        .await
        .unwrap();
    let entry = |text: &str| LogEntry {
        time_ms: 5,
        level: Level::Info,
        message: text.to_owned(),
        fields: vec![("a".to_owned(), "b".to_owned())],
    };
    let log = |first, entries| ToController::Log {
        key,
        first,
        entries,
    };
    logs.send(&[log(0, vec![entry("one"), entry("two")])]).await;
    logs.send(&[log(1, vec![entry("two"), entry("three")])])
        .await;
    for expected in [2, 3] {
        assert!(matches!(logs.next().await, ToRunner::LogAck { next, .. } if next == expected));
    }
    let progress = Progress {
        fraction: Some(0.5),
        message: "half".to_owned(),
    };
    control
        .send(&[ToController::Heartbeat {
            running: vec![key],
            progress: vec![(key, progress)],
            audit: None,
        }])
        .await;
    // The frame and the question travel on different connections.
    let running = tokio::time::timeout(support::PATIENCE, async {
        loop {
            let (_, running) = house.get(&format!("/v1/executions/{id}")).await;
            if !running["progress"].is_null() {
                break running;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(
        running["progress"],
        json!({"fraction": 0.5, "message": "half"})
    );
    let mut ending = result(key, done("1"));
    if let ToController::Result { usage, .. } = &mut ending {
        usage.log_entries = 3;
        usage.log_dropped = 4;
    }
    control.send(&[ending]).await;
    let text = tokio::time::timeout(support::PATIENCE, stream.text())
        .await
        .unwrap()
        .unwrap();
    for line in ["one", "two", "three"] {
        assert_eq!(
            text.matches(&format!("\"message\":\"{line}\"")).count(),
            1,
            "{text}"
        );
    }
    assert!(
        text.contains("event: end\ndata: {\"complete\":true,\"dropped\":4}"),
        "{text}"
    );
    let (_, page) = house.get(&format!("{path}?from=1")).await;
    assert_eq!(page["entries"][0]["number"], 1);
    assert_eq!(page["entries"][0]["fields"], json!({"a": "b"}));
    assert_eq!(
        (&page["complete"], &page["dropped"]),
        (&json!(true), &json!(4))
    );
}

#[tokio::test]
async fn a_runner_cannot_write_into_the_log_of_another() {
    let house = House::furnished().await;
    let mut owner = house.runner(1).await;
    let id = house.submit("find", json!({"id": 1})).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let key = owner.assignment().await.key;
    let stranger = house.enrol().await;
    let mut logs = house.connect(&stranger, Pipe::Logs, &[], &[]).await;
    let entry = LogEntry {
        time_ms: 0,
        level: Level::Error,
        message: "lies".to_owned(),
        fields: Vec::new(),
    };
    logs.send(&[ToController::Log {
        key,
        first: 0,
        entries: vec![entry],
    }])
    .await;
    assert!(matches!(
        logs.next().await,
        ToRunner::LogAck { next: 1, .. }
    ));
    let (_, page) = house.get(&format!("/v1/executions/{id}/logs")).await;
    assert_eq!(page["entries"], json!([]));
}
