//! What is attested of a plugin, in a registry where anybody may attest anything.

use axum::http::Method;
use serde_json::{Value, json};
use wharf_bundle::oci::{BUNDLE_TYPE, MANIFEST_TYPE, OciError, Published, Trust};
use wharf_bundle::registry::{RegistryError, Verdict};
use wharf_bundle::{AttestationFile, Beside, Refusal, TrustPolicy, Unattested, attest};
use wharf_policy::Digest;

use super::common::{TRUST_ALL, stranger, trust};
use super::fake::{Fake, index};
use super::{pull, push, signed};

const SLSA: &str = "https://slsa.dev/provenance/v1";

/// A policy that wants provenance.
fn wants_provenance() -> TrustPolicy {
    trust(&format!(
        "{TRUST_ALL}\nattestations = [{{ type = '{SLSA}', keys = ['theirs.pub'] }}]"
    ))
}

/// The same with this attestation.
fn attested(published: &Published, attestation: &[u8]) -> Published {
    let signatures = published.signature_file();
    let beside = Beside {
        signatures: signatures.as_deref(),
        attestations: Some(attestation),
    };
    Published::with(published.component().clone(), beside).unwrap()
}

fn provenance(of: Digest) -> Vec<u8> {
    attest(of, SLSA, &json!({ "buildDefinition": {} }), stranger()).unwrap()
}

/// Puts a bundle beside an image, as `cosign attest` does, with or without saying what it attests.
fn add_referrer(fake: &Fake, to: &Published, bundle: &[u8], attests: Option<&str>) {
    let empty = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": wharf_bundle::digest(b"{}"), "size": 2 });
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": BUNDLE_TYPE,
        "config": empty,
        "layers": [{ "mediaType": BUNDLE_TYPE, "digest": wharf_bundle::digest(bundle), "size": bundle.len() }],
        "subject": to.descriptor(),
    });
    if let Some(attests) = attests {
        manifest["annotations"] = json!({ "dev.sigstore.bundle.predicateType": attests });
    }
    let manifest = manifest.to_string().into_bytes();
    fake.with(|store| {
        let name = wharf_bundle::digest(bundle).to_string();
        store.blobs.insert(name, bundle.to_vec());
        let name = wharf_bundle::digest(&manifest).to_string();
        store
            .manifests
            .insert(name, (MANIFEST_TYPE.to_owned(), manifest));
    });
}

#[tokio::test]
async fn attestations_are_pushed_as_cosign_does_and_pulled_with_the_plugin_that_wants_them() {
    for fake in [Fake::honest().await, Fake::old().await] {
        let plain = signed();
        let of_component = provenance(plain.image().component.digest);
        let published = attested(&plain, &of_component);
        assert_eq!(published.digest(), plain.digest());
        let reference = fake.reference(":1.0");
        push(&reference, &plain).await.unwrap();
        let refused = pull(&reference).await.unwrap().published;
        let refusal = Trust::Policy(&wants_provenance()).verify(&refused);
        assert!(
            matches!(&refusal, Err(Refusal::Unattested { why, .. }) if **why == Unattested::NoneAtAll),
            "{refusal:?}"
        );
        let pushed = push(&reference, &published).await.unwrap();
        assert_eq!((pushed.signatures, pushed.attestations), (1, 1));
        let pulled = pull(&reference).await.unwrap().published;
        assert_eq!(pulled.attestations_file(), Some(of_component));
        let accepted = Trust::Policy(&wants_provenance()).verify(&pulled).unwrap();
        assert_eq!(accepted.attested, [SLSA]);
        let referrer = pulled.attestations().next().unwrap();
        let manifest: Value = serde_json::from_slice(referrer.manifest()).unwrap();
        assert_eq!(
            manifest["annotations"],
            json!({
                "dev.sigstore.bundle.content": "dsse-envelope",
                "dev.sigstore.bundle.predicateType": SLSA,
            })
        );
    }
}

#[tokio::test]
async fn an_attestation_of_the_image_that_others_pushed_counts_and_that_of_another_image_does_not()
{
    let fake = Fake::honest().await;
    let published = signed();
    let reference = fake.reference(":1.0");
    push(&reference, &published).await.unwrap();
    // It refers to this image, whatever its statement is about.
    let add = |bundle: &[u8]| add_referrer(&fake, &published, bundle, Some(SLSA));
    add(&provenance(wharf_bundle::digest(b"another image")));
    let pulled = pull(&reference).await.unwrap().published;
    assert_eq!(pulled.attestations().count(), 1);
    assert_eq!(pulled.attestations_file(), None);
    assert!(Trust::Policy(&wants_provenance()).verify(&pulled).is_err());
    let good = provenance(published.digest());
    add(&good);
    let pulled = pull(&reference).await.unwrap().published;
    assert_eq!(pulled.attestations().count(), 2);
    assert_eq!(pulled.attestations_file(), Some(good));
    Trust::Policy(&wants_provenance()).verify(&pulled).unwrap();
}

#[tokio::test]
async fn no_image_gets_more_attestations_than_are_looked_at() {
    let fake = Fake::old().await;
    let plain = signed();
    let of = |number: usize| {
        let kind = format!("https://acme.test/{number}");
        let digest = plain.image().component.digest;
        attest(digest, &kind, &json!({}), stranger()).unwrap()
    };
    let reference = fake.reference(":1.0");
    let first = attested(&plain, &of(0));
    push(&reference, &first).await.unwrap();
    for number in 1..17 {
        let result = push(&reference, &attested(&plain, &of(number))).await;
        match number < 16 {
            true => drop(result.unwrap()),
            false => assert!(
                matches!(
                    &result,
                    Err(RegistryError::Oci(OciError::TooManyAttestations(17)))
                ),
                "{result:?}"
            ),
        }
    }
    // What is there already can be pushed again.
    push(&reference, &first).await.unwrap();
    let pulled = pull(&reference).await.unwrap().published;
    assert_eq!(pulled.signatures().count(), 1);
    assert_eq!(pulled.attestations().count(), 16);
}

#[tokio::test]
async fn an_attestation_that_is_kept_back_or_exchanged_ends_in_a_refusal_by_who_wants_it() {
    let plain = signed();
    let good = provenance(plain.image().component.digest);
    let published = attested(&plain, &good);
    let referrer = published.attestations().next().unwrap();
    let (name, blob) = (
        referrer.descriptor().digest.to_string(),
        wharf_bundle::digest(referrer.bundle()).to_string(),
    );
    for what in ["listed no more", "another bundle", "another manifest"] {
        let fake = Fake::honest().await;
        let reference = fake.reference(":1.0");
        push(&reference, &published).await.unwrap();
        fake.with(|store| match what {
            "listed no more" => drop(store.manifests.remove(&name)),
            "another bundle" => {
                let other = provenance(wharf_bundle::digest(b"other"));
                store.blobs.insert(blob.clone(), other);
            }
            _ => {
                let (_, bytes) = store.manifests.get_mut(&name).unwrap();
                let text = String::from_utf8(bytes.clone()).unwrap();
                *bytes = text.replace("provenance/v1", "provenance/v9").into_bytes();
            }
        });
        match pull(&reference).await {
            Ok(pulled) => {
                let verdict = Trust::Policy(&wants_provenance()).verify(&pulled.published);
                assert!(matches!(verdict, Err(Refusal::Unattested { .. })), "{what}");
            }
            Err(error) => assert_eq!(error.verdict(), Verdict::Refused, "{what}: {error}"),
        }
    }
}

#[tokio::test]
async fn attestations_are_passed_over_however_many_and_large_they_are() {
    let fake = Fake::honest().await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    fake.with(|store| {
        for number in 0..15 {
            let attestation = json!({
                "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": BUNDLE_TYPE,
                "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": published.digest(), "size": 2 },
                "layers": [{ "mediaType": BUNDLE_TYPE, "digest": published.digest(), "size": 50 << 20 }],
                "subject": published.descriptor(), "number": number,
                "annotations": { "dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1" },
            });
            let bytes = attestation.to_string().into_bytes();
            let name = wharf_bundle::digest(&bytes).to_string();
            store.manifests.insert(name, (MANIFEST_TYPE.to_owned(), bytes));
        }
    });
    let pulled = pull(&fake.reference(":1.0")).await.unwrap();
    assert_eq!(pulled.published.referrers().len(), 1);
    assert_eq!(
        pulled.published.signature_file(),
        published.signature_file()
    );
}

#[tokio::test]
async fn what_others_attest_takes_no_good_attestation_away() {
    let plain = signed();
    let of = plain.image().component.digest;
    let good = provenance(of);
    let published = attested(&plain, &good);
    let other = |number: usize| {
        let kind = format!("https://acme.test/{number}");
        attest(of, &kind, &json!({}), stranger()).unwrap()
    };
    // Too many of them; one that does not say that it is one; and those that are not there.
    for kind in ["large", "unsaid", "missing"] {
        let image = plain.digest().to_string();
        // The good one is the last of the list.
        let fake = Fake::twisted(move |ask, store| {
            let is_good =
                |entry: &Value| entry["annotations"]["dev.sigstore.bundle.predicateType"] == SLSA;
            ask.is(Method::GET, "/referrers/").then(|| {
                let mut listed = store.referrers(&image);
                listed.sort_by_key(is_good);
                index(&listed)
            })
        })
        .await;
        let reference = fake.reference(":1.0");
        push(&reference, &published).await.unwrap();
        match kind {
            // All that there is room for, but not for the end of a line as well.
            "large" => {
                let mut large = other(0);
                large.pop();
                large.resize((1 << 20) - good.len() - 1, b' ');
                large.push(b'}');
                add_referrer(&fake, &plain, &large, Some("https://acme.test/0"));
            }
            "unsaid" => {
                for number in 1..16 {
                    let kind = format!("https://acme.test/{number}");
                    add_referrer(&fake, &plain, &other(number), Some(&kind));
                }
                add_referrer(&fake, &plain, &other(16), None);
            }
            _ => {
                let missing = other(1);
                add_referrer(&fake, &plain, &missing, Some("https://acme.test/1"));
                let name = wharf_bundle::digest(&missing).to_string();
                fake.with(|store| drop(store.blobs.remove(&name)));
            }
        }
        let pulled = pull(&reference)
            .await
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        let file = pulled.published.attestations_file().unwrap();
        let file = AttestationFile::parse(&file).unwrap();
        let found = file.predicate_types().any(|kind| kind == SLSA);
        // Where there is room for one of two, the list of the registry decides for which.
        assert_eq!(found, kind != "large", "{kind}");
        assert!(found || file.count() == 1);
    }
}
