//! What a registry may do, and what becomes of it: a refusal, with a reason.

use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use wharf_bundle::oci::{
    BUNDLE_TYPE, INDEX_TYPE, MANIFEST_TYPE, MAX_MANIFEST, OciError, Published, Trust,
};
use wharf_bundle::registry::{RegistryError, Verdict};
use wharf_bundle::{Refusal, sign};

use super::common::{TRUST_ALL, key, plugin, stranger, trust};
use super::fake::{Ask, Fake, Store, elsewhere, endless, index, manifest};
use super::{pull, push, signed};

/// Pushes to a registry, which then answers so, and gives what a pull says.
async fn pulled(
    twist: impl Fn(&Ask, &Store) -> Option<Response> + Send + Sync + 'static,
) -> RegistryError {
    let pulling = |ask: &Ask| ask.method == Method::GET;
    let fake = Fake::twisted(move |ask, store| {
        // Only once the push is over, which ends with the tag.
        let over = store.manifests.contains_key("1.0");
        (over && pulling(ask)).then(|| twist(ask, store)).flatten()
    })
    .await;
    push(&fake.reference(":1.0"), &signed()).await.unwrap();
    let error = pull(&fake.reference(":1.0")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Refused, "{error}");
    error
}

/// The image manifest that was pushed, changed.
fn changed(store: &Store, change: impl Fn(&mut Value)) -> Response {
    let mut image: Value = serde_json::from_slice(&store.manifests["1.0"].1).unwrap();
    change(&mut image);
    manifest(MANIFEST_TYPE, image.to_string().as_bytes())
}

async fn with_image(change: impl Fn(&mut Value) + Send + Sync + 'static) -> String {
    pulled(move |ask, store| {
        ask.path
            .ends_with("/manifests/1.0")
            .then(|| changed(store, &change))
    })
    .await
    .to_string()
}

fn component_of(store: &Store) -> String {
    let image: Value = serde_json::from_slice(&store.manifests["1.0"].1).unwrap();
    image["layers"][0]["digest"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tag_that_moves_between_two_asks_is_never_asked_twice() {
    let other = Published::new(plugin("http", "9.9.9").into(), None).unwrap();
    let moved = other.manifest().to_vec();
    let fake = Fake::twisted(move |ask, _| {
        (ask.is(Method::GET, "/manifests/1.0") && ask.before > 0)
            .then(|| manifest(MANIFEST_TYPE, &moved))
    })
    .await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap();
    assert_eq!(pulled.published.digest(), published.digest());
    assert_eq!(fake.count(Method::GET, "/manifests/1.0"), 1);
}

#[tokio::test]
async fn a_plugin_that_is_exchanged_with_its_manifest_is_refused_by_whoever_trusts() {
    let theirs = Published::new(
        plugin("http", "1.0.0-evil").into(),
        Some(&sign(&plugin("http", "1.0.0-evil"), stranger()).unwrap()),
    )
    .unwrap();
    let fake = Fake::honest().await;
    push(&fake.reference(":1.0"), &theirs).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap().published;
    assert!(matches!(
        Trust::Policy(&trust(TRUST_ALL)).verify(&pulled),
        Err(Refusal::UnknownSigner { .. })
    ));
    assert!(matches!(
        Trust::Key(key().public()).verify(&pulled),
        Err(Refusal::UnknownSigner { .. })
    ));
}

#[tokio::test]
async fn a_manifest_that_is_not_the_one_of_its_digest_is_refused() {
    let published = signed();
    let digest = published.digest();
    let fake = Fake::twisted(move |ask, store| {
        (ask.is(Method::GET, "/manifests/sha256:") && store.manifests.contains_key("1.0"))
            .then(|| changed(store, |image| image["annotations"] = json!({ "a": "b" })))
    })
    .await;
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let error = pull(&fake.reference(&format!("@{digest}"))).await;
    assert!(
        matches!(&error, Err(RegistryError::Oci(OciError::WrongDigest { expected, .. })) if *expected == digest),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_digest_that_the_registry_claims_for_a_tag_must_be_that_of_the_manifest() {
    let error = pulled(|ask, store| {
        ask.path.ends_with("/manifests/1.0").then(|| {
            let mut answer = store.manifest("1.0");
            let other = wharf_bundle::digest(b"other").to_string();
            answer
                .headers_mut()
                .insert("docker-content-digest", other.parse().unwrap());
            answer
        })
    })
    .await;
    assert!(
        matches!(error, RegistryError::Oci(OciError::WrongDigest { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn other_bytes_than_the_digest_says_are_refused() {
    for change in [
        (|blob: &mut Vec<u8>| blob[20] ^= 1) as fn(&mut Vec<u8>),
        |blob| {
            blob.pop();
        },
        |blob| blob.push(0),
        Vec::clear,
    ] {
        let error = pulled(move |ask, store| {
            let component = component_of(store);
            ask.path.ends_with(&component).then(|| {
                let mut blob = store.blobs[&component].clone();
                change(&mut blob);
                blob.into_response()
            })
        })
        .await;
        assert!(
            matches!(
                error,
                RegistryError::Oci(OciError::WrongDigest { .. } | OciError::WrongSize { .. })
            ),
            "{error}"
        );
    }
}

#[tokio::test]
async fn bodies_without_an_end_are_cut_off_wherever_they_come() {
    for part in ["/manifests/1.0", "/blobs/", "/referrers/"] {
        let error = pulled(move |ask, _| {
            ask.path.contains(part).then(|| {
                let mut answer = endless();
                let media_type = match part {
                    "/manifests/1.0" => MANIFEST_TYPE,
                    _ => INDEX_TYPE,
                };
                answer
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, media_type.parse().unwrap());
                answer
            })
        })
        .await;
        assert!(
            matches!(error, RegistryError::Oci(OciError::TooLarge { size, .. }) if size < 2 * MAX_MANIFEST),
            "{part}: {error}"
        );
    }
}

#[tokio::test]
async fn an_error_without_an_end_is_an_error() {
    let fake = Fake::twisted(|ask, _| {
        (ask.method == Method::GET).then(|| {
            let mut answer = endless();
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        })
    })
    .await;
    let error = pull(&fake.reference(":1.0")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unreachable, "{error}");
}

#[tokio::test]
async fn sizes_beyond_the_limits_are_refused_before_anything_is_fetched() {
    for (member, size) in [
        ("/layers/0/size", json!((256u64 << 20) + 1)),
        ("/layers/0/size", json!(u64::MAX)),
        ("/layers/0/size", json!(0)),
        ("/layers/0/size", json!(-1)),
        ("/layers/0/size", json!(1.5)),
        ("/config/size", json!((1u64 << 20) + 1)),
        ("/config/size", json!(0)),
    ] {
        let fake = Fake::honest().await;
        push(&fake.reference(":1.0"), &signed()).await.unwrap();
        fake.with(|store| {
            let (_, bytes) = store.manifests.get_mut("1.0").unwrap();
            let mut image: Value = serde_json::from_slice(bytes).unwrap();
            *image.pointer_mut(member).unwrap() = size.clone();
            *bytes = image.to_string().into_bytes();
        });
        let before = fake.count(Method::GET, "/blobs/");
        let error = pull(&fake.reference(":1.0")).await.unwrap_err();
        assert_eq!(
            error.verdict(),
            Verdict::Refused,
            "{member} {size}: {error}"
        );
        assert_eq!(
            fake.count(Method::GET, "/blobs/"),
            before,
            "{member} {size}"
        );
    }
}

#[tokio::test]
async fn a_size_that_is_not_that_of_the_bytes_is_refused() {
    for size in [1, 10_000_000] {
        let error = with_image(move |image| image["layers"][0]["size"] = size.into()).await;
        assert!(error.contains("the component has"), "{error}");
    }
}

#[tokio::test]
async fn a_manifest_with_another_number_of_layers_than_one_is_refused() {
    let error = with_image(|image| {
        let layer = image["layers"][0].clone();
        image["layers"].as_array_mut().unwrap().push(layer);
    })
    .await;
    assert!(error.contains("it has 2 layers"), "{error}");
    let error = with_image(|image| image["layers"] = json!([])).await;
    assert!(error.contains("it has 0 layers"), "{error}");
}

#[tokio::test]
async fn other_media_types_are_refused() {
    for (member, value) in [
        ("/mediaType", json!(INDEX_TYPE)),
        ("/mediaType", Value::Null),
        (
            "/config/mediaType",
            json!("application/vnd.oci.image.config.v1+json"),
        ),
        (
            "/layers/0/mediaType",
            json!("application/vnd.oci.image.layer.v1.tar+gzip"),
        ),
        ("/layers/0/mediaType", json!("application/wasm; x")),
        ("/schemaVersion", json!(1)),
        ("/layers/0/digest", json!("sha512:00")),
        ("/layers/0/digest", json!("sha256:../../x")),
    ] {
        let shown = format!("{member} {value}");
        let error = with_image(move |image| *image.pointer_mut(member).unwrap() = value.clone());
        assert!(error.await.contains("cannot be used"), "{shown}");
    }
}

#[tokio::test]
async fn what_could_be_a_manifest_and_an_index_is_neither() {
    let error = with_image(|image| image["manifests"] = json!([])).await;
    assert!(error.contains("at once"), "{error}");
    let error = pulled(|ask, store| {
        ask.path
            .ends_with("/manifests/1.0")
            .then(|| manifest(INDEX_TYPE, &store.manifests["1.0"].1))
    })
    .await;
    assert!(error.to_string().contains("the registry says"), "{error}");
}

#[tokio::test]
async fn a_member_that_comes_twice_is_refused() {
    let error = pulled(|ask, store| {
        ask.path.ends_with("/manifests/1.0").then(|| {
            let text = String::from_utf8(store.manifests["1.0"].1.clone()).unwrap();
            let twice = text.replacen("\"layers\":", "\"layers\":[],\"layers\":", 1);
            manifest(MANIFEST_TYPE, twice.as_bytes())
        })
    })
    .await;
    assert!(error.to_string().contains("duplicate"), "{error}");
}

/// The one signature that was pushed: the digest of its manifest, and the manifest.
fn signature(store: &Store) -> (String, Value) {
    let image = wharf_bundle::digest(&store.manifests["1.0"].1).to_string();
    let entry = store.referrers(&image).remove(0);
    let name = entry["digest"].as_str().unwrap().to_owned();
    let document = serde_json::from_slice(&store.manifests[&name].1).unwrap();
    (name, document)
}

#[tokio::test]
async fn a_signature_that_is_exchanged_after_it_was_listed_is_refused() {
    // Its manifest.
    let error = pulled(|ask, store| {
        let (name, mut document) = signature(store);
        ask.path.ends_with(&name).then(|| {
            document["annotations"] = json!({});
            manifest(MANIFEST_TYPE, document.to_string().as_bytes())
        })
    })
    .await;
    assert!(
        error.to_string().contains("a signature's manifest"),
        "{error}"
    );
    // Its bundle.
    let error = pulled(|ask, store| {
        let (_, document) = signature(store);
        let blob = document["layers"][0]["digest"].as_str().unwrap().to_owned();
        ask.path.ends_with(&blob).then(|| {
            let mut bundle = store.blobs[&blob].clone();
            let at = bundle.len() / 2;
            bundle[at] ^= 1;
            bundle.into_response()
        })
    })
    .await;
    assert!(
        matches!(error, RegistryError::Oci(OciError::WrongDigest { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn a_signature_of_another_image_or_of_another_form_is_refused() {
    for (member, value, why) in [
        (
            "/subject/digest",
            json!(wharf_bundle::digest(b"other")),
            "it is about",
        ),
        ("/subject", Value::Null, "no subject"),
        (
            "/artifactType",
            json!("application/spdx+json"),
            "artifactType",
        ),
        ("/layers/0/mediaType", json!("text/plain"), "media type"),
        ("/layers/0/size", json!(2 << 20), "bytes"),
        ("/layers", json!([]), "layers"),
        (
            "/config/digest",
            json!(wharf_bundle::digest(b"[]")),
            "config",
        ),
    ] {
        let error = pulled(move |ask, store| {
            let (name, mut document) = signature(store);
            *document.pointer_mut(member).unwrap() = value.clone();
            let bytes = document.to_string().into_bytes();
            let other = wharf_bundle::digest(&bytes).to_string();
            if ask.path.contains("/referrers/") {
                return Some(index(&[json!({
                    "mediaType": MANIFEST_TYPE, "digest": other, "size": bytes.len(),
                    "artifactType": BUNDLE_TYPE,
                })]));
            }
            let _ = name;
            ask.path
                .ends_with(&other)
                .then(|| manifest(MANIFEST_TYPE, &bytes))
        })
        .await;
        assert!(error.to_string().contains(why), "{member}: {error}");
    }
}

#[tokio::test]
async fn something_that_is_no_bundle_is_no_signature() {
    for bundle in [&b"{}"[..], b"[]", b"not JSON"] {
        let fake = Fake::twisted(|_, _| None).await;
        let published = signed();
        push(&fake.reference(":1.0"), &published).await.unwrap();
        fake.with(|store| {
            let (name, mut document) = signature(store);
            store.manifests.remove(&name);
            let digest = wharf_bundle::digest(bundle).to_string();
            document["layers"][0]["digest"] = digest.clone().into();
            document["layers"][0]["size"] = bundle.len().into();
            let bytes = document.to_string().into_bytes();
            let name = wharf_bundle::digest(&bytes).to_string();
            store
                .manifests
                .insert(name, (MANIFEST_TYPE.to_owned(), bytes));
            store.blobs.insert(digest, bundle.to_vec());
        });
        let error = pull(&fake.reference(":1.0")).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::Refused, "{error}");
        assert!(error.to_string().contains("a signature"), "{error}");
    }
}

#[tokio::test]
async fn more_signatures_than_sixteen_are_refused_before_one_is_fetched() {
    let fake = Fake::twisted(|ask, store| {
        let over = store.manifests.contains_key("1.0");
        (over && ask.is(Method::GET, "/referrers/")).then(|| {
            let entries: Vec<Value> = (0..17)
                .map(|number| {
                    json!({
                        "mediaType": MANIFEST_TYPE, "size": 500, "artifactType": BUNDLE_TYPE,
                        "digest": wharf_bundle::digest(&[number]),
                    })
                })
                .collect();
            index(&entries)
        })
    })
    .await;
    push(&fake.reference(":1.0"), &signed()).await.unwrap();
    let before = fake.count(Method::GET, "/manifests/sha256:");
    let error = pull(&fake.reference(":1.0")).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Oci(OciError::TooManySignatures(17))),
        "{error}"
    );
    assert_eq!(fake.count(Method::GET, "/manifests/sha256:"), before);
}

#[tokio::test]
async fn a_list_that_leaves_signatures_out_leaves_it_unsigned() {
    let fake = Fake::twisted(|ask, _| ask.is(Method::GET, "/referrers/").then(|| index(&[]))).await;
    push(&fake.reference(":1.0"), &signed()).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap().published;
    assert_eq!(
        Trust::Policy(&trust(TRUST_ALL)).verify(&pulled),
        Err(Refusal::Unsigned)
    );
}

#[tokio::test]
async fn redirects_without_end_or_to_plain_http_elsewhere_are_refused() {
    for location in [
        "http://10.255.255.1/x",
        "http://example.com/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
    ] {
        let error = pulled(move |ask, _| {
            ask.path
                .contains("/blobs/")
                .then(|| elsewhere(StatusCode::TEMPORARY_REDIRECT, location))
        })
        .await;
        assert!(
            error.to_string().contains("redirects"),
            "{location}: {error}"
        );
    }
    let error = pulled(|ask, _| {
        ask.path
            .contains("/blobs/")
            .then(|| elsewhere(StatusCode::FOUND, &format!("{}x", ask.path)))
    })
    .await;
    assert!(error.to_string().contains("more than 5 times"), "{error}");
    let error = pulled(|ask, _| {
        ask.path
            .contains("/blobs/")
            .then(|| StatusCode::FOUND.into_response())
    })
    .await;
    assert!(error.to_string().contains("not where"), "{error}");
}

#[tokio::test]
async fn nothing_is_uploaded_to_another_host() {
    let other = Fake::honest().await;
    let port = other.port;
    for (status, part) in [
        (StatusCode::ACCEPTED, "/blobs/uploads/"),
        (StatusCode::TEMPORARY_REDIRECT, "/blobs/uploads/"),
        (StatusCode::PERMANENT_REDIRECT, "/manifests/"),
    ] {
        let fake = Fake::twisted(move |ask, _| {
            let sending = ask.method == Method::POST || ask.method == Method::PUT;
            (sending && ask.path.contains(part))
                .then(|| elsewhere(status, &format!("http://127.0.0.1:{port}/v2/x")))
        })
        .await;
        let error = push(&fake.reference(":1.0"), &signed()).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Misleading { .. }),
            "{status} {part}: {error}"
        );
        assert_eq!(error.verdict(), Verdict::Refused);
    }
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_registry_that_stored_something_else_is_told_on() {
    let fake = Fake::twisted(|ask, _| {
        ask.is(Method::PUT, "/manifests/").then(|| {
            let other = wharf_bundle::digest(b"other").to_string();
            (StatusCode::CREATED, [("docker-content-digest", other)]).into_response()
        })
    })
    .await;
    let error = push(&fake.reference(":1.0"), &signed()).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::Oci(OciError::WrongDigest { .. })),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_registry_says_cannot_act_on_a_terminal() {
    let fake = Fake::twisted(|ask, _| {
        (ask.method == Method::GET).then(|| {
            let said = json!({ "errors": [{ "message": "\u{1b}[2Jgone\r\n".repeat(100) }] });
            (StatusCode::BAD_REQUEST, said.to_string()).into_response()
        })
    })
    .await;
    let error = pull(&fake.reference(":1.0")).await.unwrap_err().to_string();
    assert!(error.contains("gone") && error.len() < 500, "{error}");
    assert!(!error.chars().any(char::is_control), "{error:?}");
}
