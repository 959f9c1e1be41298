//! A controller that was taken over: it cannot make this runner do what its own policy does not
//! allow.

use wharf_bundle::{SigningKey, sign};
use wharf_policy::{ByteSize, LimitRequest};
use wharf_protocol::Verdict;

use super::key;
use super::real::{FAILS, GREEDY, House, bundle, failed_with, work};

fn refused(verdict: &Verdict, because: &str) {
    match verdict {
        Verdict::Refused { message } => assert!(message.contains(because), "{message}"),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_without_a_good_signature_is_refused_and_a_later_good_one_is_taken() {
    let mut house = House::with_grants("").await;
    let bytes = bundle("test", FAILS);
    let digest = house.publish(&bytes, None);
    refused(&house.run(work(key(1), "test", digest)).await, "not signed");

    let stranger = SigningKey::generate().unwrap();
    house.publish(&bytes, Some(sign(&bytes, &stranger).unwrap()));
    let verdict = house.run(work(key(2), "test", digest)).await;
    refused(&verdict, "nobody who is trusted");

    house.publish(&bytes, Some(b"{}".to_vec()));
    let verdict = house.run(work(key(3), "test", digest)).await;
    refused(&verdict, "not a Sigstore");

    house.publish_signed(&bytes);
    let verdict = house.run(work(key(4), "test", digest)).await;
    assert!(failed_with(&verdict, "exit-1"), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_under_a_known_digest_are_refused() {
    let mut house = House::with_grants("").await;
    let bytes = bundle("test", FAILS);
    let digest = house.publish_signed(&bytes);
    let mut changed = bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    house
        .fake
        .shelf
        .lock()
        .unwrap()
        .bundles
        .insert(digest, changed.clone());
    let verdict = house.run(work(key(1), "test", digest)).await;
    refused(&verdict, "other bytes");

    // Under its true digest, with the signature of the original.
    let changed_digest = house.publish(&changed, Some(sign(&bytes, &house.trusted).unwrap()));
    let verdict = house.run(work(key(2), "test", changed_digest)).await;
    refused(&verdict, "changed after it was signed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_runs_under_its_signed_name_only_and_only_its_own_actions() {
    let grants = "[[grant]]\nplugins=['powerful']\nlimits={memory='128MiB'}\n";
    let mut house = House::with_grants(grants).await;
    let digest = house.publish_signed(&bundle("humble", FAILS));
    let verdict = house.run(work(key(1), "powerful", digest)).await;
    refused(&verdict, "`humble` by its signed manifest");

    let mut ask = work(key(2), "humble", digest);
    ask.action = "stop".parse().unwrap();
    refused(&house.run(ask).await, "no action `stop`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_cannot_widen_what_the_policy_grants() {
    let grants = "[[grant]]\nplugins=['*']\nlimits={memory='1MiB'}\n";
    let mut house = House::with_grants(grants).await;
    let digest = house.publish_signed(&bundle("test", GREEDY));
    let mut ask = work(key(1), "test", digest);
    ask.rights.limits = LimitRequest {
        memory: Some(ByteSize::mib(4096)),
        ..LimitRequest::default()
    };
    let verdict = house.run(ask).await;
    assert!(
        matches!(&verdict, Verdict::Stopped { limit, .. } if limit == "memory"),
        "{verdict:?}"
    );
}
