//! From a registry on: to a controller, over an air gap, straight into a run.

use std::fs;

use serde_json::Value;
use wharf_e2e::World;
use wharf_test_servers::DockerRegistry;

use super::Desk;

#[tokio::test]
async fn a_controller_gets_a_plugin_straight_from_a_registry() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let (desk, world) = (Desk::new(), World::start().await);
    for (name, signed) in [("http", true), ("transform", false)] {
        let to = format!("{}/acme/{name}:1.0", registry.host());
        desk.wharf(&["push", &to, &format!("{name}.wasm")]).ok();
        let plugin = format!("oci://{to}");
        let published = world.wharf(&["plugin", "publish", &plugin, "--json"]).ok();
        let noted = published.err.contains("is not signed");
        assert_eq!(noted, !signed, "{}", published.err);
        if signed {
            let digest = published.json()["digest"].as_str().unwrap().to_owned();
            let kept = world.get(&format!("/v1/bundles/{digest}/signature")).await;
            let ours = desk.read(&format!("{name}.wasm.sigstore.json"));
            assert_eq!(kept, serde_json::from_slice::<Value>(&ours).unwrap());
        }
    }
}

#[tokio::test]
async fn plugins_are_carried_over_an_air_gap_and_verified_behind_it() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let there = format!("{}/acme/http:1.0", registry.host());
    desk.wharf(&["push", &there, "http.wasm", "--key", "theirs/wharf.key"])
        .ok();
    let save = |what: &[&str], to: &str| {
        let args = [&["bundle", "save"], what, &["-o", to]].concat();
        desk.wharf(&args).ok();
        desk.read(to)
    };
    let first = save(&["http.wasm", "transform.wasm"], "a.tar");
    assert_eq!(first, save(&["transform.wasm", "http.wasm"], "b.tar"));
    let pulled = save(&[&there], "c.tar");
    assert_eq!(pulled, save(&[&format!("oci://{there}")], "d.tar"));
    drop(registry);

    desk.wharf(&[
        "bundle",
        "load",
        "c.tar",
        "-o",
        "behind",
        "--policy",
        "policy.toml",
    ])
    .ok();
    assert_eq!(desk.read("behind/http.wasm"), desk.read("http.wasm"));
    desk.wharf(&["verify", "behind/http.wasm", "--policy", "policy.toml"])
        .ok();

    // One of the two is not signed: whole, and not trusted.
    let loaded = desk
        .wharf(&["bundle", "load", "a.tar", "-o", "both", "--json"])
        .ok()
        .json();
    assert_eq!(loaded["verified"], false);
    assert_eq!(loaded["plugins"].as_array().unwrap().len(), 2);
    let load = [
        "bundle",
        "load",
        "a.tar",
        "-o",
        "none",
        "--policy",
        "policy.toml",
    ];
    let refused = desk.wharf(&load);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(!desk.path("none").exists(), "nothing of it is written");

    let mut changed = first;
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    fs::write(desk.path("a.tar"), changed).unwrap();
    let refused = desk.wharf(&["bundle", "load", "a.tar", "-o", "none"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(!desk.path("none").exists());
}

#[tokio::test]
async fn an_action_runs_straight_from_a_registry_if_the_policy_trusts_it() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    desk.wharf(&["sign", "transform.wasm", "--key", "theirs/wharf.key"])
        .ok();
    let to = format!("{}/acme/transform:1.0", registry.host());
    desk.wharf(&["push", &to, "transform.wasm"]).ok();
    let named = format!("oci://{to}");
    let run = |policy: &str| {
        let input = r#"{"filter":".a + 1","input":{"a":41}}"#;
        desk.wharf(&[
            "run", &named, "jq", "--input", input, "--policy", policy, "--json",
        ])
    };
    let refused = run("policy.toml");
    assert_eq!(refused.code, 3, "{}", refused.err);
    desk.write(
        "theirs.toml",
        "[[trust]]\nplugins = ['*']\nkeys = ['theirs/wharf.pub']\n[[grant]]\nplugins = ['*']\n",
    );
    let ran = run("theirs.toml").ok();
    assert!(ran.out.contains("42"), "{}", ran.out);
}
