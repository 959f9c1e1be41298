//! Publishing, as a user does it: against a real registry, with the credentials of `docker login`, and
//! without a network.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use wharf_e2e::{Answer, World, bundles, cosign, on_terminal, source, wharf_in};
use wharf_test_servers::{DockerRegistry, tool};

/// `htpasswd -B` of the user and the password below.
const HTPASSWD: &str = "me:$2b$04$Arltvk1YOK7OjxWnXeI7E.SZygHd213MTWSRGnqnC5RLgJh1IMj7.\n";
const USER: &str = "me";
const PASSWORD: &str = "cardinal-sparrow";

/// A folder with a plugin in it, that two keys sign.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["http", "transform"] {
            let to = desk.path(&format!("{name}.wasm"));
            fs::copy(bundles().file(name), to).unwrap();
        }
        for name in ["ours", "theirs"] {
            desk.wharf(&["keygen", name]).ok();
        }
        desk.wharf(&["sign", "http.wasm", "--key", "ours/wharf.key"])
            .ok();
        desk.write(
            "policy.toml",
            "[[trust]]\nplugins = ['*']\nkeys = ['ours/wharf.pub']\n",
        );
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs `wharf` here, as somebody without any credentials.
    fn wharf(&self, args: &[&str]) -> Answer {
        self.wharf_with(args, &[])
    }

    fn wharf_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Answer {
        let (docker, home) = (self.path("docker"), self.path("home"));
        let mut all = vec![
            ("DOCKER_CONFIG", docker.to_str().unwrap()),
            ("WHARF_HOME", home.to_str().unwrap()),
        ];
        all.extend(variables);
        wharf_in(self.folder.path(), args, &all)
    }

    /// What a person sees who runs `wharf` here. It must succeed.
    fn on_terminal(&self, args: &[&str]) -> String {
        let home = self.path("home");
        let variables = [("WHARF_HOME", home.to_str().unwrap())];
        let (code, seen) = on_terminal(self.folder.path(), args, &variables);
        assert_eq!(code, 0, "{seen}");
        seen
    }
}

#[tokio::test]
async fn a_plugin_is_pushed_pulled_verified_and_not_fetched_again() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let tagged = format!("{}/acme/http:1.0", registry.host());
    let pushed = desk
        .wharf(&["push", &tagged, "http.wasm", "--json"])
        .ok()
        .json();
    assert_eq!(pushed["signatures"], 1);
    let size = desk.read("http.wasm").len();
    assert_eq!(pushed["transferred"], size);
    let pinned = pushed["pinned"].as_str().unwrap();

    for (reference, trust) in [
        (tagged.as_str(), ["--policy", "policy.toml"]),
        (pinned, ["--key", "ours/wharf.pub"]),
    ] {
        let file = format!("{}.wasm", trust[0]);
        let file = file.trim_start_matches('-');
        let mut args = vec!["pull", reference, "-o", file, "--json"];
        args.extend(trust);
        let pulled = desk.wharf(&args).ok().json();
        assert_eq!(pulled["digest"], pushed["digest"]);
        assert_eq!(pulled["component"], pushed["component"]);
        assert_eq!(pulled["transferred"], size);
        assert_eq!(desk.read(file), desk.read("http.wasm"));
        desk.wharf(&["verify", file, "--key", "ours/wharf.pub"])
            .ok();
        let again = desk.wharf(&args).ok().json();
        assert_eq!(again["transferred"], 0);
    }
    // What is named nowhere else is named by the repository.
    desk.wharf(&["pull", &tagged, "--key", "ours/wharf.pub"])
        .ok();
}

#[tokio::test]
async fn a_terminal_shows_how_far_a_transfer_is_and_a_script_does_not() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let to = format!("{}/acme/http:1.0", registry.host());
    let push = ["push", &to, "http.wasm"];
    let pull = ["pull", &to, "-o", "out.wasm", "--key", "ours/wharf.pub"];
    for args in [&push[..], &pull] {
        let seen = desk.on_terminal(args);
        assert!(seen.contains("the component"), "{seen:?}");
        assert!(seen.contains("MiB") || seen.contains("KiB"), "{seen:?}");
        fs::remove_file(desk.path("out.wasm")).ok();
    }
    let answer = desk.wharf(&pull).ok();
    assert!(!answer.err.contains("the component"), "{}", answer.err);

    // Compiling is the longest of all.
    desk.wharf(&["sign", "transform.wasm", "--key", "ours/wharf.key"])
        .ok();
    let input = r#"{"filter":".","input":1}"#;
    let run = ["run", "transform.wasm", "jq", "--input", input];
    let run = [&run[..], &["--policy", "policy.toml"]].concat();
    let answer = desk.wharf(&run).ok();
    assert!(!answer.err.contains("compiling"), "{}", answer.err);
    desk.wharf(&["cache", "clear"]).ok();
    let seen = desk.on_terminal(&run);
    assert!(seen.contains("compiling"), "{seen:?}");
}

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
async fn the_same_source_packs_and_pushes_to_the_same_digest() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let component = source().join("plugins/transform");
    let built = bundles().file("transform");
    let toml = component.join("plugin.toml");
    let mut digests = Vec::new();
    for name in ["a", "b"] {
        let file = format!("{name}.wasm");
        desk.wharf(&[
            "plugin",
            "pack",
            built.to_str().unwrap(),
            "--manifest",
            toml.to_str().unwrap(),
            "-o",
            &file,
        ])
        .ok();
        let to = format!("{}/{name}/transform:1", registry.host());
        let pushed = desk.wharf(&["push", &to, &file, "--json"]).ok();
        assert!(pushed.err.contains("is not signed"), "{}", pushed.err);
        digests.push(pushed.json()["digest"].clone());
    }
    assert_eq!(digests[0], digests[1]);
}

#[tokio::test]
async fn several_signatures_travel_together_and_count_for_a_policy() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let to = format!("{}/acme/http:1.0", registry.host());
    desk.write(
        "both.toml",
        "[[trust]]\nplugins = ['*']\nkeys = ['ours/wharf.pub', 'theirs/wharf.pub']\nrequire = 2\n",
    );
    let pull = ["pull", &to, "-o", "out.wasm", "--policy", "both.toml"];
    desk.wharf(&["push", &to, "http.wasm"]).ok();
    let refused = desk.wharf(&pull);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("needs 2 signers"), "{}", refused.err);
    assert!(!desk.path("out.wasm").exists(), "nothing is kept");
    assert!(!desk.path("out.wasm.sigstore.json").exists());

    desk.wharf(&["sign", "http.wasm", "--key", "theirs/wharf.key", "--add"])
        .ok();
    desk.wharf(&["push", &to, "http.wasm"]).ok();
    let pulled = desk.wharf(&[&pull[..], &["--json"]].concat()).ok().json();
    assert_eq!(pulled["signers"].as_array().unwrap().len(), 2, "{pulled}");
    assert_eq!(pulled["signatures"], 2, "the first one was not added twice");
}

#[tokio::test]
async fn what_nobody_vouches_for_is_not_kept() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let host = registry.host();
    let signed = format!("{host}/acme/http:1.0");
    let unsigned = format!("{host}/acme/transform:1.0");
    desk.wharf(&["push", &signed, "http.wasm"]).ok();
    desk.wharf(&["push", &unsigned, "transform.wasm"]).ok();
    let missing = format!("{host}/acme/none:1");
    for (reference, trust, code, said) in [
        (
            &signed,
            &["--key", "theirs/wharf.pub"][..],
            3,
            "nobody who is trusted",
        ),
        (&unsigned, &["--policy", "policy.toml"], 3, "not signed"),
        (&unsigned, &["--key", "ours/wharf.pub"], 3, "not signed"),
        (&signed, &[], 2, "nobody is named"),
        (&missing, &["--key", "ours/wharf.pub"], 2, "has no"),
    ] {
        let mut args = vec!["pull", reference, "-o", "out.wasm", "--json"];
        args.extend(trust);
        let answer = desk.wharf(&args);
        assert_eq!(answer.code, code, "{args:?}: {}", answer.err);
        assert!(answer.err.contains(said), "{args:?}: {}", answer.err);
        assert_eq!(answer.json()["ok"], false);
        assert!(!desk.path("out.wasm").exists());
    }
    // What was there stays as it was.
    desk.write("out.wasm", "mine");
    let answer = desk.wharf(&[
        "pull",
        &signed,
        "-o",
        "out.wasm",
        "--key",
        "theirs/wharf.pub",
    ]);
    assert_eq!(answer.code, 3);
    assert_eq!(desk.read("out.wasm"), b"mine");
}

#[test]
fn a_reference_that_is_none_and_a_registry_that_is_not_there_are_told_apart() {
    let desk = Desk::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("{}/acme/http:1", free.local_addr().unwrap());
    drop(free);
    for (reference, code) in [
        ("http:1.0", 2),
        ("acme/http:1.0", 2),
        ("registry.example.com/acme/http", 2),
        (nobody.as_str(), 5),
    ] {
        let push = desk.wharf(&["push", reference, "http.wasm"]);
        assert_eq!(push.code, code, "{reference}: {}", push.err);
        let pull = desk.wharf(&["pull", reference, "--key", "ours/wharf.pub"]);
        assert_eq!(pull.code, code, "{reference}: {}", pull.err);
    }
}

#[tokio::test]
async fn a_file_that_was_changed_after_it_was_signed_is_not_pushed() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    fs::copy(
        desk.path("http.wasm.sigstore.json"),
        desk.path("transform.wasm.sigstore.json"),
    )
    .unwrap();
    let to = format!("{}/acme/transform:1", registry.host());
    let refused = desk.wharf(&["push", &to, "transform.wasm"]);
    assert_eq!(refused.code, 3, "{}", refused.err);
    assert!(refused.err.contains("changed after"), "{}", refused.err);
    let absent = desk.wharf(&["pull", &to, "--key", "ours/wharf.pub"]);
    assert_eq!(absent.code, 2, "{}", absent.err);
}

#[tokio::test]
async fn credentials_come_from_docker_login_or_a_helper_and_are_shown_nowhere() {
    let Some(registry) = DockerRegistry::start_with_passwords(HTPASSWD).await else {
        return;
    };
    let desk = Desk::new();
    let host = registry.host();
    let to = format!("{host}/acme/http:1.0");
    let none = desk.wharf(&["push", &to, "http.wasm"]);
    assert_eq!(none.code, 3, "{}", none.err);
    assert!(none.err.contains("docker login"), "{}", none.err);

    fs::create_dir(desk.path("docker")).unwrap();
    let configured = |config: Value| desk.write("docker/config.json", &config.to_string());
    configured(json!({ "auths": { &host: { "username": USER, "password": "wrong" } } }));
    let wrong = desk.wharf(&["push", &to, "http.wasm"]);
    assert_eq!(wrong.code, 3, "{}", wrong.err);
    assert!(wrong.err.contains("does not accept"), "{}", wrong.err);

    configured(json!({ "auths": { &host: { "username": USER, "password": PASSWORD } } }));
    let pushed = desk.wharf(&["-vv", "push", &to, "http.wasm"]).ok();
    assert!(!pushed.err.contains(PASSWORD), "{}", pushed.err);

    // A helper that says the registry that it was asked for in the name of a file.
    let helper = desk.path("docker-credential-test");
    let script = format!(
        "#!/bin/sh\nread -r registry || true\n[ \"$1 $registry\" = \"get {host}\" ] || {{ echo credentials not found in native keychain; exit 1; }}\nprintf '{{\"ServerURL\":\"%s\",\"Username\":\"{USER}\",\"Secret\":\"{PASSWORD}\"}}' \"$registry\"\n"
    );
    fs::write(&helper, script).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        desk.folder.path().display(),
        std::env::var("PATH").unwrap()
    );
    let variables = [("PATH", path.as_str())];
    let pull = ["pull", &to, "-o", "out.wasm", "--key", "ours/wharf.pub"];
    for (config, code) in [
        (json!({ "credHelpers": { &host: "test" } }), 0),
        (json!({ "credsStore": "test" }), 0),
        (json!({ "credHelpers": { "127.0.0.1:1": "test" } }), 3),
        (json!({ "credsStore": "that-is-not-there" }), 2),
    ] {
        configured(config.clone());
        let answer = desk.wharf_with(&pull, &variables);
        assert_eq!(answer.code, code, "{config}: {}", answer.err);
        assert!(!answer.err.contains(PASSWORD), "{}", answer.err);
    }
}

#[tokio::test]
async fn a_registry_with_an_authority_of_its_own_is_trusted_with_that_authority_only() {
    let desk = Desk::new();
    for name in ["ca", "other"] {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        desk.write(&format!("{name}.pem"), &made.cert.pem());
        desk.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
    }
    let (certificate, key) = (desk.path("ca.pem"), desk.path("ca.key"));
    let Some(registry) = DockerRegistry::start_with_tls(&certificate, &key).await else {
        return;
    };
    let to = format!("{}/acme/http:1.0", registry.host());
    desk.wharf(&["push", &to, "http.wasm", "--ca-file", "ca.pem"])
        .ok();
    let pull = ["pull", &to, "-o", "out.wasm", "--key", "ours/wharf.pub"];
    desk.wharf(&[&pull[..], &["--ca-file", "ca.pem"]].concat())
        .ok();
    // Over http, and with another authority.
    assert_ne!(desk.wharf(&pull).code, 0);
    let answer = desk.wharf(&[&pull[..], &["--ca-file", "other.pem"]].concat());
    assert_eq!(answer.code, 5, "{}", answer.err);
    let answer = desk.wharf(&[&pull[..], &["--ca-file", "policy.toml"]].concat());
    assert_eq!(answer.code, 2, "{}", answer.err);
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
