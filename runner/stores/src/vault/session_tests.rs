use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
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
    /// The tokens that were given up.
    revoked: Arc<Mutex<Vec<String>>>,
    session: Arc<Session>,
    _folder: TempDir,
}

/// What it gives: for how many seconds, and whether that can be renewed.
struct Gives {
    seconds: u64,
    renewable: bool,
}

impl Slow {
    async fn start(renewable: bool) -> Self {
        let seconds = 3600;
        Self::giving(Gives { seconds, renewable }).await
    }

    async fn giving(gives: Gives) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let answers = watch::Sender::new(1);
        let revoked = Arc::<Mutex<Vec<String>>>::default();
        let (count, gate, gone) = (Arc::clone(&asked), answers.clone(), Arc::clone(&revoked));
        let ends = Instant::now() + Duration::from_secs(gives.seconds);
        let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            let revokes = uri.path().ends_with("/revoke-self");
            if revokes {
                let token = headers["x-vault-token"].to_str().unwrap().to_owned();
                gone.lock().unwrap().push(token);
            }
            let number = match revokes {
                true => 0,
                false => count.fetch_add(1, Ordering::SeqCst) + 1,
            };
            let mut gate = gate.subscribe();
            // The first one's longest life is what it was given.
            let (token, seconds) = match uri.path().ends_with("/renew-self") {
                true => ("token-1".to_owned(), (ends - Instant::now()).as_secs() + 1),
                false => (format!("token-{number}"), gives.seconds),
            };
            async move {
                gate.wait_for(|open| *open >= number).await.unwrap();
                let auth = json!({
                    "client_token": token, "lease_duration": seconds, "renewable": gives.renewable,
                });
                json!({ "auth": auth }).to_string()
            }
        });
        let (session, folder) = session(app).await;
        Self {
            asked,
            answers,
            revoked,
            session,
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

/// A session with such a server.
async fn session(app: Router) -> (Arc<Session>, TempDir) {
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
    (Arc::new(session), folder)
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

#[tokio::test]
async fn a_token_that_is_about_to_end_is_replaced_though_nothing_is_asked() {
    for renewable in [true, false] {
        let seconds = 3;
        let slow = Slow::giving(Gives { seconds, renewable }).await;
        let token = slow.token().await;
        slow.answers.send_replace(usize::MAX);
        let other = async {
            while slow
                .session
                .good()
                .is_none_or(|now| now.pass.token.is(&token))
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let other = tokio::time::timeout(Duration::from_secs(60), other).await;
        other.expect("it is not replaced");
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_tried_again_by_everyone_who_needs_one() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let app = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(StatusCode::BAD_REQUEST)
    });
    let (session, folder) = session(app).await;
    for _ in 0..50 {
        let error = session.pass().await.err().unwrap();
        assert_eq!(error.trouble(), Trouble::Denied, "{error}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    // What is wrong with the file is seen at once, and so is that it was mended.
    session.standing().failed = None;
    let file = folder.path().join("jwt");
    std::fs::remove_file(&file).unwrap();
    let error = session.pass().await.err().unwrap();
    assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
    std::fs::write(file, "who-i-am").unwrap();
    let error = session.pass().await.err().unwrap();
    assert_eq!(error.trouble(), Trouble::Denied, "{error}");
}

#[tokio::test]
async fn a_token_that_was_replaced_before_its_time_is_given_up_at_the_end_and_not_before() {
    let slow = Slow::start(false).await;
    slow.token().await;
    slow.age(false);
    slow.token().await;
    slow.answer().await;
    assert!(slow.revoked.lock().unwrap().is_empty());
    slow.session.end().await;
    assert_eq!(*slow.revoked.lock().unwrap(), ["token-2", "token-1"]);
}
