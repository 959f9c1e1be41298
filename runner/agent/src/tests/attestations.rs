//! A policy that wants something attested, and a runner that has nobody to ask but its controller.

use std::fs;

use serde_json::json;
use wharf_bundle::{SigningKey, attest};
use wharf_policy::Digest;

use super::beside::Beside;
use super::key;
use super::real::{FAILS, House, bundle, failed_with, work};

const TYPE: &str = "https://slsa.dev/provenance/v1";

/// A runner that wants provenance by a builder, who is the other one.
async fn wanting_provenance() -> Beside {
    let policy = format!(
        "[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub']\nattestations = [{{ type = '{TYPE}', keys = ['other.pub'] }}]\n"
    );
    Beside::with_policy(&policy).await
}

/// Attests the provenance of a component.
fn attested(digest: Digest, by: &SigningKey) -> Vec<u8> {
    attest(digest, TYPE, &json!({ "buildDefinition": {} }), by).unwrap()
}

fn publish(at: &Beside, digest: Digest, attestations: Option<Vec<u8>>) {
    let mut shelf = at.house.fake.shelf.lock().unwrap();
    match attestations {
        Some(attestations) => shelf.attestations.insert(digest, attestations),
        None => shelf.attestations.remove(&digest),
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_be_attested_is_fetched_from_the_controller_and_a_plugin_without_it_is_refused() {
    let mut wanting = wanting_provenance().await;
    let bytes = bundle("test", FAILS);
    let digest = wanting.house.publish_signed(&bytes);
    let kept = wanting.on_disk(digest, ".attestations.jsonl");
    let other = attested(wharf_bundle::digest(b"other"), &wanting.other);
    let by_signer = attested(digest, &wanting.house.trusted);
    // None, that of another plugin, that of somebody else, and nothing that could be one.
    for (published, says) in [
        (None, "nothing is attested of it"),
        (Some(other), "about other files"),
        (Some(by_signer), "by nobody whom the block trusts for it"),
        (Some(b"{}".to_vec()), "are not Sigstore v0.3 bundles"),
    ] {
        publish(&wanting, digest, published);
        let why = wanting.refused(digest).await;
        assert!(why.contains(says), "{why}");
        assert!(!kept.exists());
    }
    let good = attested(digest, &wanting.other);
    publish(&wanting, digest, Some(good.clone()));
    let verdict = wanting.run(digest).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
    assert_eq!(fs::read(&kept).unwrap(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_attestations_do_while_they_satisfy_the_policy_and_are_asked_for_anew_when_not() {
    let mut wanting = wanting_provenance().await;
    let bytes = bundle("test", FAILS);
    let digest = wanting.house.publish_signed(&bytes);
    let good = attested(digest, &wanting.other);
    let stranger = attested(digest, &SigningKey::generate().unwrap());
    let kept = wanting.on_disk(digest, ".attestations.jsonl");
    // As after a start under an older policy: signature and component are here, and are good.
    let signature = wharf_bundle::sign(&bytes, &wanting.house.trusted).unwrap();
    fs::write(wanting.on_disk(digest, ""), &bytes).unwrap();
    fs::write(wanting.on_disk(digest, ".sigstore.json"), signature).unwrap();
    fs::write(&kept, &stranger).unwrap();
    // The controller keeps them back: that takes nothing away, and gives nothing.
    let why = wanting.refused(digest).await;
    assert!(why.contains("by nobody whom the block trusts"), "{why}");
    assert_eq!(fs::read(&kept).unwrap(), stranger);
    publish(&wanting, digest, Some(good.clone()));
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
