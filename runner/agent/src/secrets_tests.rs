use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use wharf_policy::{CallRights, Capabilities, LimitRequest, Policy};
use wharf_stores::{Document, Lease, Place, SecretStore, SecretValue, StoreError};

use super::*;

/// Counts what it is asked, and lends what is below `lent/`.
#[derive(Default)]
struct Counting {
    fetched: AtomicUsize,
    revoked: AtomicUsize,
}

#[async_trait]
impl SecretStore for Counting {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let number = self.fetched.fetch_add(1, Ordering::SeqCst);
        let value = SecretValue::new(format!("value-{number}").into_bytes());
        let document = Document::whole(value);
        Ok(match place.path.starts_with("lent/") {
            false => document,
            true => document.lent(Lease {
                id: number.to_string(),
                period: Duration::from_secs(3600),
                renewable: false,
            }),
        })
    }

    async fn revoke(&self, _: &Lease) -> Result<(), StoreError> {
        self.revoked.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn rights(path: &str) -> Rights {
    let text = format!(
        "[[secret]]\nname='s'\nfrom='mem:{path}'\n[[grant]]\nplugins=['*']\nsecrets=[{{name='s',rungs=['operate']}}]"
    );
    let asks: Capabilities =
        serde_json::from_str(r#"{"secrets": [{"name": "s", "rungs": ["operate"]}]}"#).unwrap();
    Rights::effective(
        &"test".parse().unwrap(),
        &"go".parse().unwrap(),
        &asks,
        &LimitRequest::default(),
        &Policy::from_toml(&text).unwrap(),
        &CallRights::default(),
    )
}

fn stores(ttl: Duration) -> (Stores, Arc<Counting>) {
    let store = Arc::new(Counting::default());
    let stores = Stores::none().with_cached("mem", Arc::clone(&store) as _, ttl);
    (stores, store)
}

#[tokio::test]
async fn static_secrets_are_resolved_once_until_the_store_says_they_are_old_and_then_let_go() {
    let (rights, kept) = (rights("static"), KeptSecrets::default());
    let (lasting, _) = stores(Duration::from_secs(60));
    let (first, _) = kept.for_run(&rights, &lasting).await.unwrap();
    let (second, _) = kept.for_run(&rights, &lasting).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));

    let kept = KeptSecrets::default();
    let (stores, store) = stores(Duration::from_millis(50));
    let (first, _) = kept.for_run(&rights, &stores).await.unwrap();
    let watched = Arc::downgrade(&first);
    drop(first);
    // Nobody asks, and yet they go.
    while watched.upgrade().is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(store.fetched.load(Ordering::SeqCst), 1);
    let _ = kept.for_run(&rights, &stores).await.unwrap();
    assert_eq!(store.fetched.load(Ordering::SeqCst), 2);
}

/// Answers nobody until two ask at the same time.
struct Together(tokio::sync::Barrier);

#[async_trait]
impl SecretStore for Together {
    async fn fetch(&self, _: &Place) -> Result<Document, StoreError> {
        self.0.wait().await;
        Ok(Document::whole(SecretValue::new(b"a value".to_vec())))
    }
}

#[tokio::test]
async fn runs_whose_secrets_are_never_kept_ask_beside_one_another() {
    let store = Arc::new(Together(tokio::sync::Barrier::new(2)));
    let stores = Stores::none().with_cached("mem", store as _, Duration::ZERO);
    let (rights, kept) = (rights("static"), KeptSecrets::default());
    for _ in 0..2 {
        let both = async {
            tokio::join!(
                kept.for_run(&rights, &stores),
                kept.for_run(&rights, &stores)
            )
        };
        let both = tokio::time::timeout(Duration::from_secs(10), both).await;
        let (one, other) = both.expect("one waits for the other");
        assert!(one.is_ok() && other.is_ok());
    }
}

#[tokio::test]
async fn what_is_lent_is_lent_to_each_run_and_given_back_after_it() {
    let (stores, store) = stores(Duration::from_secs(60));
    let (rights, kept) = (rights("lent/x"), KeptSecrets::default());
    let (one, its) = kept.for_run(&rights, &stores).await.unwrap();
    let (other, others) = kept.for_run(&rights, &stores).await.unwrap();
    assert!(!Arc::ptr_eq(&one, &other));
    assert_eq!((its.len(), others.len()), (1, 1));
    assert_eq!(store.fetched.load(Ordering::SeqCst), 2);
    assert_eq!(store.revoked.load(Ordering::SeqCst), 0);
    drop((its, others));
    stores.finish(Duration::from_secs(60)).await;
    assert_eq!(store.revoked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_run_that_panics_gives_back_what_it_was_lent() {
    let (stores, store) = stores(Duration::from_secs(60));
    let kept = KeptSecrets::default();
    let (_, leases) = kept.for_run(&rights("lent/x"), &stores).await.unwrap();
    let run = tokio::spawn(async move {
        let _leases = leases;
        panic!("as a test");
    });
    assert!(run.await.unwrap_err().is_panic());
    stores.finish(Duration::from_secs(60)).await;
    assert_eq!(store.revoked.load(Ordering::SeqCst), 1);
}
