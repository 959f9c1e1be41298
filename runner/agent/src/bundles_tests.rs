//! A plugin that is loaded runs for as long as it would be let in.

use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use wharf_bundle::{PluginToml, SigningKey, pack, sign};
use wharf_engine::EngineConfig;
use wharf_policy::Policy;

use super::*;
use crate::controller::Session;
use crate::endpoint::Endpoint;

/// When the tests begin.
const START: &str = "2026-06-01T00:00:00Z";

/// The bundles of a runner whose controller has none: what it may run lies on its disk.
struct Runner {
    bundles: Bundles,
    seconds: Arc<AtomicI64>,
    folder: TempDir,
    _session: watch::Sender<Session>,
}

impl Runner {
    async fn new(policy: &str, keys: &[(&str, &SigningKey)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, key) in keys {
            std::fs::write(folder.path().join(name), key.public().to_pem()).unwrap();
        }
        let policy = Policy::from_toml(policy).unwrap();
        let trust = TrustPolicy::load(&policy, folder.path()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, axum::Router::new()).await });
        let endpoint = Endpoint::parse(&url).unwrap();
        let (sender, session) = watch::channel(Some("token".into()));
        let engine = EngineConfig {
            max_instances: 1,
            warm: 0,
            ..EngineConfig::default()
        };
        let mut bundles = Bundles::new(
            BundleFiles::open(folder.path().join("bundles")).unwrap(),
            Controller::new(endpoint, None, session).unwrap(),
            trust,
            Versions::open(folder.path()).unwrap(),
            Engine::new(engine).unwrap(),
        );
        let seconds = Arc::new(AtomicI64::new(0));
        let passed = Arc::clone(&seconds);
        let start: Moment = START.parse().unwrap();
        bundles.clock = Box::new(move || start.plus(passed.load(Ordering::Relaxed)));
        Self {
            bundles,
            seconds,
            folder,
            _session: sender,
        }
    }

    /// A plugin of that version on the disk, signed by these.
    fn keep(&self, version: &str, signers: &[&SigningKey]) -> Digest {
        let bytes = plugin(version);
        let digest = wharf_bundle::digest(&bytes);
        let signatures: Vec<u8> = signers
            .iter()
            .flat_map(|key| sign(&bytes, key).unwrap())
            .collect();
        self.bundles.files.keep_component(digest, &bytes);
        let papers = Papers {
            signatures: Some(signatures),
            attestations: None,
        };
        self.bundles.files.keep_papers(digest, &papers);
        digest
    }

    async fn signers(&self, digest: Digest) -> Vec<String> {
        self.bundles.plugin(digest).await.unwrap().signers.to_vec()
    }

    async fn refused(&self, digest: Digest) -> String {
        match self.bundles.plugin(digest).await.err() {
            Some(Unready::Refused { why, .. }) => why.to_string(),
            other => panic!("{other:?}"),
        }
    }
}

fn plugin(version: &str) -> Vec<u8> {
    let program = wat::parse_str(
        r#"(component
            (core module $m (func (export "run") (result i32) i32.const 0))
            (core instance $i (instantiate $m))
            (func $run (result (result)) (canon lift (core func $i "run")))
            (instance $exports (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exports)))"#,
    )
    .unwrap();
    let toml = format!(
        "[plugin]\nname = 'test'\nversion = '{version}'\ndescription = 'a test'\n\
         [[action]]\nname = 'go'\ndescription = 'a test'\ninput-schema = true\noutput-schema = true\ncommand = {{}}\n"
    );
    let toml = PluginToml::parse(&toml, |_| unreachable!()).unwrap();
    pack(&program, &toml, &[]).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_loaded_is_refused_once_a_newer_one_has_run() {
    let key = SigningKey::generate().unwrap();
    let policy = "[[trust]]\nplugins = ['*']\nkeys = ['a.pub']\n";
    let runner = Runner::new(policy, &[("a.pub", &key)]).await;
    let old = runner.keep("1.0.0", &[&key]);
    let new = runner.keep("1.1.0", &[&key]);
    runner.signers(old).await;
    runner.signers(old).await;
    runner.signers(new).await;
    for _ in 0..2 {
        let why = runner.refused(old).await;
        assert!(why.contains("1.1.0"), "{why}");
    }
    assert_eq!(runner.bundles.loaded(), [new]);
    runner.signers(new).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_loaded_and_superseded_is_verified_once_however_often_it_is_asked_for() {
    let key = SigningKey::generate().unwrap();
    let policy = "[[trust]]\nplugins = ['*']\nkeys = ['a.pub']\n\
        valid-until = '2026-06-01T00:01:00Z'\n";
    let runner = Runner::new(policy, &[("a.pub", &key)]).await;
    let old = runner.keep("1.0.0", &[&key]);
    let new = runner.keep("1.1.0", &[&key]);
    runner.signers(old).await;
    runner.signers(new).await;
    // Neither here nor at the controller is anything left that could be verified.
    std::fs::remove_dir_all(runner.folder.path().join("bundles")).unwrap();
    // Also after the end of the block: that does not make it newer.
    for second in [0, 0, 60, 60] {
        runner.seconds.store(second, Ordering::Relaxed);
        let why = runner.refused(old).await;
        assert!(why.contains("1.1.0"), "{why}");
    }
    let fetched = runner.bundles.plugin(new).await.err().unwrap();
    assert!(matches!(fetched, Unready::Fetch(_)), "{fetched}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_loaded_and_may_be_older_runs_on_beside_a_newer_one() {
    let key = SigningKey::generate().unwrap();
    let policy = "[[trust]]\nplugins = ['*']\nkeys = ['a.pub']\nallow-older = true\n";
    let runner = Runner::new(policy, &[("a.pub", &key)]).await;
    let old = runner.keep("1.0.0", &[&key]);
    let new = runner.keep("1.1.0", &[&key]);
    for digest in [old, new, old, new] {
        runner.signers(digest).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_loaded_ends_with_the_block_that_lets_it_in() {
    let key = SigningKey::generate().unwrap();
    let policy =
        "[[trust]]\nplugins = ['*']\nkeys = ['a.pub']\nvalid-until = '2026-06-01T00:01:00Z'\n";
    let runner = Runner::new(policy, &[("a.pub", &key)]).await;
    let digest = runner.keep("1.0.0", &[&key]);
    for (second, runs) in [(0, true), (59, true), (60, false), (61, false), (59, true)] {
        runner.seconds.store(second, Ordering::Relaxed);
        let plugin = runner.bundles.plugin(digest).await;
        assert_eq!(plugin.is_ok(), runs, "after {second} s");
    }
    runner.seconds.store(60, Ordering::Relaxed);
    let why = runner.refused(digest).await;
    assert!(why.contains("2026-06-01T00:01:00Z"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_loaded_ends_with_the_key_that_signed_it_unless_another_did_too() {
    let (ending, staying) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let policy = "[[trust]]\nplugins = ['*']\n\
        keys = [{ path = 'ending.pub', not-after = '2026-06-01T00:01:00Z' }, 'staying.pub']\n";
    let keys = [("ending.pub", &ending), ("staying.pub", &staying)];
    let runner = Runner::new(policy, &keys).await;
    let by_one = runner.keep("1.0.0", &[&ending]);
    let by_both = runner.keep("1.0.0+both", &[&ending, &staying]);
    for second in [0, 60] {
        runner.seconds.store(second, Ordering::Relaxed);
        assert_eq!(runner.signers(by_one).await, ["ending.pub"]);
        let both = ["ending.pub", "staying.pub"];
        assert_eq!(runner.signers(by_both).await, both);
    }
    runner.seconds.store(61, Ordering::Relaxed);
    let why = runner.refused(by_one).await;
    assert!(why.contains("ending.pub"), "{why}");
    assert_eq!(runner.signers(by_both).await, ["staying.pub"]);
    // What was verified anew is kept loaded: it does not have to be read again.
    std::fs::remove_dir_all(runner.folder.path().join("bundles")).unwrap();
    assert_eq!(runner.signers(by_both).await, ["staying.pub"]);
}
