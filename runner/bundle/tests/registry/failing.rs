//! Registries that fail for a moment, and those that go on failing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Notify;
use wharf_bundle::oci::{MANIFEST_TYPE, fallback_tag};
use wharf_bundle::registry::{Access, Options, Progress, RegistryError, Verdict};

use super::fake::{Ask, Fake, index};
use super::{client, pull, push, signed};

/// A body that begins, and is torn off once it is read.
fn torn(read: Arc<Notify>) -> Response {
    let piece = futures_util::stream::iter([Ok(Bytes::from_static(b"\0asm"))]);
    let tear = futures_util::stream::once(async move {
        read.notified().await;
        Err(std::io::Error::other("torn"))
    });
    Body::from_stream(piece.chain(tear)).into_response()
}

/// What a request is about, whatever session an upload is in.
fn about(ask: &Ask) -> String {
    let what = match ask.path.split_once("digest=") {
        Some((_, digest)) => digest,
        None => &ask.path,
    };
    format!("{} {what}", ask.method)
}

#[tokio::test]
async fn a_registry_that_is_busy_for_a_moment_is_asked_again() {
    let asked = Mutex::new(BTreeSet::new());
    let fake = Fake::twisted(move |ask, _| {
        let first = asked.lock().unwrap().insert(about(ask));
        first.then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
    })
    .await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap();
    assert_eq!(pulled.published.component(), published.component());
    assert_eq!(fake.count(Method::GET, "/manifests/1.0"), 2);
}

#[tokio::test]
async fn an_upload_that_arrived_although_its_answer_did_not_is_not_made_again() {
    let fake = Fake::honest().await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let blobs = fake.with(|store| store.blobs.clone());
    // It keeps what it is sent, and says that it could not.
    let fake = Fake::twisted(move |ask, _| {
        let first = ask.before == 0;
        (first && ask.is(Method::PUT, "/blobs/uploads/"))
            .then(|| StatusCode::BAD_GATEWAY.into_response())
    })
    .await;
    fake.with(|store| store.arriving = blobs);
    let pushed = push(&fake.reference(":1.0"), &published).await.unwrap();
    assert_eq!(pushed.transferred, published.component().len() as u64);
    let uploads = fake.count(Method::PUT, "/blobs/uploads/");
    assert_eq!(uploads, fake.with(|store| store.blobs.len()));
}

#[tokio::test]
async fn an_index_that_others_wrote_meanwhile_is_read_again_before_it_is_written_again() {
    let puts = AtomicUsize::new(0);
    let other =
        json!({ "mediaType": MANIFEST_TYPE, "digest": wharf_bundle::digest(b"theirs"), "size": 6 });
    let listed = other.clone();
    let fake = Fake::start(
        false,
        Box::new(move |ask, _| {
            if ask.is(Method::PUT, "/manifests/sha256-") {
                let first = puts.fetch_add(1, Ordering::Relaxed) == 0;
                return first.then(|| StatusCode::BAD_GATEWAY.into_response());
            }
            let meanwhile = puts.load(Ordering::Relaxed) == 1;
            (meanwhile && ask.is(Method::GET, "/manifests/sha256-"))
                .then(|| index(std::slice::from_ref(&listed)))
        }),
    )
    .await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let tag = fallback_tag(published.digest());
    let kept: Value = fake.with(|store| serde_json::from_slice(&store.manifests[&tag].1).unwrap());
    let kept = kept["manifests"].as_array().unwrap();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(kept[0]["digest"], other["digest"]);
}

#[tokio::test]
async fn one_that_stays_busy_is_told_as_such() {
    let fake = Fake::twisted(|_, _| Some(StatusCode::BAD_GATEWAY.into_response())).await;
    let error = pull(&fake.reference(":1.0")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unreachable, "{error}");
    assert!(error.to_string().contains("502"), "{error}");
    assert_eq!(fake.asked().len(), 4);
}

#[tokio::test]
async fn one_that_asks_for_an_hour_is_not_waited_for() {
    let fake = Fake::twisted(|_, _| {
        Some(
            (
                StatusCode::TOO_MANY_REQUESTS,
                [(header::RETRY_AFTER, "3600")],
            )
                .into_response(),
        )
    })
    .await;
    let error = pull(&fake.reference(":1.0")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unreachable, "{error}");
    assert_eq!(fake.asked().len(), 1);
}

#[derive(Default)]
struct Counted {
    begun: AtomicUsize,
    ended: AtomicUsize,
    reading: Arc<Notify>,
}

impl Progress for Counted {
    fn begin(&self, _: &str, _: u64) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.reading.notify_one();
    }
    fn advance(&self, _: u64) {}
    fn end(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_component_that_is_torn_off_is_fetched_again_from_its_beginning() {
    for (torn_times, whole) in [(2, true), (usize::MAX, false)] {
        let progress = Counted::default();
        let reading = progress.reading.clone();
        let fake = Fake::twisted(move |ask, store| {
            let name = ask.path.rsplit_once('/').unwrap().1;
            let blob = store.blobs.get(name);
            let is_component = blob.is_some_and(|blob| blob.starts_with(b"\0asm"));
            (ask.method == Method::GET && is_component && ask.before < torn_times)
                .then(|| torn(reading.clone()))
        })
        .await;
        let reference = fake.reference(":1.0");
        let published = signed();
        push(&reference, &published).await.unwrap();
        let pulled = client(&reference, Access::Pull, &Options::default())
            .pull(None, &progress)
            .await;
        match whole {
            true => assert_eq!(pulled.unwrap().published.component(), published.component()),
            false => {
                let error = pulled.unwrap_err();
                assert!(matches!(error, RegistryError::BrokeOff { .. }), "{error}");
                assert_eq!(error.verdict(), Verdict::Unreachable);
            }
        }
        let expected = if whole { 3 } else { 4 };
        assert_eq!(progress.begun.load(Ordering::Relaxed), expected);
        assert_eq!(progress.ended.load(Ordering::Relaxed), expected);
    }
}
