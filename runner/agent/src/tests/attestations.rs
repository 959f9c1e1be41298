//! A policy that wants something attested, and a runner that has nobody to ask but its controller.

use std::fs;

use serde_json::json;
use wharf_bundle::{SigningKey, attest};
use wharf_policy::Digest;
use wharf_protocol::Verdict;

use super::key;
use super::real::{FAILS, House, bundle, failed_with, work};

const TYPE: &str = "https://slsa.dev/provenance/v1";

/// A runner that wants provenance by a builder.
struct Wanting {
    house: House,
    builder: SigningKey,
    next: u128,
}

impl Wanting {
    async fn provenance() -> Self {
        let builder = SigningKey::generate().unwrap();
        let policy = format!(
            "[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub']\nattestations = [{{ type = '{TYPE}', keys = ['builder.pub'] }}]\n"
        );
        let pem = builder.public().to_pem();
        Self {
            house: House::with_policy(&policy, &[("builder.pub", &pem)]).await,
            builder,
            next: 0,
        }
    }

    /// Attests the provenance of a component.
    fn attested(&self, digest: Digest, by: &SigningKey) -> Vec<u8> {
        attest(digest, TYPE, &json!({ "buildDefinition": {} }), by).unwrap()
    }

    fn publish(&self, digest: Digest, attestations: Option<Vec<u8>>) {
        let mut shelf = self.house.fake.shelf.lock().unwrap();
        match attestations {
            Some(attestations) => shelf.attestations.insert(digest, attestations),
            None => shelf.attestations.remove(&digest),
        };
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
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_attested_is_fetched_from_the_controller_and_a_plugin_without_it_is_refused() {
    let mut wanting = Wanting::provenance().await;
    let bytes = bundle("test", FAILS);
    let digest = wanting.house.publish_signed(&bytes);
    let folder = wanting.house.state.join("bundles");
    let kept = folder.join(format!("{}.wasm.attestations.jsonl", digest.to_hex()));
    let other = wanting.attested(wharf_bundle::digest(b"other"), &wanting.builder);
    let by_signer = wanting.attested(digest, &wanting.house.trusted);
    // None, that of another plugin, that of somebody else, and nothing that could be one.
    for (published, says) in [
        (None, "nothing is attested of it"),
        (Some(other), "about other files"),
        (Some(by_signer), "by nobody whom the block trusts for it"),
        (Some(b"{}".to_vec()), "are not Sigstore v0.3 bundles"),
    ] {
        wanting.publish(digest, published);
        let why = wanting.refused(digest).await;
        assert!(why.contains(says), "{why}");
        assert!(!kept.exists());
    }
    let good = wanting.attested(digest, &wanting.builder);
    wanting.publish(digest, Some(good.clone()));
    let verdict = wanting.run(digest).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    assert_eq!(fs::read(&kept).unwrap(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_attestations_do_while_they_satisfy_the_policy_and_are_asked_for_anew_when_not() {
    let mut wanting = Wanting::provenance().await;
    let bytes = bundle("test", FAILS);
    let digest = wanting.house.publish_signed(&bytes);
    let good = wanting.attested(digest, &wanting.builder);
    let stranger = wanting.attested(digest, &SigningKey::generate().unwrap());
    let folder = wanting.house.state.join("bundles");
    let kept = folder.join(format!("{}.wasm.attestations.jsonl", digest.to_hex()));
    // As after a start under an older policy: signature and component are here, and are good.
    let signature = wharf_bundle::sign(&bytes, &wanting.house.trusted).unwrap();
    fs::write(folder.join(format!("{}.wasm", digest.to_hex())), &bytes).unwrap();
    let beside = format!("{}.wasm.sigstore.json", digest.to_hex());
    fs::write(folder.join(beside), signature).unwrap();
    fs::write(&kept, &stranger).unwrap();
    // The controller keeps them back: that takes nothing away, and gives nothing.
    let why = wanting.refused(digest).await;
    assert!(why.contains("by nobody whom the block trusts"), "{why}");
    assert_eq!(fs::read(&kept).unwrap(), stranger);
    wanting.publish(digest, Some(good.clone()));
    let verdict = wanting.run(digest).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    assert_eq!(fs::read(&kept).unwrap(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn attestations_that_no_policy_asks_for_are_not_fetched() {
    let mut house =
        House::with_policy("[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub']\n", &[]).await;
    let digest = house.publish_signed(&bundle("test", FAILS));
    let verdict = house.run(work(key(1), "test", digest)).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    assert_eq!(house.fake.shelf.lock().unwrap().asked_for_attestations, 0);
}
