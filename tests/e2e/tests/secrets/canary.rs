//! A secret goes through a whole execution and is nowhere afterwards but where it belongs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use wharf_e2e::{Build, Places, Service, WireTap, World, forms, holds, wharf_in};

use crate::everywhere::{BUILT_IN, BY_FEATURE, Everywhere, Kept, private};

const CANARY: &str = "canary+Zx9/quiet\"Harbour=4711?";

#[test]
fn the_search_finds_the_secret_in_every_form_it_looks_for() {
    for shift in 0..3 {
        let text = STANDARD_NO_PAD.encode(format!("{}{CANARY} and more", "x".repeat(shift)));
        assert!(
            forms(CANARY)
                .iter()
                .any(|(_, form)| holds(text.as_bytes(), form)),
            "base64 at {shift}"
        );
    }
    assert!(
        forms(CANARY)
            .iter()
            .any(|(_, form)| holds(json!({ "a": CANARY }).to_string().as_bytes(), form))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_injected_and_operated_secret_appears_nowhere_but_at_its_destination() {
    let world = World::start().await;
    let service = Service::start().await;
    let origin = service.origin();
    let secrets = world.dir().join("operator-secrets");
    std::fs::create_dir(&secrets).unwrap();
    let secret_file = private(&secrets.join("canary"), CANARY);
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{origin}' }}]\n\
             [[grant]]\nplugins = ['*']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary', rungs = ['inject', 'operate'] }}]\n",
            secret_file
        ),
    );
    // Everything between runner and controller passes the wire tap.
    let tap = WireTap::to(world.port()).await;
    world.enrol("runner", &tap.url()).await;
    let runner = world.start_runner("runner", &policy).await;

    // The service echoes every header: the credential reaches it, and comes back towards the guest.
    let fetched = world
        .run(
            "http",
            "request",
            json!({ "method": "GET", "url": origin.clone() + "/echo" }),
        )
        .await;
    assert_eq!(fetched["outcome"], "done", "{fetched}");
    assert!(
        fetched["output"].to_string().contains("[secret canary]"),
        "{fetched}"
    );
    let signed = world
        .run("notify", "webhook", json!({ "url": origin.clone() + "/hook", "payload": { "json": { "a": 1 } }, "sign": { "secret": "canary" } }))
        .await;
    assert_eq!(signed["outcome"], "done", "{signed}");
    // A plugin that has the value by other means and tells it everywhere.
    for as_output in [true, false] {
        let told = world
            .run(
                "hostile",
                "say_secret",
                json!({ "text": "x", "as_output": as_output }),
            )
            .await;
        assert!(told["state"] == "finished", "{told}");
    }
    let mut places = Places::default();
    places.add_process(runner.pid());
    look_at(&world, &tap, &[fetched, signed], &mut places).await;
    // Drained, so that everything that is ever written is written.
    runner.terminate().await;
    places.add_files(world.dir(), &secrets);
    places.must_not_hold(&forms(CANARY));
}

/// The wire, the controller, and what it says of these executions.
async fn look_at(world: &World, tap: &WireTap, executions: &[Value], places: &mut Places) {
    places.add("the wire", tap.seen());
    places.add_process(world.controller().pid());
    let listing = world.wharf(&["exec", "list", "--json"]).ok();
    places.add("wharf exec list", listing.out);
    for execution in executions {
        let id = execution["id"].as_str().unwrap();
        let logs = world.get(&format!("/v1/executions/{id}/logs")).await;
        places.add(format!("the logs of {id}"), logs.to_string());
        places.add(id, world.execution(id).await.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_whatever_store_and_on_whatever_rung_a_secret_appears_nowhere() {
    let world = World::start().await;
    let service = Service::start().await;
    let tap = WireTap::to(world.port()).await;
    world.enrol("runner", &tap.url()).await;
    let stores = [BUILT_IN, BY_FEATURE].concat();
    // Another for each store, none of them part of another.
    let password = |store: &str| format!("{store}+Zx9/quiet\"Harbour=4711?{store}");
    let kept = Everywhere::keep(&world, &stores, password).await;
    let origins = [service.origin()];
    let runner = kept.runner(Build::EveryStore, &world, &origins).await;
    let executions = kept.use_all(&world, &origins[0]).await;

    let mut places = Places::default();
    look_at(&world, &tap, &executions, &mut places).await;
    let mut process = Places::default();
    process.add_process(runner.pid());
    runner.terminate().await;
    places.add_files(world.dir(), &kept.folder);
    for Kept { store, value, .. } in &kept.secrets {
        println!("{store}");
        places.must_not_hold(&value.parts());
        // What a process was started with stays there: the documentation says so of this store.
        if *store != "env" {
            process.must_not_hold(&value.parts());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_run_scrubs_what_an_echoing_server_reflects() {
    let world = World::start().await;
    let service = Service::start().await;
    let origin = service.origin();
    let file = private(&world.dir().join("secret"), CANARY);
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{origin}' }}]\n\
             [[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary' }}]\n",
            file
        ),
    );
    let input = json!({ "method": "GET", "url": origin + "/echo" }).to_string();
    let bundle = wharf_e2e::bundles().file("http");
    let args = [
        "-vv",
        "run",
        bundle.to_str().unwrap(),
        "request",
        "--input",
        &input,
        "--policy",
        policy.to_str().unwrap(),
    ];
    let home = world.dir().join("home");
    let answer = wharf_in(
        world.dir(),
        &args,
        &[("WHARF_HOME", home.to_str().unwrap())],
    )
    .ok();
    assert!(answer.out.contains("[secret canary]"), "{}", answer.out);
    for (form, needle) in forms(CANARY) {
        assert!(
            !holds(answer.out.as_bytes(), &needle),
            "stdout has the secret as {form}"
        );
        assert!(
            !holds(answer.err.as_bytes(), &needle),
            "stderr has the secret as {form}"
        );
    }
}
