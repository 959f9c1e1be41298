//! A secret goes through a whole execution and is nowhere afterwards but where it belongs.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::json;
use wharf_e2e::{Service, WireTap, World, forms, holds, wharf_in};

const CANARY: &str = "canary+Zx9/quiet\"Harbour=4711?";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files(&entry.path(), found),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
}

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
    let secret_file = secrets.join("canary");
    std::fs::write(&secret_file, CANARY).unwrap();
    std::fs::set_permissions(
        &secret_file,
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{origin}' }}]\n\
             [[grant]]\nplugins = ['*']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary', rungs = ['inject', 'operate'] }}]\n",
            secret_file.display()
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
    let pids = [runner.pid(), world.controller().pid()];
    let mut places: Vec<(String, Vec<u8>)> = vec![("the wire".into(), tap.seen())];
    for pid in pids {
        for file in ["cmdline", "environ"] {
            let path = format!("/proc/{pid}/{file}");
            places.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    let listing = world.wharf(&["exec", "list", "--json"]).ok();
    places.push(("wharf exec list".into(), listing.out.into_bytes()));
    for id in [&fetched["id"], &signed["id"]] {
        let logs = world
            .get(&format!("/v1/executions/{}/logs", id.as_str().unwrap()))
            .await;
        places.push((format!("the logs of {id}"), logs.to_string().into_bytes()));
        places.push((
            format!("{id}"),
            world
                .execution(id.as_str().unwrap())
                .await
                .to_string()
                .into_bytes(),
        ));
    }
    // Drained, so that everything that is ever written is written.
    runner.terminate().await;
    let mut paths = Vec::new();
    files(world.dir(), &mut paths);
    paths.retain(|path| !path.starts_with(&secrets));
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        places.push((
            path.display().to_string(),
            std::fs::read(&path).unwrap_or_default(),
        ));
    }
    for (place, bytes) in &places {
        for (form, needle) in forms(CANARY) {
            assert!(!holds(bytes, &needle), "the secret is in {place} as {form}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_run_scrubs_what_an_echoing_server_reflects() {
    let world = World::start().await;
    let service = Service::start().await;
    let origin = service.origin();
    let file = world.dir().join("secret");
    std::fs::write(&file, CANARY).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let policy = world.policy(
        "policy",
        &format!(
            "[[secret]]\nname = 'canary'\nfrom = 'file:{}'\nto = [{{ origin = '{origin}' }}]\n\
             [[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\nnetworks = ['127.0.0.1/32']\n\
             secrets = [{{ name = 'canary' }}]\n",
            file.display()
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
