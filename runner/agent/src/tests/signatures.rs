//! Which signature a runner goes by: the one it keeps, or the controller's where that does not do.

use std::fs;
use std::path::PathBuf;

use wharf_bundle::{SigningKey, sign};
use wharf_policy::Digest;
use wharf_protocol::Verdict;

use super::key;
use super::real::{FAILS, House, bundle, failed_with, work};

/// A runner that asks for two signers.
struct Two {
    house: House,
    other: SigningKey,
    next: u128,
}

impl Two {
    async fn signers() -> Self {
        let other = SigningKey::generate().unwrap();
        let policy =
            "[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub', 'other.pub']\nrequire = 2\n";
        let pem = other.public().to_pem();
        Self {
            house: House::with_policy(policy, &[("other.pub", &pem)]).await,
            other,
            next: 0,
        }
    }

    /// The signatures of one signer, and of both.
    fn signatures(&self, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let one = sign(bytes, &self.house.trusted).unwrap();
        let both = [one.as_slice(), &sign(bytes, &self.other).unwrap()].concat();
        (one, both)
    }

    async fn run(&mut self, digest: Digest) -> Verdict {
        self.next += 1;
        let ask = work(key(self.next), "test", digest);
        self.house.run(ask).await
    }

    async fn refused(&mut self, digest: Digest) -> String {
        match self.run(digest).await {
            Verdict::Refused { message } => message,
            other => panic!("{other:?}"),
        }
    }

    fn on_disk(&self, digest: Digest, suffix: &str) -> PathBuf {
        let folder = self.house.state.join("bundles");
        folder.join(format!("{}.wasm{suffix}", digest.to_hex()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_signature_is_enough_without_a_restart_and_until_then_nothing_is_installed() {
    let mut two = Two::signers().await;
    let bytes = bundle("test", FAILS);
    let (one, both) = two.signatures(&bytes);
    let digest = two.house.publish(&bytes, None);
    let why = two.refused(digest).await;
    assert!(why.contains("not signed"), "{why}");
    two.house.publish(&bytes, Some(one));
    let why = two.refused(digest).await;
    assert!(why.contains("needs 2 signers"), "{why}");
    for suffix in ["", ".sigstore.json"] {
        assert!(!two.on_disk(digest, suffix).exists(), "{suffix}");
    }
    two.house.publish(&bytes, Some(both.clone()));
    let verdict = two.run(digest).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    assert_eq!(fs::read(two.on_disk(digest, "")).unwrap(), bytes);
    let kept = fs::read(two.on_disk(digest, ".sigstore.json")).unwrap();
    assert_eq!(kept, both);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_after_it_was_verified_is_in_the_record_with_its_name_and_its_signers() {
    let mut two = Two::signers().await;
    let bytes = bundle("test", FAILS);
    let (one, both) = two.signatures(&bytes);
    let digest = two.house.publish(&bytes, Some(one));
    two.refused(digest).await;
    two.house.publish(&bytes, Some(both));
    let mut ask = work(key(2), "another", digest);
    two.house.run(ask.clone()).await;
    ask = work(key(3), "test", digest);
    ask.action = "missing".parse().unwrap();
    two.house.run(ask).await;

    let mut refused = Vec::new();
    wharf_audit::read(&two.house.state.join("audit"), |record| {
        if record.event == "dispatch-refused" {
            refused.push(serde_json::Value::Object(record.members));
        }
    })
    .unwrap();
    // Nothing of the first was proven; the others are what their signed manifest says.
    assert_eq!(refused.len(), 3);
    assert!(refused[0].get("plugin").is_none() && refused[0].get("digest").is_none());
    for (event, action) in refused[1..].iter().zip(["go", "missing"]) {
        assert_eq!(event["plugin"], "test", "{event}");
        assert_eq!(event["version"], "1.0.0");
        assert_eq!(event["digest"], digest.to_string());
        assert_eq!(event["action"], action);
        assert_eq!(
            event["signers"],
            serde_json::json!(["trusted.pub", "other.pub"])
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_signature_that_does_not_do_any_more_is_fetched_anew_before_anything_is_refused() {
    let mut two = Two::signers().await;
    let bytes = bundle("test", FAILS);
    let (one, both) = two.signatures(&bytes);
    let digest = two.house.publish(&bytes, None);
    // As after a start under an older policy, which asked for one signer.
    fs::write(two.on_disk(digest, ""), &bytes).unwrap();
    let kept = two.on_disk(digest, ".sigstore.json");
    fs::write(&kept, &one).unwrap();
    // The controller has none, or the same: what is wrong with the kept one is said.
    for published in [None, Some(one.clone())] {
        two.house.publish(&bytes, published);
        let why = two.refused(digest).await;
        assert!(why.contains("needs 2 signers"), "{why}");
    }
    // Worse than the kept one: it is not kept in its place.
    let stranger = sign(&bytes, &SigningKey::generate().unwrap()).unwrap();
    two.house.publish(&bytes, Some(stranger));
    let why = two.refused(digest).await;
    assert!(why.contains("nobody who is trusted"), "{why}");
    assert_eq!(fs::read(&kept).unwrap(), one);
    two.house.publish(&bytes, Some(both.clone()));
    let verdict = two.run(digest).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    assert_eq!(fs::read(&kept).unwrap(), both);
}
