//! Others' tools, both ways: cosign and wkg.

use std::fs;
use std::process::Command;

use serde_json::json;
use wharf_e2e::cosign;
use wharf_test_servers::{DockerRegistry, tool};

use super::Desk;

#[tokio::test]
async fn cosign_verifies_the_image_that_wharf_pushed() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let image = format!("{}/acme/http:1.0", registry.host());
    let verify = |key: &str| {
        let args = ["verify", "--insecure-ignore-tlog", "--key", key, &image];
        cosign(desk.folder.path(), &args)
    };
    desk.wharf(&["push", &image, "http.wasm"]).ok();
    assert!(
        !verify("ours/wharf.pub"),
        "the component is signed, the image is not"
    );
    for _ in 0..2 {
        let push = [
            "push",
            &image,
            "http.wasm",
            "--key",
            "ours/wharf.key",
            "--json",
        ];
        desk.wharf(&push).ok();
    }
    assert!(verify("ours/wharf.pub"));
    assert!(!verify("theirs/wharf.pub"));
    let pull = ["pull", &image, "--policy", "policy.toml", "--json"];
    let pulled = desk.wharf(&pull).ok().json();
    assert_eq!(
        pulled["signatures"], 2,
        "signed once, however often it is pushed"
    );
}

#[tokio::test]
async fn wharf_pulls_what_cosign_signed_and_a_policy_asks_for_more() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let here = desk.folder.path();
    let image = format!("{}/acme/transform:1.0", registry.host());
    fs::remove_file(desk.path("transform.wasm.sigstore.json")).unwrap_or_default();
    let pushed = desk
        .wharf(&["push", &image, "transform.wasm", "--json"])
        .ok()
        .json();
    assert!(cosign(here, &["generate-key-pair"]));
    assert!(cosign(
        here,
        &["signing-config", "create", "--out", "offline.json"]
    ));
    let pinned = pushed["pinned"].as_str().unwrap();
    assert!(cosign(
        here,
        &[
            "sign",
            "--yes",
            "--key",
            "cosign.key",
            "--signing-config",
            "offline.json",
            pinned
        ],
    ));
    let pull =
        |trust: [&str; 2]| desk.wharf(&[&["pull", &image, "-o", "out.wasm"], &trust[..]].concat());
    let refused = pull(["--key", "ours/wharf.pub"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    desk.write(
        "cosign.toml",
        "[[trust]]\nplugins = ['*']\nkeys = ['cosign.pub']\n",
    );
    let refused = pull(["--policy", "cosign.toml"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    let pulled = pull(["--key", "cosign.pub"]).ok();
    assert!(pulled.err.contains("runners need one"), "{}", pulled.err);
    assert_eq!(desk.read("out.wasm"), desk.read("transform.wasm"));
    // Both signers in one place, in the index that cosign began.
    desk.wharf(&["sign", "transform.wasm", "--key", "ours/wharf.key"])
        .ok();
    desk.wharf(&["push", &image, "transform.wasm"]).ok();
    pull(["--policy", "policy.toml"]).ok();
    pull(["--key", "cosign.pub"]).ok();
    let args = [
        "verify",
        "--insecure-ignore-tlog",
        "--key",
        "cosign.pub",
        &image,
    ];
    assert!(cosign(here, &args));
}

#[tokio::test]
async fn what_cosign_attests_of_an_image_is_an_attestation_of_the_plugin_that_was_pushed() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let here = desk.folder.path();
    let image = format!("{}/acme/http:1.0", registry.host());
    let pushed = desk.wharf(&["push", &image, "http.wasm", "--json"]).ok();
    let pinned = pushed.json()["pinned"].as_str().unwrap().to_owned();
    let kind = "https://acme.test/review/v1";
    desk.write("predicate.json", "{}");
    desk.write(
        "wanting.toml",
        &format!("[[trust]]\nplugins = ['*']\nkeys = ['ours/wharf.pub']\nattestations = [{{ type = '{kind}', keys = ['cosign.pub'] }}]\n"),
    );
    assert!(cosign(here, &["generate-key-pair"]));
    let offline = ["signing-config", "create", "--out", "offline.json"];
    assert!(cosign(here, &offline));
    let pull = |more: &[&str]| {
        let args = ["pull", &image, "-o", "out.wasm", "--policy", "wanting.toml"];
        desk.wharf(&[&args, more].concat())
    };
    let refused = pull(&[]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    let attest = [
        &[
            "attest",
            "--yes",
            "--key",
            "cosign.key",
            "--signing-config",
            "offline.json",
        ][..],
        &["--type", kind, "--predicate", "predicate.json", &pinned],
    ]
    .concat();
    assert!(cosign(here, &attest));
    let pulled = pull(&["--json"]).ok().json();
    assert_eq!(pulled["attested"], json!([kind]));
    // It goes with the plugin from here on, also without a network.
    desk.wharf(&["verify", "out.wasm", "--policy", "wanting.toml"])
        .ok();
    desk.wharf(&["bundle", "save", "out.wasm", "-o", "a.tar"])
        .ok();
    let load = [
        "bundle",
        "load",
        "a.tar",
        "-o",
        "loaded",
        "--policy",
        "wanting.toml",
    ];
    desk.wharf(&load).ok();
    let beside = "out.wasm.attestations.jsonl";
    assert_eq!(
        desk.read("loaded/http.wasm.attestations.jsonl"),
        desk.read(beside)
    );
}

#[tokio::test]
async fn wkg_pulls_what_wharf_pushed_and_its_own_images_are_nothing_without_a_signature() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let Some(wkg) = tool("get-wkg") else {
        return;
    };
    let desk = Desk::new();
    let host = registry.host();
    let wkg = |args: &[&str]| {
        let done = Command::new(&wkg)
            .arg("oci")
            .args(args)
            .args(["--insecure", &host])
            .current_dir(desk.folder.path())
            .env("HOME", desk.folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let ours = format!("{host}/acme/http:1.0");
    desk.wharf(&["push", &ours, "http.wasm"]).ok();
    wkg(&["pull", &ours, "-o", "pulled.wasm"]);
    assert_eq!(desk.read("pulled.wasm"), desk.read("http.wasm"));

    let theirs = format!("{host}/acme/theirs:1.0");
    wkg(&["push", &theirs, "http.wasm"]);
    let pull = [
        "pull",
        &theirs,
        "--policy",
        "policy.toml",
        "-o",
        "theirs.wasm",
    ];
    let unsigned = desk.wharf(&pull);
    assert_eq!(unsigned.code, 3, "{}", unsigned.err);
    assert!(unsigned.err.contains("not signed"), "{}", unsigned.err);
    assert!(!desk.path("theirs.wasm").exists());
}
