//! Push and pull: what travels, what is shown of it, and with which credentials and authorities.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use wharf_e2e::{bundles, source};
use wharf_test_servers::{DockerRegistry, free_port};

use super::Desk;

/// `htpasswd -B` of the user and the password below.
const HTPASSWD: &str = "me:$2b$04$Arltvk1YOK7OjxWnXeI7E.SZygHd213MTWSRGnqnC5RLgJh1IMj7.\n";
const USER: &str = "me";
const PASSWORD: &str = "cardinal-sparrow";

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
async fn what_cannot_be_written_changes_nothing_of_what_is_there() {
    let Some(registry) = DockerRegistry::start().await else {
        return;
    };
    let desk = Desk::new();
    let to = format!("{}/acme/http:1.0", registry.host());
    desk.wharf(&["push", &to, "http.wasm"]).ok();
    fs::create_dir(desk.path("folder")).unwrap();
    let pull = |file| desk.wharf(&["pull", &to, "--key", "ours/wharf.pub", "-o", file]);
    let answer = pull("folder");
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("it is a folder"), "{}", answer.err);
    assert!(!desk.path("folder.sigstore.json").exists());

    // One of the files beside it cannot be written, so the plugin is not either.
    desk.write("out.wasm", "what was there");
    fs::create_dir(desk.path("out.wasm.sigstore.json")).unwrap();
    desk.write("out.wasm.attestations.jsonl", "what was there too");
    let answer = pull("out.wasm");
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert_eq!(desk.read("out.wasm"), b"what was there");
    assert_eq!(
        desk.read("out.wasm.attestations.jsonl"),
        b"what was there too"
    );

    desk.write("notes.txt", "no plugin");
    let answer = desk.wharf(&["push", &to, "notes.txt"]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("wharf plugin pack"), "{}", answer.err);
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
    let nobody = format!("127.0.0.1:{}/acme/http:1", free_port());
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
