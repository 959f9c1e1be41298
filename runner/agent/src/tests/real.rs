//! The real way of an attempt: bundles fetched from the controller, verified, loaded and run.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wharf_bundle::{PluginToml, SigningKey, pack, sign};
use wharf_policy::{CallRights, Digest};
use wharf_protocol::{Assignment, AttemptKey, Payload, Pipe, ToRunner, Verdict};

use super::controller::{Fake, Peer};
use super::{key, soon};
use crate::{Agent, AgentConfig, EnrolRequest, Running, enrol};

/// A program that exits with 1.
pub(super) const FAILS: &str = r#"(func (export "run") (result i32) i32.const 1)"#;
/// A program that never ends.
const SPINS: &str = r#"(func (export "run") (result i32) (loop (br 0)) unreachable)"#;
/// A program that needs 64 MiB.
pub(super) const GREEDY: &str = r#"(memory 1024) (func (export "run") (result i32) i32.const 0)"#;

/// The file of the policy, beside the state.
const POLICY: &str = "policy.toml";

/// Component text around one core module.
fn program(module: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            (core module $m {module})
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $exports (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exports)))"#
    ))
    .unwrap()
}

/// A bundle named `name` with one action, `go`.
pub(super) fn bundle(name: &str, module: &str) -> Vec<u8> {
    bundle_of(name, "1.0.0", module)
}

/// The same, of that version.
pub(super) fn bundle_of(name: &str, version: &str, module: &str) -> Vec<u8> {
    let toml = format!(
        "[plugin]\nname = '{name}'\nversion = '{version}'\ndescription = 'a test'\n\
         [[action]]\nname = 'go'\ndescription = 'a test'\nidempotent = true\n\
         input-schema = {{ type = 'object' }}\noutput-schema = true\ncommand = {{}}\n"
    );
    let toml = PluginToml::parse(&toml, |_| unreachable!()).unwrap();
    pack(&program(module), &toml, &[]).unwrap()
}

/// An enrolled runner with a policy, and the controller it belongs to.
pub(super) struct House {
    pub(super) fake: Fake,
    pub(super) trusted: SigningKey,
    pub(super) state: PathBuf,
    pub(super) runner: Running,
    pub(super) peer: Peer,
    _folder: TempDir,
}

impl House {
    pub(super) async fn with_grants(grants: &str) -> Self {
        let trust = "[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub']\n";
        Self::with_policy(&format!("{trust}{grants}"), &[]).await
    }

    /// With a whole policy, and secrets in files beside it.
    pub(super) async fn with_policy(text: &str, secrets: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let trusted = SigningKey::generate().unwrap();
        std::fs::write(folder.path().join("trusted.pub"), trusted.public().to_pem()).unwrap();
        let policy = folder.path().join(POLICY);
        for (name, value) in secrets {
            use std::os::unix::fs::PermissionsExt as _;
            let file = folder.path().join(name);
            std::fs::write(&file, value).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&policy, text).unwrap();
        let mut fake = Fake::start().await;
        let request = EnrolRequest {
            url: format!("http://{}", fake.address),
            token: "whf_good".to_owned(),
            state_dir: state.clone(),
            ca_bundle: None,
        };
        enrol(request).await.unwrap();
        let runner = Agent::start(config(&state, &policy)).unwrap();
        let peer = fake.peer(Pipe::Control).await;
        Self {
            fake,
            trusted,
            state,
            runner,
            peer,
            _folder: folder,
        }
    }

    /// Publishes a bundle with this signature.
    pub(super) fn publish(&self, bytes: &[u8], signature: Option<Vec<u8>>) -> Digest {
        let digest = wharf_bundle::digest(bytes);
        let mut shelf = self.fake.shelf.lock().unwrap();
        shelf.bundles.insert(digest, bytes.to_vec());
        if let Some(signature) = signature {
            shelf.signatures.insert(digest, signature);
        }
        digest
    }

    /// Publishes a bundle signed by the key that is trusted.
    pub(super) fn publish_signed(&self, bytes: &[u8]) -> Digest {
        let signature = sign(bytes, &self.trusted).unwrap();
        self.publish(bytes, Some(signature))
    }

    /// The same runner, started anew once it has left.
    pub(super) async fn restart(mut self) -> Self {
        self.runner.drain().await;
        while self.peer.next().await.is_some() {}
        soon("leaving", self.runner.wait()).await.unwrap();
        let policy = self.state.with_file_name(POLICY);
        self.runner = Agent::start(config(&self.state, &policy)).unwrap();
        self.peer = self.fake.peer(Pipe::Control).await;
        self
    }

    /// The same with another policy.
    pub(super) async fn restart_with_policy(self, text: &str) -> Self {
        std::fs::write(self.state.with_file_name(POLICY), text).unwrap();
        self.restart().await
    }

    pub(super) async fn run(&mut self, work: Assignment) -> Verdict {
        let expected = work.key;
        self.peer.send(ToRunner::Assign(Box::new(work))).await;
        let (key, verdict) = self.peer.result().await;
        assert_eq!(key, expected);
        self.peer.acknowledge(key).await;
        verdict
    }
}

fn config(state: &Path, policy: &Path) -> AgentConfig {
    let mut config = AgentConfig::new(state, policy);
    config.engine.max_instances = 8;
    config.engine.warm = 0;
    config
}

pub(super) fn work(key: AttemptKey, name: &str, digest: Digest) -> Assignment {
    Assignment {
        key,
        plugin: name.parse().unwrap(),
        digest,
        action: "go".parse().unwrap(),
        input: Payload::Inline("{}".to_owned()),
        rights: CallRights::default(),
        lease_ms: 30_000,
    }
}

pub(super) fn failed_with(verdict: &Verdict, code: &str) -> bool {
    matches!(verdict, Verdict::Failed(failure) if failure.code == code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_plugin_is_fetched_once_and_run_and_kept_for_the_next_start() {
    let mut house = House::with_grants("").await;
    let digest = house.publish_signed(&bundle("test", FAILS));
    let verdict = house.run(work(key(1), "test", digest)).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    // From here on the controller has it no more.
    house.fake.shelf.lock().unwrap().bundles.clear();
    let verdict = house.run(work(key(2), "test", digest)).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    house = house.restart().await;
    let verdict = house.run(work(key(3), "test", digest)).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_input_by_reference_is_fetched_and_checked() {
    let mut house = House::with_grants("[[grant]]\nplugins=['*']\nlimits={input='1KiB'}\n").await;
    let digest = house.publish_signed(&bundle("test", FAILS));
    let store = |house: &House, bytes: &[u8]| {
        let digest = wharf_bundle::digest(bytes);
        let mut shelf = house.fake.shelf.lock().unwrap();
        shelf.payloads.insert(digest, bytes.to_vec());
        Payload::Stored {
            digest,
            size: bytes.len() as u64,
        }
    };
    let mut ask = work(key(1), "test", digest);
    ask.input = store(&house, br#"{"a": 1}"#);
    let verdict = house.run(ask.clone()).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");

    ask.key = key(2);
    ask.input = store(&house, b"[]");
    let verdict = house.run(ask.clone()).await;
    assert!(failed_with(&verdict, "invalid-input"), "{verdict:?}");

    ask.key = key(3);
    ask.input = store(&house, &[b' '; 1025]);
    let verdict = house.run(ask.clone()).await;
    assert!(
        matches!(&verdict, Verdict::Stopped { limit, .. } if limit == "input"),
        "{verdict:?}"
    );

    // Other bytes than were named: the controller lies, or its disk does.
    let named = wharf_bundle::digest(b"{}");
    let other = br#"{"admin": true}"#.to_vec();
    house
        .fake
        .shelf
        .lock()
        .unwrap()
        .payloads
        .insert(named, other);
    ask.key = key(4);
    ask.input = Payload::Stored {
        digest: named,
        size: 2,
    };
    let verdict = house.run(ask).await;
    assert!(failed_with(&verdict, "input-unavailable"), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_ends_at_its_deadline_or_when_it_is_cancelled() {
    let mut house =
        House::with_grants("[[grant]]\nplugins=['quick']\nlimits={deadline='50ms'}\n").await;
    let digest = house.publish_signed(&bundle("quick", SPINS));
    let verdict = house.run(work(key(1), "quick", digest)).await;
    assert!(
        matches!(&verdict, Verdict::Stopped { limit, .. } if limit == "deadline"),
        "{verdict:?}"
    );

    let digest = house.publish_signed(&bundle("slow", SPINS));
    let ask = ToRunner::Assign(Box::new(work(key(2), "slow", digest)));
    house.peer.send(ask).await;
    house
        .peer
        .find("the start", |frame| {
            (frame == wharf_protocol::ToController::Started(key(2))).then_some(())
        })
        .await;
    house
        .peer
        .send(ToRunner::Cancel {
            key: key(2),
            reason: "no longer needed".to_owned(),
            grace_ms: 20,
        })
        .await;
    let (_, verdict) = house.peer.result().await;
    let reason = "no longer needed".to_owned();
    assert_eq!(verdict, Verdict::Cancelled { reason });
}
