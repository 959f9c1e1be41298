//! What is kept when a controller ends without a word.

mod support;

use serde_json::json;
use support::{House, config, done};
use wharf_controller::Controller;
use wharf_protocol::{Acceptance, Pipe, ToController, ToRunner};

#[tokio::test]
async fn what_was_accepted_outlives_the_controller_and_journaled_results_arrive() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let mut runner = house.connect(&identity, Pipe::Control, &[], &[]).await;
    runner.send(&[ToController::Credit { add: 3 }]).await;
    let mut keys = Vec::new();
    let mut ids = Vec::new();
    for (action, n) in [("find", 0), ("pay", 1), ("pay", 2), ("find", 3)] {
        let id = house.submit(action, json!({"id": n})).await["id"].clone();
        ids.push(format!("/v1/executions/{}", id.as_str().unwrap()));
        if n < 3 {
            keys.push(runner.assignment().await.key);
        }
    }
    runner.finish(keys[0], done("0")).await;
    assert!(matches!(runner.next().await, ToRunner::ResultAck { .. }));
    let token = house.running.admin_token().to_owned();

    let house = house.crash().await;
    assert_eq!(house.running.admin_token(), token);
    let state = async |path: &str| {
        let (_, found) = house.get(path).await;
        (found["state"].clone(), found["outcome"].clone())
    };
    assert_eq!(state(&ids[0]).await, (json!("finished"), json!("done")));
    assert_eq!(state(&ids[1]).await.0, "running");
    assert_eq!(state(&ids[3]).await.0, "queued");

    // The runner journaled one result, was started again, and has forgotten the other attempt.
    let identity = identity.restarted();
    let mut runner = house
        .connect(&identity, Pipe::Control, &[], &[keys[1]])
        .await;
    assert_eq!(state(&ids[2]).await.1, "lost");
    runner.finish(keys[1], done("1")).await;
    runner.finish(keys[0], done("0")).await;
    for expected in [Acceptance::Accepted, Acceptance::Duplicate] {
        match runner.next().await {
            ToRunner::ResultAck { acceptance, .. } => assert_eq!(acceptance, expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(state(&ids[1]).await.1, "done");
    runner.send(&[ToController::Credit { add: 1 }]).await;
    let key = runner.assignment().await.key;
    runner.finish(key, done("3")).await;
    let (_, last) = house.get(&format!("{}?wait_ms=20000", ids[3])).await;
    assert_eq!(last["output"], 3);
}

#[tokio::test]
async fn what_a_dead_controller_had_assigned_and_not_sent_is_assigned_again() {
    let house = House::furnished().await;
    let identity = house.enrol().await;
    let mut runner = house.connect(&identity, Pipe::Control, &[], &[]).await;
    runner.send(&[ToController::Credit { add: 1 }]).await;
    let id = house.submit("pay", json!({"id": 1})).await["id"].clone();
    let unread = runner.assignment().await.key;

    let house = house.crash().await;
    // The same process, which knows nothing of it: the frame was lost on its way.
    let mut runner = house.connect(&identity, Pipe::Control, &[], &[]).await;
    runner.send(&[ToController::Credit { add: 1 }]).await;
    let key = runner.assignment().await.key;
    assert_eq!((key.execution, key.attempt), (unread.execution, 2));
    runner.finish(key, done("1")).await;
    let path = format!("/v1/executions/{}?wait_ms=20000", id.as_str().unwrap());
    assert_eq!(house.get(&path).await.1["outcome"], "done");
}

#[tokio::test]
async fn a_controller_that_is_shut_down_answers_who_waits_and_tells_its_runners() {
    let house = House::furnished().await;
    let mut runner = house.runner(1).await;
    let identity = house.enrol().await;
    let mut logs = house.connect(&identity, Pipe::Logs, &[], &[]).await;
    let body =
        json!({"group": "edge", "plugin": "shop/orders", "action": "find", "input": {"id": 1}});
    let request = house
        .http
        .post(house.url("/v1/executions?wait_ms=200000"))
        .bearer_auth(house.running.admin_token())
        .body(body.to_string())
        .send();
    let waiting = tokio::spawn(request);
    runner.assignment().await;
    house.running.shutdown().await;
    // Either how it stands, or that the controller ends; never a connection that just breaks.
    let status = waiting.await.unwrap().unwrap().status().as_u16();
    assert!([201, 503].contains(&status), "{status}");
    assert!(runner.goodbye().await.1);
    assert!(logs.goodbye().await.1);
    Controller::start(config(house.data.path()))
        .await
        .unwrap()
        .shutdown()
        .await;
}

#[tokio::test]
async fn a_folder_serves_one_controller_at_a_time() {
    let house = House::empty().await;
    let error = Controller::start(config(house.data.path()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("in use"), "{error}");
}

#[tokio::test]
async fn times_that_cannot_work_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let mut config = config(data.path());
    config.heartbeat = config.lease;
    let error = Controller::start(config).await.unwrap_err();
    assert!(error.to_string().contains("lease"), "{error}");
}
