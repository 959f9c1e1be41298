//! Which signature a runner goes by: the one it keeps, or the controller's where that does not do.

use std::fs;

use wharf_bundle::{SigningKey, sign};

use super::beside::Beside;
use super::key;
use super::real::{FAILS, bundle, failed_with, work};

/// A runner that asks for two signers.
async fn two_signers() -> Beside {
    let policy = "[[trust]]\nplugins = ['*']\nkeys = ['trusted.pub', 'other.pub']\nrequire = 2\n";
    Beside::with_policy(policy).await
}

/// The signatures of one signer, and of both.
fn signatures(two: &Beside, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let one = sign(bytes, &two.house.trusted).unwrap();
    let both = [one.as_slice(), &sign(bytes, &two.other).unwrap()].concat();
    (one, both)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_signature_is_enough_without_a_restart_and_until_then_nothing_is_installed() {
    let mut two = two_signers().await;
    let bytes = bundle("test", FAILS);
    let (one, both) = signatures(&two, &bytes);
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
    let mut two = two_signers().await;
    let bytes = bundle("test", FAILS);
    let (one, both) = signatures(&two, &bytes);
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
    let mut two = two_signers().await;
    let bytes = bundle("test", FAILS);
    let (one, both) = signatures(&two, &bytes);
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
