//! What a runner does when signed is not enough, with a real controller in between.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wharf_e2e::{Answer, Process, World, bundles, source, until, wharf_in};

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
    fn of(runner: &Process) -> Self {
        let said = runner.said();
        let (_, after) = said.rsplit_once("metrics at ").unwrap();
        let url = after.lines().next().unwrap();
        Self(url.strip_suffix("/metrics").unwrap().to_owned())
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
    let runner = world.start_runner_with("runner", &policy, &metrics).await;
    let metrics = Monitored::of(&runner);
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
