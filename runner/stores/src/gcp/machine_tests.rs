use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use wharf_policy::{Policy, StoreConfig};

use super::*;

/// A metadata server that gives another token each time, unless it is down.
struct World {
    machine: Machine,
    asked: Arc<AtomicUsize>,
    down: Arc<AtomicBool>,
}

impl World {
    async fn start(expires: &'static str) -> Self {
        let (asked, down) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, is_down) = (Arc::clone(&asked), Arc::clone(&down));
        let app = Router::new().fallback(move || {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let token = format!(r#"{{"access_token": "token-{number}"{expires}}}"#);
            std::future::ready(match is_down.load(Ordering::SeqCst) {
                true => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
                false => (StatusCode::OK, token),
            })
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let policy = Policy::from_toml(&format!(
            "[store.gcp]\nkind = 'gcp'\nproject = 'acme'\nmetadata = '{url}'\n"
        ));
        let policy = policy.unwrap();
        let Some(StoreConfig::Gcp(config)) = policy.stores.values().next() else {
            panic!("no such store")
        };
        Self {
            machine: Machine::open(config).unwrap(),
            asked,
            down,
        }
    }

    async fn token(&self) -> Result<String, StoreError> {
        let pass = self.machine.pass().await?;
        Ok(pass.to_str().unwrap().to_owned())
    }

    /// The time of the token that is held is nearly over, or over.
    async fn age(&self, expired: bool) {
        let mut held = self.machine.held.lock().await;
        let held = held.as_mut().unwrap();
        held.due = Instant::now();
        if expired {
            held.expires = Instant::now();
        }
    }

    /// For how long the token that is held is used before another is asked for, at most.
    async fn due_in(&self) -> Duration {
        let held = self.machine.held.lock().await;
        held.as_ref().unwrap().due.duration_since(Instant::now())
    }
}

#[tokio::test]
async fn a_token_is_used_for_its_time_and_replaced_a_little_before() {
    let world = World::start(r#", "expires_in": 3600"#).await;
    for _ in 0..10 {
        assert_eq!(world.token().await.unwrap(), "Bearer token-1");
    }
    assert!(world.due_in().await <= Duration::from_secs(3600) - SLACK);
    world.age(false).await;
    assert_eq!(world.token().await.unwrap(), "Bearer token-2");
    assert_eq!(world.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_is_good_is_used_while_there_is_no_other_and_not_after() {
    let world = World::start(r#", "expires_in": 3600"#).await;
    assert_eq!(world.token().await.unwrap(), "Bearer token-1");
    world.down.store(true, Ordering::SeqCst);
    world.age(false).await;
    for _ in 0..10 {
        assert_eq!(world.token().await.unwrap(), "Bearer token-1");
    }
    assert_eq!(world.asked.load(Ordering::SeqCst), 2, "asked in vain once");
    world.age(true).await;
    let error = world.token().await.unwrap_err();
    assert_eq!(error.trouble(), crate::Trouble::Outage, "{error}");
    world.down.store(false, Ordering::SeqCst);
    assert_eq!(world.token().await.unwrap(), "Bearer token-4");
}

#[tokio::test]
async fn a_token_of_any_time_is_used_and_none_for_ever() {
    let year = Duration::from_secs(365 * 24 * 3600);
    for (expires, longest) in [
        (r#", "expires_in": 18446744073709551615"#, year),
        (r#", "expires_in": null"#, Duration::from_secs(UNSAID)),
        ("", Duration::from_secs(UNSAID)),
        (r#", "expires_in": 60"#, PAUSE),
        (r#", "expires_in": 5"#, Duration::from_secs(5)),
    ] {
        let world = World::start(expires).await;
        assert_eq!(world.token().await.unwrap(), "Bearer token-1");
        assert!(world.due_in().await <= longest, "{expires}");
        assert_eq!(world.token().await.unwrap(), "Bearer token-1", "{expires}");
    }
    // One that is over when it comes is for the one who asked.
    let world = World::start(r#", "expires_in": 0"#).await;
    assert_eq!(world.token().await.unwrap(), "Bearer token-1");
    assert_eq!(world.token().await.unwrap(), "Bearer token-2");
}

#[tokio::test]
async fn only_the_token_that_was_not_taken_is_dropped() {
    let world = World::start(r#", "expires_in": 3600"#).await;
    let first = world.machine.pass().await.unwrap();
    world.machine.forget(&first).await;
    assert_eq!(world.token().await.unwrap(), "Bearer token-2");
    // By another one who was refused with it.
    world.machine.forget(&first).await;
    assert_eq!(world.token().await.unwrap(), "Bearer token-2");
}
