//! Registries that fail for a moment, and those that go on failing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use tokio::sync::Notify;
use wharf_bundle::registry::{Access, Options, Progress, RegistryError, Verdict};

use super::fake::Fake;
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

#[tokio::test]
async fn a_registry_that_is_busy_for_a_moment_is_asked_again() {
    let fake = Fake::twisted(|ask, _| {
        let first = ask.before == 0;
        (first && ask.method != Method::POST)
            .then(|| StatusCode::SERVICE_UNAVAILABLE.into_response())
    })
    .await;
    let published = signed();
    push(&fake.reference(":1.0"), &published).await.unwrap();
    let pulled = pull(&fake.reference(":1.0")).await.unwrap();
    assert_eq!(pulled.published.component(), published.component());
    assert_eq!(fake.count(Method::GET, "/manifests/1.0"), 2);
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
