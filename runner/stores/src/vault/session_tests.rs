use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::Uri;
use tempfile::TempDir;
use tokio::sync::watch;
use wharf_policy::{Policy, StoreConfig};

use super::*;

/// A server that lets in and renews whoever asks, each time when it is told to go on.
struct Slow {
    /// How often it was asked to let in or to renew.
    asked: Arc<AtomicUsize>,
    /// So many of these it answers.
    answers: watch::Sender<usize>,
    session: Arc<Session>,
    _folder: TempDir,
}

impl Slow {
    async fn start(renewable: bool) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let answers = watch::Sender::new(1);
        let (count, gate) = (Arc::clone(&asked), answers.clone());
        let app = Router::new().fallback(move |uri: Uri| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let mut gate = gate.subscribe();
            let token = match uri.path().ends_with("/renew-self") {
                true => "token-1".to_owned(),
                false => format!("token-{number}"),
            };
            async move {
                gate.wait_for(|open| *open >= number).await.unwrap();
                let auth = json!({
                    "client_token": token, "lease_duration": 3600, "renewable": renewable,
                });
                json!({ "auth": auth }).to_string()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });

        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("jwt");
        std::fs::write(token, "who-i-am").unwrap();
        let policy = Policy::from_toml(&format!(
            "[store.vault]\nkind = 'vault'\naddress = '{url}'\ntimeout = '60s'\n\
             login = {{ jwt = {{ role = 'runner', token = 'file:jwt' }} }}\n"
        ));
        let policy = policy.unwrap();
        let Some(StoreConfig::Vault(config)) = policy.stores.values().next() else {
            panic!("no such store")
        };
        let api = Arc::new(Api::open(config, folder.path()).unwrap());
        let session = Session::open(api, &config.login, folder.path()).unwrap();
        Self {
            asked,
            answers,
            session: Arc::new(session),
            _folder: folder,
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// The token that is used now. Nothing may have to be waited for.
    async fn token(&self) -> Token {
        let pass = tokio::time::timeout(Duration::from_secs(30), self.session.pass());
        pass.await.expect("it waits").unwrap().token
    }

    /// The time of the token that is held is nearly over, or over.
    fn age(&self, expired: bool) {
        let mut standing = self.session.standing();
        let held = standing.held.as_mut().unwrap();
        held.due = Some(Instant::now());
        let left = Duration::from_secs(if expired { 0 } else { 600 });
        held.expires = Some(Instant::now() + left);
    }

    /// Lets the server answer what it was asked, and waits until that has an effect.
    async fn answer(&self) {
        self.answers.send_modify(|open| *open += 1);
        drop(self.session.turn.lock().await);
    }

    fn is_due(&self) -> bool {
        self.session.standing().held.as_ref().unwrap().is_due()
    }
}

#[tokio::test]
async fn a_token_that_is_good_is_used_while_the_server_takes_its_time_to_renew_it() {
    let slow = Slow::start(true).await;
    let token = slow.token().await;
    slow.age(false);
    for _ in 0..100 {
        assert!(slow.token().await.is(&token));
        tokio::task::yield_now().await;
    }
    slow.answer().await;
    assert!(!slow.is_due() && slow.token().await.is(&token));
    assert_eq!(slow.asked(), 2, "it is renewed once for all");
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_used_while_another_is_got() {
    let slow = Slow::start(false).await;
    let token = slow.token().await;
    slow.age(false);
    for _ in 0..100 {
        assert!(slow.token().await.is(&token));
        tokio::task::yield_now().await;
    }
    slow.answer().await;
    assert!(!slow.token().await.is(&token));
    assert_eq!(slow.asked(), 2);
}

#[tokio::test]
async fn a_token_that_has_run_out_is_not_used_and_all_wait_for_one_login() {
    let slow = Slow::start(false).await;
    let token = slow.token().await;
    slow.age(true);
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let session = Arc::clone(&slow.session);
            tokio::spawn(async move { session.pass().await.unwrap().token })
        })
        .collect();
    slow.answers.send_modify(|open| *open += 1);
    for one in waiting {
        assert!(!one.await.unwrap().is(&token));
    }
    assert_eq!(slow.asked(), 2);
}
