//! Secrets that the controller keeps and cannot open, from `wharf secret put` to the request that
//! carries one.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde_json::{Value, json};
use wharf_e2e::{Service, World, files, forms, holds};

const VALUE: &str = "sealed+Harbour/4711?quiet";
const GROUP: &str = "test";

/// An operator's key pair in a folder of the world.
fn keygen(world: &World, name: &str) -> (String, String) {
    let folder = world.dir().join(name);
    let variables = [("WHARF_KEY_PASSWORD", "pw")];
    wharf_e2e::wharf_in(
        world.dir(),
        &["keygen", folder.to_str().unwrap()],
        &variables,
    )
    .ok();
    ["wharf.key", "wharf.pub"]
        .map(|file| folder.join(file).to_str().unwrap().to_owned())
        .into()
}

fn put(world: &World, key: &str, more: &[&str]) -> wharf_e2e::Answer {
    let file = world.dir().join("value");
    std::fs::write(&file, format!("{VALUE}\n")).unwrap();
    let args = [
        "secret", "put", "team/api", "--group", GROUP, "--key", key, "--value",
    ];
    let args = [&args[..], &[file.to_str().unwrap(), "--json"], more].concat();
    let (url, token) = (world.url(), world.token());
    let variables = [
        ("WHARF_CONTROLLER", url.as_str()),
        ("WHARF_TOKEN", &token),
        ("WHARF_KEY_PASSWORD", "pw"),
    ];
    wharf_e2e::wharf_in(world.dir(), &args, &variables)
}

/// A policy whose only secret is what the controller keeps under that name.
fn policy(world: &World, service: &Service, public: &str) -> PathBuf {
    let origin = service.origin();
    world.policy(
        "policy",
        &format!(
            "[store.shared]\nkind = 'controller'\nkeys = ['{public}']\ncache = '0s'\n\
             [[secret]]\nname = 'api'\nfrom = 'shared:team/api'\nto = [{{ origin = '{origin}' }}]\n\
             [[grant]]\nplugins = ['http']\nhttp = [{{ origin = '{origin}' }}]\n\
             networks = ['127.0.0.1/32']\nsecrets = [{{ name = 'api' }}]\n"
        ),
    )
}

async fn fetch(world: &World, service: &Service) -> Value {
    let input = json!({ "method": "GET", "url": service.origin() + "/echo" });
    world.run("http", "request", input).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_secret_is_used_by_the_runners_it_is_for_and_opened_by_nobody_else() {
    let world = World::start().await;
    let service = Service::start().await;
    let (key, public) = keygen(&world, "operator");
    let policy = policy(&world, &service, &public);
    let first = world.runner("first", &policy).await;

    let sealed: Value = serde_json::from_str(&put(&world, &key, &[]).ok().out).unwrap();
    assert_eq!(sealed["sealed_to"].as_array().unwrap().len(), 1, "{sealed}");
    let fetched = fetch(&world, &service).await;
    assert_eq!(fetched["outcome"], "done", "{fetched}");
    assert!(
        fetched["output"].to_string().contains("[secret api]"),
        "{fetched}"
    );

    // The controller, who kept it and handed it out, has nothing of it.
    let kept = files(&world.dir().join("controller"));
    assert!(
        kept.iter()
            .any(|file| file.to_str().unwrap().contains("sealed"))
    );
    for file in kept {
        let bytes = std::fs::read(&file).unwrap();
        for (form, needle) in forms(VALUE) {
            assert!(
                !holds(&bytes, &needle),
                "{} has it as {form}",
                file.display()
            );
        }
    }

    // A runner that joins later cannot open it, is named as such, and can after another `put`.
    assert_eq!(first.terminate().await, 0);
    let second = world.runner("second", &policy).await;
    let without = fetch(&world, &service).await;
    assert_ne!(without["outcome"], "done", "{without}");
    assert!(
        without.to_string().contains("not sealed to this runner"),
        "{without}"
    );
    let args = ["secret", "list", "--group", GROUP, "--json"];
    let listed: Value = serde_json::from_str(&world.wharf(&args).ok().out).unwrap();
    assert_ne!(listed["secrets"][0]["runners_without"], "", "{listed}");
    put(&world, &key, &[]).ok();
    let fetched = fetch(&world, &service).await;
    assert_eq!(fetched["outcome"], "done", "{fetched}");

    let args = ["secret", "remove", "team/api", "--group", GROUP];
    world.wharf(&args).ok();
    let removed = fetch(&world, &service).await;
    assert_ne!(removed["outcome"], "done", "{removed}");
    assert_eq!(second.terminate().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_cannot_put_another_value_in_the_place_of_a_sealed_one() {
    let world = World::start().await;
    let service = Service::start().await;
    let (_, public) = keygen(&world, "operator");
    let runner = world
        .runner("runner", &policy(&world, &service, &public))
        .await;

    // Anyone can seal to a runner. Signed by a stranger, it is not opened.
    let (stranger, _) = keygen(&world, "stranger");
    put(&world, &stranger, &[]).ok();
    let fetched = fetch(&world, &service).await;
    assert_ne!(fetched["outcome"], "done", "{fetched}");
    assert!(
        service.requests().is_empty(),
        "a request left without its secret"
    );
    assert_eq!(runner.terminate().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_not_sealed_to_a_key_that_was_not_pinned() {
    let world = World::start().await;
    let (key, _) = keygen(&world, "operator");
    world.enrol("runner", &world.url()).await;
    let args = ["runner", "list", "--json"];
    let listed: Value = serde_json::from_str(&world.wharf(&args).ok().out).unwrap();
    let known = listed["runners"][0]["key"].as_str().unwrap();
    put(&world, &key, &["--to", known]).ok();
    let strange = format!("sha256:{}", "0".repeat(64));
    let answer = put(&world, &key, &["--to", &strange]);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(answer.err.contains(&strange), "{}", answer.err);
}
