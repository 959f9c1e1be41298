//! A secret goes through a whole execution and is nowhere afterwards but where it belongs.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use wharf_e2e::{Places, Service, WireTap, World, forms, holds, wharf_in};
use wharf_test_servers::OpenBao;

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
    places.must_not_hold(CANARY);
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

/// Where the canary comes from in a test of all rungs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    Environment,
    File,
    Vault,
    Controller,
}

/// Puts the canary where it comes from. Gives what the policy says of it.
async fn keep(from: From, world: &World, secrets: &Path, bao: Option<&OpenBao>) -> String {
    match from {
        From::Environment => "from = 'env:CANARY'".to_owned(),
        From::File => format!("from = 'file:{}'", private(&secrets.join("canary"), CANARY)),
        From::Vault => {
            let bao = bao.unwrap();
            bao.write("secret/data/canary", json!({ "data": { "value": CANARY } }))
                .await;
            let token = private(&secrets.join("token"), bao.root());
            format!(
                "from = 'vault:secret/canary#value'\n[store.vault]\nkind = 'vault'\naddress = '{}'\n\
                 login = {{ token = 'file:{token}' }}",
                bao.url()
            )
        }
        From::Controller => {
            let keys = secrets.join("keys");
            let file = private(&secrets.join("canary"), CANARY);
            world.wharf(&["keygen", keys.to_str().unwrap()]).ok();
            let key = keys.join("wharf.key");
            let put = ["secret", "put", "canary", "--group", "test", "--key"];
            let what = [key.to_str().unwrap(), "--value", &file];
            world.wharf(&[&put[..], &what].concat()).ok();
            format!(
                "from = 'shared:canary'\n[store.shared]\nkind = 'controller'\nkeys = ['{}']",
                keys.join("wharf.pub").display()
            )
        }
    }
}

/// Writes a file that only its owner can read.
fn private(file: &Path, content: &str) -> String {
    std::fs::write(file, content).unwrap();
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    file.display().to_string()
}

/// Uses the canary on every rung, towards a service that echoes what it gets.
async fn use_on_every_rung(world: &World, service: &Service) -> Vec<Value> {
    let url = service.origin() + "/echo";
    let mut done = Vec::new();
    for (action, input) in [
        ("send", json!({ "url": url })),
        (
            "send",
            json!({ "url": url, "secret": "canary", "how": "attach" }),
        ),
        (
            "send",
            json!({ "url": url, "secret": "canary", "how": "bearer" }),
        ),
        (
            "send",
            json!({ "url": url, "secret": "canary", "how": "basic" }),
        ),
        ("look", json!({ "secret": "canary" })),
    ] {
        let execution = world.run("rungs", action, input.clone()).await;
        assert_eq!(execution["outcome"], "done", "{input}: {execution}");
        let output = execution["output"].to_string();
        assert!(output.contains("[secret canary]"), "{input}: {output}");
        done.push(execution);
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn from_whatever_store_and_on_whatever_rung_a_secret_appears_nowhere() {
    let bao = OpenBao::start().await;
    for from in [From::Environment, From::File, From::Vault, From::Controller] {
        if from == From::Vault && bao.is_none() {
            continue;
        }
        let world = World::start().await;
        let service = Service::start().await;
        let origin = service.origin();
        let secrets = world.dir().join("operator-secrets");
        std::fs::create_dir(&secrets).unwrap();
        let tap = WireTap::to(world.port()).await;
        world.enrol("runner", &tap.url()).await;
        let kept = keep(from, &world, &secrets, bao.as_ref()).await;
        let policy = world.policy(
            "policy",
            &format!(
                "[[secret]]\nname = 'canary'\nto = [{{ origin = '{origin}' }}]\n\
                 operations = ['bearer', 'basic']\n{kept}\n\
                 [[grant]]\nplugins = ['rungs']\nhttp = [{{ origin = '{origin}' }}]\n\
                 networks = ['127.0.0.1/32']\nsecrets = [{{ name = 'canary', \
                 rungs = ['inject', 'attach', 'operate', 'reveal'] }}]\n"
            ),
        );
        let variables: &[_] = match from {
            From::Environment => &[("CANARY", CANARY)],
            _ => &[],
        };
        let runner = world.start_runner_with("runner", &policy, variables).await;
        let executions = use_on_every_rung(&world, &service).await;

        let mut places = Places::default();
        // What a process was started with stays there: the documentation says so of this store.
        if from != From::Environment {
            places.add_process(runner.pid());
        }
        look_at(&world, &tap, &executions, &mut places).await;
        runner.terminate().await;
        places.add_files(world.dir(), &secrets);
        println!("{from:?}");
        places.must_not_hold(CANARY);
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
