use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::task::yield_now;

use super::*;
use crate::{Lease, SecretValue};

const TTL: Duration = Duration::from_secs(60);

/// Takes its time, counts, and answers by the path.
#[derive(Default)]
struct Slow {
    /// Does not lend now, and says that it is down.
    down: AtomicBool,
    /// Does not lend now, and says that there is nothing.
    empty: AtomicBool,
    asked: AtomicUsize,
    revoked: AtomicUsize,
    /// Of those that are asked at the same time.
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Slow {
    /// Takes its time, so that whoever may ask beside this one does.
    async fn take_time(&self) {
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..100 {
            yield_now().await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl SecretStore for Slow {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        self.take_time().await;
        let document = Document::whole(SecretValue::new(format!("value-{number}").into()));
        let lease = || Lease {
            id: number.to_string(),
            period: TTL,
            renewable: false,
        };
        let is = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        match place.path.as_str() {
            "lent" if is(&self.down) => Err(StoreError::Unavailable("slow".into(), "down".into())),
            "lent" if is(&self.empty) => Err(StoreError::Absent(place.to_string())),
            "useless" => {
                let error = StoreError::BadAnswer("slow".into(), "as a test".into());
                Ok(Document::unusable(error).lent(lease()))
            }
            "gone" => Err(StoreError::Absent(place.to_string())),
            "down" => Err(StoreError::Unavailable("slow".into(), "down".into())),
            "panics" => panic!("as a test"),
            "lent" => Ok(document.lent(lease())),
            _ => Ok(document),
        }
    }

    async fn revoke(&self, _: &Lease) -> Result<(), StoreError> {
        self.revoked.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct World {
    store: Arc<Slow>,
    source: Arc<Source>,
    keeper: Arc<Keeper>,
}

impl World {
    fn new(ttl: Duration) -> Self {
        let store = Arc::new(Slow::default());
        Self {
            source: Arc::new(Source::new("slow", Arc::clone(&store) as _, ttl)),
            store,
            keeper: Arc::default(),
        }
    }

    async fn get(&self, path: &str) -> Result<(String, Option<DropGuard>), Arc<StoreError>> {
        let place = Place {
            path: path.to_owned(),
            version: None,
        };
        let text = |document: &Document| {
            let value = document.value(&place, None).unwrap();
            String::from_utf8(value.expose().to_vec()).unwrap()
        };
        match self.source.get(&place, &self.keeper).await? {
            Found::Static(document, _) => Ok((text(&document), None)),
            Found::Leased(document, guard) => Ok((text(&document), Some(guard))),
        }
    }

    /// Asks again until the store has been asked so often.
    async fn until_asked(&self, path: &str, times: usize) {
        while self.asked() < times {
            let _ = self.get(path).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn asked(&self) -> usize {
        self.store.asked.load(Ordering::SeqCst)
    }

    /// The most that asked at the same time.
    fn most(&self) -> usize {
        self.store.most.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn many_that_want_the_same_ask_once() {
    let world = World::new(TTL);
    let wanted = join_all((0..100).map(|_| world.get("token"))).await;
    for (value, guard) in wanted.into_iter().map(Result::unwrap) {
        assert_eq!(value, "value-0");
        assert!(guard.is_none());
    }
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn a_value_is_kept_for_its_time_and_then_a_new_one_is_seen() {
    let world = World::new(TTL);
    for _ in 0..100 {
        assert_eq!(world.get("token").await.unwrap().0, "value-0");
    }
    let world = World::new(Duration::from_millis(50));
    assert_eq!(world.get("token").await.unwrap().0, "value-0");
    world.until_asked("token", 2).await;
    assert_ne!(world.get("token").await.unwrap().0, "value-0");
}

#[tokio::test]
async fn a_value_does_not_stay_in_memory_longer_than_it_holds() {
    let world = World::new(Duration::from_millis(50));
    let place = Place {
        path: "token".to_owned(),
        version: None,
    };
    let Ok(Found::Static(document, _)) = world.source.get(&place, &world.keeper).await else {
        panic!("it is static");
    };
    let watched = Arc::downgrade(&document);
    drop(document);
    // Nobody asks for it, and yet it goes.
    while watched.upgrade().is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn without_a_time_to_live_the_store_is_asked_each_time() {
    let world = World::new(Duration::ZERO);
    assert_eq!(world.get("token").await.unwrap().0, "value-0");
    assert_eq!(world.get("token").await.unwrap().0, "value-1");
}

#[tokio::test]
async fn where_nothing_is_kept_those_who_ask_at_once_do_not_wait_for_each_other() {
    let world = World::new(Duration::ZERO);
    let all = join_all((0..10).map(|_| world.get("token"))).await;
    let mut values: Vec<_> = all.into_iter().map(|one| one.unwrap().0).collect();
    values.sort();
    values.dedup();
    assert_eq!((values.len(), world.most()), (10, 10));
}

#[tokio::test]
async fn those_who_find_out_that_a_place_lends_do_not_wait_for_each_other() {
    let world = World::new(TTL);
    let all = join_all((0..10).map(|_| world.get("lent"))).await;
    assert!(all.iter().all(Result::is_ok));
    // The first one alone: what it brings may be for all.
    assert_eq!(world.most(), 9);
}

#[tokio::test]
async fn a_refusal_or_an_outage_is_told_to_all_who_wait_and_then_asked_about_again() {
    for path in ["gone", "down"] {
        let world = World::new(Duration::from_secs(2));
        let all = join_all((0..50).map(|_| world.get(path))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(world.asked(), 1, "{path}");
        world.until_asked(path, 2).await;
    }
}

#[tokio::test]
async fn what_is_lent_is_never_shared_however_many_ask_at_once() {
    let world = World::new(TTL);
    let all = join_all((0..10).map(|_| world.get("lent"))).await;
    let mut values: Vec<_> = all
        .iter()
        .map(|one| one.as_ref().unwrap().0.clone())
        .collect();
    values.sort();
    values.dedup();
    assert_eq!(values.len(), 10);
    assert!(all.iter().all(|one| one.as_ref().unwrap().1.is_some()));
    drop(all);
    world.keeper.finish(TTL).await;
    assert_eq!(world.store.revoked.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_place_that_lent_and_does_not_any_more_is_not_asked_again_by_all_who_wait() {
    let world = World::new(Duration::from_secs(2));
    for trouble in [&world.store.down, &world.store.empty] {
        assert!(world.get("lent").await.is_ok());
        trouble.store(true, Ordering::SeqCst);
        assert!(world.get("lent").await.is_err());
        let asked = world.asked();
        let all = join_all((0..50).map(|_| world.get("lent"))).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(world.asked(), asked, "they are told what is known");
        world.until_asked("lent", asked + 1).await;

        trouble.store(false, Ordering::SeqCst);
        while world.get("lent").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let all = join_all((0..10).map(|_| world.get("lent"))).await;
        let mut values: Vec<_> = all.into_iter().map(|one| one.unwrap().0).collect();
        values.sort();
        values.dedup();
        assert_eq!(values.len(), 10, "each is lent its own");
    }
}

#[tokio::test]
async fn what_is_lent_and_cannot_be_used_is_an_error_and_given_back() {
    let world = World::new(TTL);
    let Err(error) = world.get("useless").await else {
        panic!("it gave something");
    };
    assert!(error.to_string().contains("as a test"), "{error}");
    world.keeper.finish(TTL).await;
    assert_eq!(world.store.revoked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_is_lent_to_someone_who_left_while_the_store_was_asked_is_given_back() {
    let world = World::new(TTL);
    assert!(world.get("lent").now_or_never().is_none());
    world.keeper.finish(TTL).await;
    assert_eq!(world.store.revoked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_store_that_panics_is_an_outage_of_that_store() {
    let world = World::new(TTL);
    let Err(error) = world.get("panics").await else {
        panic!("it gave something");
    };
    assert_eq!(error.trouble(), Trouble::Outage);
    let text = error.to_string();
    assert!(
        text.contains("slow") && !text.contains("as a test"),
        "{text}"
    );
    let all = join_all((0..50).map(|_| world.get("panics"))).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(world.asked(), 1, "and remembered as one");
    assert_eq!(world.get("token").await.unwrap().0, "value-1");
}
