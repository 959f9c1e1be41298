//! What works with an honest registry.

use axum::http::Method;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use wharf_bundle::oci::{
    BUNDLE_TYPE, Form, INDEX_TYPE, MANIFEST_TYPE, OciError, Published, Trust, fallback_tag,
};
use wharf_bundle::registry::{Access, Options, RegistryError, Silent, Verdict};
use wharf_bundle::{Refusal, sign};

use super::common::{TRUST_ALL, key, plugin, stranger, trust};
use super::fake::{Fake, index, manifest};
use super::{client, pull, push, signed, signed_by};

#[tokio::test]
async fn what_is_pushed_is_pulled_by_tag_and_by_digest() {
    for fake in [Fake::honest().await, Fake::old().await] {
        let published = signed_by(&[key(), stranger()]);
        let pushed = push(&fake.reference(":1.0"), &published).await.unwrap();
        assert_eq!(pushed.digest, published.digest());
        assert_eq!(pushed.signatures, 2);
        for from in [":1.0".to_owned(), format!("@{}", pushed.digest)] {
            let pulled = pull(&fake.reference(&from)).await.unwrap();
            assert_eq!(pulled.published.component(), published.component());
            assert_eq!(pulled.published.digest(), published.digest());
            assert_eq!(pulled.transferred, published.component().len() as u64);
            assert_eq!(
                pulled.published.signature_file(),
                published.signature_file()
            );
            let accepted = Trust::Policy(&trust(TRUST_ALL)).verify(&pulled.published);
            assert_eq!(accepted.unwrap().signers, ["ours.pub"]);
        }
    }
}

#[tokio::test]
async fn a_tag_is_asked_for_once_and_then_there_are_only_digests() {
    let fake = Fake::honest().await;
    push(&fake.reference(":1.0"), &signed()).await.unwrap();
    let before = fake.asked().len();
    pull(&fake.reference(":1.0")).await.unwrap();
    let asked = fake.asked().split_off(before);
    assert!(asked[0].path.ends_with("/manifests/1.0"));
    assert!(
        asked[1..].iter().all(|ask| ask.path.contains("sha256:")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn the_tag_is_moved_last_so_that_it_never_names_something_unsigned() {
    let fake = Fake::old().await;
    push(&fake.reference(":1.0"), &signed()).await.unwrap();
    let asked = fake.asked();
    let last = asked.iter().rfind(|ask| ask.method == Method::PUT).unwrap();
    assert!(last.path.ends_with("/manifests/1.0"), "{asked:?}");
}

#[tokio::test]
async fn what_is_there_already_is_sent_and_fetched_no_second_time() {
    let fake = Fake::honest().await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let again = push(&fake.reference(":1.1"), &published).await.unwrap();
    assert_eq!(again.transferred, 0);
    assert_eq!(again.digest, published.digest());

    let blob = published.image().component.digest.to_string();
    let before = fake.count(Method::GET, &blob);
    let from = client(&fake.reference(":1.1"), Access::Pull, &Options::default());
    let here = Some(published.component().clone());
    let pulled = from.pull(here, &Silent).await.unwrap();
    assert_eq!(pulled.transferred, 0);
    assert_eq!(fake.count(Method::GET, &blob), before);
    // Something else at the target is not taken for it.
    let mut other = published.component().to_vec();
    *other.last_mut().unwrap() ^= 1;
    let pulled = from.pull(Some(other.into()), &Silent).await.unwrap();
    assert_eq!(pulled.transferred, published.component().len() as u64);
    assert_eq!(pulled.published.component(), published.component());
}

#[tokio::test]
async fn the_same_plugin_has_the_same_digest_whoever_signed_it() {
    assert_eq!(signed().digest(), signed_by(&[]).digest());
    assert_ne!(
        signed().digest(),
        Published::new(plugin("http", "1.0.1").into(), None)
            .unwrap()
            .digest()
    );
}

/// What `wkg oci pull` and the library below it (oci-wasm 0.6) ask for, exactly.
#[tokio::test]
async fn the_image_has_all_that_wkg_asks_for() {
    let fake = Fake::honest().await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let (media_type, bytes) = fake.with(|store| store.manifests["1.0"].clone());
    assert_eq!(media_type, "application/vnd.oci.image.manifest.v1+json");
    let image: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(image["schemaVersion"], 2);
    assert_eq!(
        image["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        image["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    assert_eq!(image["layers"].as_array().unwrap().len(), 1);
    assert_eq!(image["layers"][0]["mediaType"], "application/wasm");
    let config =
        fake.with(|store| store.blobs[image["config"]["digest"].as_str().unwrap()].clone());
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(
        config,
        json!({
            "created": "1970-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2",
            "layerDigests": [published.image().component.digest],
            "component": {
                "exports": ["wharf:plugin/actions@0.1.0"], "imports": [], "target": null,
            },
        })
    );
}

#[tokio::test]
async fn a_registry_without_lists_gets_an_index_in_which_that_of_others_stays() {
    let fake = Fake::old().await;
    let published = signed();
    let tag = fallback_tag(published.digest());
    let theirs = json!({
        "mediaType": MANIFEST_TYPE, "digest": wharf_bundle::digest(b"theirs"), "size": 6,
        "artifactType": "application/spdx+json", "platform": { "os": "plan9", "architecture": "mips" },
    });
    let kept = json!({
        "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [theirs],
        "annotations": { "note": "theirs" }, "unknown": 1,
    });
    fake.with(|store| {
        let bytes = kept.to_string().into_bytes();
        store
            .manifests
            .insert(tag.clone(), (INDEX_TYPE.to_owned(), bytes));
    });
    for _ in 0..2 {
        push(&fake.reference(":1.0"), &published).await.unwrap();
        let (_, bytes) = fake.with(|store| store.manifests[&tag].clone());
        let index: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(index["annotations"], kept["annotations"]);
        assert_eq!(index["unknown"], 1);
        let entries = index["manifests"].as_array().unwrap();
        assert_eq!(entries.len(), 2, "{index}");
        assert_eq!(entries[0], theirs);
        assert_eq!(entries[1]["artifactType"], BUNDLE_TYPE);
        assert_eq!(
            entries[1]["annotations"]["dev.sigstore.bundle.content"],
            "message-signature"
        );
    }
}

#[tokio::test]
async fn a_registry_that_does_not_know_of_lists_is_one_without() {
    for status in [400u16, 405, 406, 501] {
        let fake = Fake::start(
            false,
            Box::new(move |ask, _| {
                ask.is(Method::GET, "/referrers/").then(|| {
                    axum::http::StatusCode::from_u16(status)
                        .unwrap()
                        .into_response()
                })
            }),
        )
        .await;
        push(&fake.reference(":1.0"), &signed()).await.unwrap();
        let pulled = pull(&fake.reference(":1.0")).await.unwrap();
        assert_eq!(pulled.published.referrers().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn an_index_that_somebody_else_replaces_meanwhile_is_written_again() {
    // The first time that it is read after it was written, it is somebody else's.
    let fake = Fake::start(
        false,
        Box::new(|ask, _| {
            (ask.is(Method::GET, "/manifests/sha256-") && ask.before == 2).then(|| index(&[]))
        }),
    )
    .await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    assert_eq!(fake.count(Method::PUT, "/manifests/sha256-"), 2);
    assert_eq!(
        pull(&fake.reference(":1.0"))
            .await
            .unwrap()
            .published
            .referrers()
            .len(),
        1
    );
}

#[tokio::test]
async fn the_signature_that_cosign_expects_counts_for_a_key_and_never_for_a_policy() {
    let fake = Fake::honest().await;
    let mut published = signed_by(&[]);
    published.sign(key()).unwrap();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap().published;
    assert_eq!(pulled.signature_file(), None);
    let accepted = Trust::Key(key().public()).verify(&pulled).unwrap();
    assert_eq!(accepted.form, Form::Statement);
    assert!(matches!(
        Trust::Key(stranger().public()).verify(&pulled),
        Err(Refusal::UnknownSigner { .. })
    ));
    assert_eq!(
        Trust::Policy(&trust(TRUST_ALL)).verify(&pulled),
        Err(Refusal::Unsigned)
    );
    assert_eq!(
        Trust::Key(key().public()).verify(&signed_by(&[])),
        Err(Refusal::Unsigned)
    );
}

#[tokio::test]
async fn entries_that_cosign_lists_as_empty_configurations_are_found() {
    let fake = Fake::start(
        false,
        Box::new(|ask, store| {
            let (_, bytes) = store.manifests.get(ask.path.rsplit('/').next()?)?;
            ask.is(Method::GET, "/manifests/sha256-").then(|| {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let listed = format!("\"artifactType\":\"{BUNDLE_TYPE}\"");
                let other = "\"artifactType\":\"application/vnd.oci.empty.v1+json\"";
                assert!(text.contains(&listed) || text.contains(other));
                manifest(INDEX_TYPE, text.replace(&listed, other).as_bytes())
            })
        }),
    )
    .await;
    push(&fake.reference(":1.0"), &signed()).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap();
    assert_eq!(pulled.published.referrers().len(), 1);
}

#[tokio::test]
async fn no_image_gets_more_signatures_than_are_looked_at() {
    for fake in [Fake::honest().await, Fake::old().await] {
        let mut pushed = Vec::new();
        for number in 0..17 {
            let result = push(&fake.reference(":1.0"), &signed()).await;
            match number < 16 {
                true => pushed.push(result.unwrap()),
                false => assert!(
                    matches!(
                        &result,
                        Err(RegistryError::Oci(OciError::TooManySignatures(17)))
                    ),
                    "{result:?}"
                ),
            }
        }
        let pulled = pull(&fake.reference(":1.0")).await.unwrap();
        assert_eq!(pulled.published.referrers().len(), 16);
    }
}

#[tokio::test]
async fn an_image_that_a_key_signed_is_known_to_be_signed() {
    let fake = Fake::honest().await;
    let mut published = signed();
    let reference = fake.reference(":1.0");
    let client = client(&reference, Access::Push, &Options::default());
    // A signature of the component is not one of the image.
    for signed in [false, false, true] {
        let there = client.is_signed(&published, key().public()).await.unwrap();
        assert_eq!(there, signed);
        let theirs = client.is_signed(&published, stranger().public()).await;
        assert!(!theirs.unwrap());
        push(&reference, &published).await.unwrap();
        if published.referrers().len() == 1 {
            published.sign(key()).unwrap();
        }
    }
}

#[tokio::test]
async fn nothing_is_pushed_whose_signature_is_of_something_else() {
    let component = plugin("http", "1.0.0");
    let other = sign(&plugin("http", "1.0.1"), key()).unwrap();
    assert!(matches!(
        Published::new(component.clone().into(), Some(&other)),
        Err(OciError::Signature(Refusal::Tampered { .. }))
    ));
    assert!(matches!(
        Published::new(component.into(), Some(b"{}")),
        Err(OciError::Signature(Refusal::MalformedSignature(_)))
    ));
    assert!(matches!(
        Published::new(b"\0asm".to_vec().into(), None),
        Err(OciError::NotAPlugin(_))
    ));
}

#[tokio::test]
async fn a_reference_by_digest_publishes_exactly_that_or_nothing() {
    let fake = Fake::honest().await;
    let published = signed();
    let other = format!("@{}", wharf_bundle::digest(b"other"));
    let error = push(&fake.reference(&other), &published).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::OtherDigest { .. }),
        "{error}"
    );
    assert!(fake.asked().is_empty());
    let same = format!("@{}", published.digest());
    push(&fake.reference(&same), &published).await.unwrap();
    assert!(!fake.with(|store| store.manifests.contains_key("1.0")));
    pull(&fake.reference(&same)).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_and_who_is_silent_are_told_apart() {
    let fake = Fake::honest().await;
    let error = pull(&fake.reference(":none")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Usage);
    assert!(error.to_string().contains("no acme/http:none"), "{error}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let nobody = format!("127.0.0.1:{port}/acme/http:1").parse().unwrap();
    let error = pull(&nobody).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unreachable, "{error}");
}

#[tokio::test]
async fn lists_in_pages_are_read_to_the_end_and_not_elsewhere() {
    for (next, whole) in [
        ("</v2/acme/http/referrers/last>; rel=\"next\"", true),
        ("<http://localhost:1/x>; rel=\"next\"", false),
    ] {
        let fake = Fake::twisted(move |ask, store| {
            if ask.is(Method::GET, "/referrers/last") {
                let (image, _) = store.manifests.iter().find(|(name, (_, bytes))| {
                    name.starts_with("sha256:") && *bytes == store.manifests["1.0"].1
                })?;
                return Some(index(&store.referrers(image)));
            }
            let over = store.manifests.contains_key("1.0");
            (over && ask.is(Method::GET, "/referrers/")).then(|| {
                let mut answer = index(&[]);
                answer.headers_mut().insert("link", next.parse().unwrap());
                answer
            })
        })
        .await;
        push(&fake.reference(":1.0"), &signed()).await.unwrap();
        let pulled = pull(&fake.reference(":1.0")).await;
        match whole {
            true => assert_eq!(pulled.unwrap().published.referrers().len(), 1),
            false => assert!(matches!(pulled, Err(RegistryError::Misleading { .. }))),
        }
    }
}

#[tokio::test]
async fn what_else_refers_to_the_image_is_passed_over() {
    let fake = Fake::honest().await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let sbom = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "artifactType": "application/spdx+json",
        "subject": { "digest": published.digest() },
    });
    fake.with(|store| {
        for number in 0..40 {
            let mut sbom = sbom.clone();
            sbom["number"] = number.into();
            let bytes = sbom.to_string().into_bytes();
            let name = wharf_bundle::digest(&bytes).to_string();
            store
                .manifests
                .insert(name, (MANIFEST_TYPE.to_owned(), bytes));
        }
    });
    let pulled = pull(&fake.reference(":1.0")).await.unwrap();
    assert_eq!(pulled.published.referrers().len(), 1);
}
