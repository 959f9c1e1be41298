//! Processes are killed as power cuts kill them; nothing accepted is lost, nothing runs twice that
//! may not.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::json;
use wharf_e2e::{Service, World, until};

fn grant_http(origin: &str) -> String {
    format!(
        "[[grant]]\nplugins = ['http', 'hostile']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n"
    )
}

/// How often each path was asked for.
fn counts(service: &Service) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in service.requests() {
        *counts.entry(request).or_default() += 1;
    }
    counts
}

async fn running(world: &World, id: &str) {
    until("the action runs", async || {
        let logs = world.get(&format!("/v1/executions/{id}/logs")).await;
        logs["entries"]
            .to_string()
            .contains("holding")
            .then_some(())
    })
    .await;
}

/// Submits an action that may not be repeated, and waits until its request is at the service.
async fn fetching(world: &World, service: &Service) -> String {
    let input = json!({ "url": service.origin() + "/charge" });
    let id = world.submit("hostile", "fetch", input).await;
    until("the request is out", async || {
        (!service.requests().is_empty()).then_some(())
    })
    .await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_in_the_middle_of_an_idempotent_action_runs_it_again_to_its_end() {
    let world = World::start().await;
    let policy = world.policy("policy", "");
    let runner = world.runner("runner", &policy).await;
    let id = world
        .submit("hostile", "hold", json!({ "ms": 10_000 }))
        .await;
    running(&world, &id).await;
    runner.kill().await;

    let _again = world.start_runner("runner", &policy).await;
    let execution = world.finished(&id).await;
    assert_eq!(execution["outcome"], "done", "{execution}");
    assert_eq!(execution["attempt"], 2, "{execution}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_killed_in_the_middle_of_an_action_that_may_not_be_repeated_leaves_it_lost() {
    let world = World::start().await;
    let service = Service::hanging().await;
    let policy = world.policy("policy", &grant_http(&service.origin()));
    let runner = world.runner("runner", &policy).await;
    let id = fetching(&world, &service).await;
    runner.kill().await;

    let _again = world.start_runner("runner", &policy).await;
    let execution = world.finished(&id).await;
    assert_eq!(execution["outcome"], "lost", "{execution}");
    // A terminal execution stays so, and the request was made once.
    let other = world
        .run("hostile", "echo", json!({ "still": "here" }))
        .await;
    assert_eq!(other["outcome"], "done", "{other}");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_killed_in_the_middle_of_many_loses_nothing_and_repeats_nothing() {
    const MANY: usize = 300;
    let mut world = World::start().await;
    let service = Service::start().await;
    let policy = world.policy("policy", &grant_http(&service.origin()));
    let _runner = world.runner("runner", &policy).await;

    let mut accepted = Vec::new();
    for number in 0..MANY {
        let url = format!("{}/{number}", service.origin());
        accepted.push(
            world
                .submit("hostile", "fetch", json!({ "url": url }))
                .await,
        );
        if number == MANY / 2 {
            // Some are finished, some run, some wait.
            world.kill_controller().await;
            world.start_controller().await;
        }
    }
    world.kill_controller().await;
    world.start_controller().await;
    for id in &accepted {
        let execution = world.finished(id).await;
        // Its attempt may be a second one: assigned by a controller that died before it sent it.
        assert_eq!(execution["outcome"], "done", "{execution}");
    }
    let counts = counts(&service);
    assert_eq!(counts.len(), MANY);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_was_journaled_arrives_though_both_sides_were_killed() {
    let mut world = World::start().await;
    let service = Service::hanging().await;
    let policy = world.policy("policy", &grant_http(&service.origin()));
    let runner = world.runner("runner", &policy).await;
    let id = fetching(&world, &service).await;
    world.kill_controller().await;
    service.answer();
    // Results that the controller does not know of yet.
    world.until_says("runner", "journaled", 1).await;
    runner.kill().await;

    world.start_controller().await;
    let _again = world.start_runner("runner", &policy).await;
    let execution = world.finished(&id).await;
    assert_eq!(execution["outcome"], "done", "{execution}");
    assert_eq!(execution["attempt"], 1, "{execution}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_told_to_stop_finishes_what_it_runs_and_delivers_it() {
    let world = World::start().await;
    let service = Service::hanging().await;
    let policy = world.policy("policy", &grant_http(&service.origin()));
    let runner = world.runner("runner", &policy).await;
    let id = fetching(&world, &service).await;
    runner.signal();
    world.until_says("runner", "draining", true).await;
    service.answer();
    assert_eq!(runner.wait().await, 0);
    let execution = world.execution(&id).await;
    assert_eq!(execution["outcome"], "done", "{execution}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_action_ends_by_itself_or_is_ended_after_the_grace() {
    let world = World::start().await;
    let policy = world.policy("policy", "");
    let _runner = world.runner("runner", &policy).await;
    for (polite, grace) in [(true, 30_000), (false, 100)] {
        let id = world
            .submit("hostile", "hold", json!({ "ms": 50_000, "polite": polite }))
            .await;
        running(&world, &id).await;
        world
            .post(
                &format!("/v1/executions/{id}/cancel"),
                &json!({ "reason": "test", "grace_ms": grace }),
            )
            .await;
        let execution = world.finished(&id).await;
        assert_eq!(execution["outcome"], "cancelled", "{execution}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_waits_for_a_runner_and_says_why() {
    let world = World::start().await;
    let id = world.submit("hostile", "echo", json!({ "n": 1 })).await;
    let waiting = world.execution(&id).await;
    assert_eq!(waiting["state"], "queued", "{waiting}");
    assert!(
        waiting["reason"].as_str().unwrap().contains("test"),
        "{waiting}"
    );
    let _runner = world.runner("runner", &world.policy("policy", "")).await;
    assert_eq!(world.finished(&id).await["outcome"], "done");
}
