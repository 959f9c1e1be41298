//! What a runner does when signed is not enough, with a real controller in between.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_e2e::{Answer, Build, Process, World, bundles, cosign, source, until, wharf_in};

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// A bundle of its own, and two people who can sign it.
struct Signers {
    folder: tempfile::TempDir,
}

impl Signers {
    fn of(plugin: &str) -> Self {
        let signers = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["anna", "bert"] {
            let folder = signers.path(name);
            signers.wharf(&["keygen", folder.to_str().unwrap()]).ok();
        }
        std::fs::copy(bundles().file(plugin), signers.bundle()).unwrap();
        signers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bundle(&self) -> PathBuf {
        self.path("bundle.wasm")
    }

    fn wharf(&self, args: &[&str]) -> Answer {
        wharf_in(&source(), args, &[])
    }

    /// Puts the signatures of these beside the bundle, one after the other.
    fn sign(&self, names: &[&str]) {
        let beside = self.path("bundle.wasm.sigstore.json");
        let mut all = Vec::new();
        for name in names {
            let _ = std::fs::remove_file(&beside);
            let key = self.path(name).join("wharf.key");
            let bundle = self.bundle();
            let key = ["--key", key.to_str().unwrap()];
            self.wharf(&[&["sign", bundle.to_str().unwrap()], &key[..]].concat())
                .ok();
            all.extend(std::fs::read(&beside).unwrap());
            all.push(b'\n');
        }
        std::fs::write(&beside, all).unwrap();
    }

    /// What anna signed must have provenance by bert.
    fn policy_that_wants_provenance(&self) -> PathBuf {
        let file = self.path("policy.toml");
        let text = format!(
            "[[trust]]\nplugins = ['transform']\nkeys = ['anna/wharf.pub']\nattestations = [{{ type = '{PROVENANCE}', keys = ['bert/wharf.pub'] }}]\n"
        );
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Has somebody attest the provenance of a file.
    fn attest(&self, name: &str, file: &Path, bundle: &Path) {
        let predicate = self.path("predicate.json");
        std::fs::write(&predicate, r#"{"buildDefinition": {}}"#).unwrap();
        let key = self.path(name).join("wharf.key");
        let paths = [file, &key, &predicate, bundle].map(|path| path.to_str().unwrap());
        let [file, key, predicate, bundle] = paths;
        let what = ["--attest", predicate, "--type", PROVENANCE];
        let args = [&["sign", file, "--key", key, "--bundle", bundle][..], &what].concat();
        self.wharf(&args).ok();
    }

    /// A policy that trusts both, and asks for so many of them.
    fn policy(&self, require: u32) -> PathBuf {
        let file = self.path("policy.toml");
        let text = format!(
            "[[trust]]\nplugins = ['transform']\nkeys = ['anna/wharf.pub', 'bert/wharf.pub']\nrequire = {require}\n"
        );
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// Where a runner tells how it is.
struct Monitored(String);

impl Monitored {
    async fn of(runner: &Process) -> Self {
        until("it says where", async || {
            let said = runner.said();
            let (_, after) = said.rsplit_once("metrics at ")?;
            let (url, _) = after.split_once("/metrics")?;
            Some(Self(url.to_owned()))
        })
        .await
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.0)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The operator sees a refusal that the controller was told of, in the status and in a metric.
    async fn tell_of(&self, refused: &Value, signers: &Signers, state: &Path) {
        let show = ["runner", "status", "--state", state.to_str().unwrap()];
        let status = until("the refusal is in the status", async || {
            let status = signers
                .wharf(&[&show[..], &["--json"]].concat())
                .ok()
                .json();
            (!status["refusals"][0].is_null()).then_some(status)
        })
        .await;
        let last = &status["refusals"][0];
        assert_eq!(last["kind"], "untrusted", "{last}");
        assert_eq!(last["plugin"], "transform");
        assert_eq!(last["digest"], refused["digest"]);
        assert_eq!(last["execution"], refused["id"]);
        assert_eq!(last["reason"], refused["error"]["message"]);
        let shown = signers.wharf(&show).ok().out;
        assert!(
            shown.contains("refused last") && shown.contains("needs 2 signers"),
            "{shown}"
        );
        let (now, _) = shown.split_once("refused last").unwrap();
        assert!(
            now.contains("connected since 20") && !now.contains(['{', '"']),
            "{now}"
        );
        let (code, text) = self.get("/metrics").await;
        assert_eq!(code, 200);
        for line in [
            "wharf_runner_attempts_total{outcome=\"refused\"} 1",
            "wharf_runner_refusals_total{kind=\"untrusted\"} 1",
            "wharf_runner_connected 1",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
        }
    }
}

async fn run(world: &World) -> Value {
    let input = json!({ "filter": ".a", "input": { "a": 1 } });
    world.run("transform", "jq", input).await
}

fn installed(state: &Path) -> usize {
    let files = std::fs::read_dir(state.join("bundles")).unwrap();
    files.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_signers_are_needed_and_the_second_signature_needs_no_restart() {
    let signers = Signers::of("transform");
    let world = World::quiet().await;
    let state = world.dir().join("runner");

    // Under a policy that asks for one, the signature of one is kept.
    signers.sign(&["anna"]);
    world.publish(&signers.bundle()).await;
    let runner = world.runner("runner", &signers.policy(1)).await;
    assert_eq!(run(&world).await["outcome"], "done");
    assert_eq!(installed(&state), 2);
    assert_eq!(runner.terminate().await, 0);

    let policy = signers.policy(2);
    let metrics = [("WHARF_METRICS", "127.0.0.1:0")];
    let build = Build::Default;
    let runner = world
        .start_runner_with(build, "runner", &policy, &metrics)
        .await;
    let metrics = Monitored::of(&runner).await;
    assert_eq!(metrics.get("/healthz").await, (200, "ok\n".to_owned()));
    let refused = run(&world).await;
    assert_eq!(refused["outcome"], "refused", "{refused}");
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("needs 2 signers"), "{why}");
    metrics.tell_of(&refused, &signers, &state).await;

    signers.sign(&["anna", "bert"]);
    world.publish(&signers.bundle()).await;
    let done = run(&world).await;
    assert_eq!(done["outcome"], "done", "{done}");

    // Its compiled code is listed with its name, is sound, and can go while the runner runs.
    let cache = |args: &[&str]| {
        let args = [
            &["cache"],
            args,
            &["--state", state.to_str().unwrap(), "--json"],
        ]
        .concat();
        signers.wharf(&args).ok().json()
    };
    assert_eq!(cache(&["list"])[0]["plugin"], "transform@0.1.0");
    assert_eq!(cache(&["verify"])["ok"], true);
    assert_eq!(cache(&["clear"])["files"], 1);
    assert_eq!(run(&world).await["outcome"], "done");
    let (_, text) = metrics.get("/metrics").await;
    assert!(
        text.contains("wharf_runner_attempts_total{outcome=\"done\"} 2\n"),
        "{text}"
    );
    drop(runner);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_runs_once_its_provenance_is_published_and_not_before_without_a_restart() {
    let signers = Signers::of("transform");
    let world = World::quiet().await;
    signers.sign(&["anna"]);
    world.publish(&signers.bundle()).await;
    let policy = signers.policy_that_wants_provenance();
    let shown = signers.wharf(&["policy", "check", policy.to_str().unwrap()]);
    let shown = shown.ok().out;
    assert!(
        shown.contains(&format!("attested  {PROVENANCE}, by one of")) && shown.contains("bert"),
        "{shown}"
    );
    // The runner knows the controller and nobody else.
    let runner = world.runner("runner", &policy).await;
    let kept = world.dir().join("runner/bundles");
    let refused = async |says: &str| {
        let refused = run(&world).await;
        assert_eq!(refused["outcome"], "refused", "{refused}");
        let why = refused["error"]["message"].as_str().unwrap();
        assert!(why.contains(PROVENANCE) && why.contains(says), "{why}");
        assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 0);
    };
    refused("nothing is attested of it").await;

    // By whoever signed it, who may not attest it; the program says so before it is published.
    let beside = signers.path("bundle.wasm.attestations.jsonl");
    signers.attest("anna", &signers.bundle(), &beside);
    let verify = ["verify", signers.bundle().to_str().unwrap(), "--policy"].map(str::to_owned);
    let verify = [&verify[..], &[policy.to_str().unwrap().to_owned()]].concat();
    let verify: Vec<&str> = verify.iter().map(String::as_str).collect();
    let answer = signers.wharf(&verify);
    assert!(
        answer.code == 3 && answer.err.contains("by nobody whom"),
        "{}",
        answer.err
    );
    world.publish(&signers.bundle()).await;
    refused("by nobody whom the block trusts").await;

    // An attestation of another plugin is not even published.
    let other = signers.path("other.wasm");
    std::fs::copy(bundles().file("http"), &other).unwrap();
    std::fs::remove_file(&beside).unwrap();
    signers.attest("bert", &other, &beside);
    let file = signers.bundle();
    let answer = world.wharf(&["plugin", "publish", file.to_str().unwrap()]);
    assert!(
        answer.code != 0 && answer.err.contains("about another file"),
        "{}",
        answer.err
    );

    std::fs::remove_file(&beside).unwrap();
    signers.attest("bert", &signers.bundle(), &beside);
    let said = signers
        .wharf(&[&verify[..], &["--json"]].concat())
        .ok()
        .json();
    assert_eq!(said["attested"], json!([PROVENANCE]));
    world.publish(&signers.bundle()).await;
    let done = run(&world).await;
    assert_eq!(done["outcome"], "done", "{done}");
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 3);
    drop(runner);
}

/// A predicate that cosign takes for provenance.
const PREDICATE: &str = r#"{"buildDefinition":{"buildType":"https://example.test/build","externalParameters":{"a":1}},"runDetails":{"builder":{"id":"https://example.test/builder"}}}"#;

#[test]
fn what_cosign_attests_satisfies_a_policy_and_cosign_verifies_what_wharf_attests() {
    let desk = tempfile::tempdir().unwrap();
    let here = desk.path();
    let write = |name: &str, text: &str| std::fs::write(here.join(name), text).unwrap();
    std::fs::copy(bundles().file("transform"), here.join("p.wasm")).unwrap();
    write("predicate.json", PREDICATE);
    write(
        "policy.toml",
        "[[trust]]\nplugins = ['*']\nkeys = ['keys/wharf.pub']\nattestations = [{ type = 'https://slsa.dev/provenance/v1', keys = ['cosign.pub'] }]\n",
    );
    let wharf = |args: &[&str]| wharf_in(here, args, &[]);
    wharf(&["keygen", "keys"]).ok();
    wharf(&["sign", "p.wasm", "--key", "keys/wharf.key", "--replace"]).ok();
    let attest = [
        &["attest-blob", "--yes", "--key", "cosign.key"][..],
        &[
            "--signing-config",
            "offline.json",
            "--type",
            "slsaprovenance1",
        ],
        &[
            "--predicate",
            "predicate.json",
            "--bundle",
            "p.wasm.attestations.jsonl",
            "p.wasm",
        ],
    ]
    .concat();
    for arguments in [
        &["generate-key-pair"][..],
        &["signing-config", "create", "--out", "offline.json"],
        &attest,
    ] {
        assert!(cosign(here, arguments), "cosign {arguments:?}");
    }
    let verify = ["verify", "p.wasm", "--policy", "policy.toml"];
    let said = wharf(&verify).ok().out;
    assert!(
        said.contains("attested: https://slsa.dev/provenance/v1"),
        "{said}"
    );

    // Beside it, one of ours: the other tool takes it, for this file alone.
    let ours = [
        &[
            "sign",
            "p.wasm",
            "--key",
            "keys/wharf.key",
            "--attest",
            "predicate.json",
        ][..],
        &["--type", "https://slsa.dev/provenance/v1"],
    ]
    .concat();
    let added = wharf(&[&ours[..], &["--json"]].concat()).ok().json();
    assert_eq!(added["attestations"], 2);
    wharf(&verify).ok();
    wharf(&[&ours[..], &["--bundle", "ours.json"]].concat()).ok();
    let verified = |file: &str| {
        let how = ["--insecure-ignore-tlog", "--key", "keys/wharf.pub"];
        let what = ["--type", "slsaprovenance1", "--bundle", "ours.json", file];
        cosign(
            here,
            &[&["verify-blob-attestation"], &how[..], &what].concat(),
        )
    };
    assert!(verified("p.wasm"));
    assert!(!verified("policy.toml"));

    // Without what cosign made nothing is left of it.
    std::fs::rename(
        here.join("ours.json"),
        here.join("p.wasm.attestations.jsonl"),
    )
    .unwrap();
    let refused = wharf(&verify);
    assert_eq!(refused.code, 3, "{}", refused.err);
}
