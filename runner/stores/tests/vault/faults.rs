//! Servers that are down, slow, hostile, or not who they should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use futures_util::stream;
use wharf_policy::Policy;
use wharf_stores::{Stores, Trouble};
use wharf_test_servers::free_port;

use crate::support::{policy, values};

const TABLE: &str = "login = { token = 'file:token' }\nmounts = { kv = 'kv-v1' }\ntimeout = '60s'";
/// What the server would have, and what must be in no message.
const SECRETS: [&str; 2] = ["the-token-of-the-runner", "hunter2hunter2"];

struct Fake {
    url: String,
    asked: Arc<AtomicUsize>,
}

/// A server that lets everyone in and answers every read like this.
async fn answering<R>(answer: impl Fn(&HeaderMap) -> R + Clone + Send + Sync + 'static) -> Fake
where
    R: IntoResponse,
{
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        let (answer, counted) = (answer.clone(), Arc::clone(&counted));
        async move {
            if uri.path().ends_with("/lookup-self") {
                return r#"{"data": {"ttl": 0}}"#.into_response();
            }
            counted.fetch_add(1, Ordering::SeqCst);
            answer(&headers).into_response()
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Fake { url, asked }
}

/// What comes of asking this server for a secret.
async fn asking(url: &str) -> Result<String, (Trouble, String)> {
    asking_with(url, TABLE).await
}

/// The same of a store with this in its table.
async fn asking_with(url: &str, table: &str) -> Result<String, (Trouble, String)> {
    let folder = tempfile::tempdir().unwrap();
    let policy = policy(url, table, &["vault:kv/app#token"]);
    let stores = stores_with(&policy, folder.path());
    let resolution = stores.resolve(&policy.secrets).await;
    values(&resolution).remove(0).map_err(|error| {
        let text = format!("{error} {error:?}");
        for secret in SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("`vault`") && text.contains("`s0`"), "{text}");
        (error.trouble(), text)
    })
}

/// Puts the runner's token where the tables look for it.
fn token(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let file = folder.join("token");
    std::fs::write(&file, SECRETS[0]).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn stores(url: &str, folder: &std::path::Path) -> Stores {
    stores_with(&policy(url, TABLE, &["vault:kv/app#token"]), folder)
}

fn stores_with(policy: &Policy, folder: &std::path::Path) -> Stores {
    token(folder);
    Stores::open(policy, folder, None).unwrap()
}

const GOOD: &str = r#"{"data": {"token": "hunter2hunter2"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_good_answer_is_taken() {
    let fake = answering(|_| GOOD).await;
    assert_eq!(asking(&fake.url).await.unwrap(), SECRETS[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_sealed_or_busy_is_an_outage_that_names_the_store() {
    let url = format!("http://127.0.0.1:{}", free_port());
    assert_eq!(asking(&url).await.unwrap_err().0, Trouble::Outage);
    for status in [429, 500, 502, 503, 472, 473, 412] {
        let status = StatusCode::from_u16(status).unwrap();
        // With what it must not be quoted with.
        let fake = answering(move |_| (status, GOOD)).await;
        assert_eq!(
            asking(&fake.url).await.unwrap_err().0,
            Trouble::Outage,
            "{status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_has_to_catch_up_is_asked_once_more() {
    let asked = Arc::new(AtomicUsize::new(0));
    let fake = answering(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => (StatusCode::PRECONDITION_FAILED, ""),
        _ => (StatusCode::OK, GOOD),
    })
    .await;
    assert_eq!(asking(&fake.url).await.unwrap(), SECRETS[1]);
    assert_eq!(fake.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_answers_is_an_outage_when_its_time_is_over() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let brief = TABLE.replace("60s", "1s");
    let (trouble, text) = asking_with(&url, &brief).await.unwrap_err();
    assert_eq!(trouble, Trouble::Outage);
    assert!(text.contains("no answer in time"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_cut_off() {
    let fake = answering(|_| {
        let chunk = Bytes::from(vec![b'x'; 16 << 10]);
        let chunks = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        Body::from_stream(chunks)
    })
    .await;
    let (trouble, text) = asking(&fake.url).await.unwrap_err();
    assert_eq!(trouble, Trouble::Unusable);
    assert!(text.contains("larger than"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_takes_no_token_along() {
    let other = answering(|_| GOOD).await;
    let to = other.url.clone();
    for (status, expected) in [
        (301, Trouble::Unusable),
        (302, Trouble::Outage),
        // A standby whose active server has just died.
        (307, Trouble::Outage),
        (308, Trouble::Unusable),
    ] {
        let (status, to) = (StatusCode::from_u16(status).unwrap(), to.clone());
        let fake = answering(move |_| (status, [("location", format!("{to}/v1/kv/app"))])).await;
        let (trouble, text) = asking(&fake.url).await.unwrap_err();
        assert_eq!(trouble, expected, "{status}");
        assert!(text.contains("sends elsewhere"), "{text}");
    }
    assert_eq!(other.asked.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_too_large_or_nonsense_is_refused_without_quoting_it() {
    let bodies = [
        format!(
            r#"{{"data": {{"token": "{}"}}}}"#,
            "hunter2hunter2".repeat(100_000)
        ),
        r#"{"data": {"token": "hunter2hunter2""#.to_owned(),
        r#"["hunter2hunter2"]"#.to_owned(),
        r#"{"data": "hunter2hunter2"}"#.to_owned(),
        r#"{"data": {"token": "hunter2hunter2"}, "lease_id": 7}"#.to_owned(),
        String::new(),
    ];
    for body in bodies {
        let shown: String = body.chars().take(60).collect();
        let fake = answering(move |_| body.clone()).await;
        let (trouble, _) = asking(&fake.url).await.unwrap_err();
        assert_eq!(trouble, Trouble::Unusable, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_asked_once_however_many_executions_begin_at_the_same_time() {
    let fake = answering(|_| GOOD).await;
    let folder = tempfile::tempdir().unwrap();
    let stores = stores(&fake.url, folder.path());
    let policy = Arc::new(policy(&fake.url, TABLE, &["vault:kv/app#token"]));
    let runs: Vec<_> = (0..200)
        .map(|_| {
            let (stores, policy) = (stores.clone(), Arc::clone(&policy));
            tokio::spawn(async move { values(&stores.resolve(&policy.secrets).await).remove(0) })
        })
        .collect();
    for run in runs {
        assert_eq!(run.await.unwrap().unwrap(), SECRETS[1]);
    }
    assert_eq!(fake.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_taken_is_told_from_one_that_lacks_a_right() {
    // Nothing, and not even a look at itself; and one thing of two.
    for (may, expected) in [
        ("", ["its token is not taken"; 2]),
        ("/kv/app", ["", "the policies of its login"]),
    ] {
        let app = Router::new().fallback(move |uri: Uri| {
            std::future::ready(match !may.is_empty() && uri.path().ends_with(may) {
                true => Ok(GOOD),
                false => Err(StatusCode::FORBIDDEN),
            })
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let folder = tempfile::tempdir().unwrap();
        let stores = stores(&url, folder.path());
        // The second one is asked twice: what the first refusal did to the token counts, too.
        for (place, expected) in
            ["app", "other", "another"]
                .into_iter()
                .zip([expected[0], expected[1], expected[1]])
        {
            let policy = policy(&url, TABLE, &[&format!("vault:kv/{place}#token")]);
            let got = values(&stores.resolve(&policy.secrets).await).remove(0);
            let Err(error) = got else {
                assert_eq!(expected, "");
                continue;
            };
            assert_eq!(error.trouble(), Trouble::Denied, "{error}");
            let text = format!("{error} {error:?}");
            assert!(!expected.is_empty() && text.contains(expected), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_over_when_the_server_is_back() {
    let up = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_up = Arc::clone(&up);
    let fake = answering(move |_| match is_up.load(Ordering::SeqCst) {
        true => (StatusCode::OK, GOOD),
        false => (StatusCode::SERVICE_UNAVAILABLE, ""),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let stores = stores(&fake.url, folder.path());
    let policy = policy(&fake.url, TABLE, &["vault:kv/app#token"]);
    let error = values(&stores.resolve(&policy.secrets).await)
        .remove(0)
        .unwrap_err();
    assert_eq!(error.trouble(), Trouble::Outage);
    up.store(true, Ordering::SeqCst);
    crate::support::until("it answers again", async || {
        values(&stores.resolve(&policy.secrets).await)[0].is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_authorities_that_the_table_names_are_believed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.pem"), "nothing\n").unwrap();
    let table = format!("{TABLE}\nca = 'empty.pem'");
    let policy = policy("https://127.0.0.1:1", &table, &[]);
    let error = Stores::open(&policy, folder.path(), None).err().unwrap();
    assert!(error.to_string().contains("no PEM certificate"), "{error}");
}

/// A server that lends this to whoever asks, and counts what it is asked for and what is given back.
struct Lender {
    url: String,
    asked: Arc<AtomicUsize>,
    revoked: Arc<AtomicUsize>,
}

async fn lending(answer: String) -> Lender {
    let (asked, revoked) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counts = (Arc::clone(&asked), Arc::clone(&revoked));
    let app = Router::new().fallback(move |uri: Uri| {
        let (count, body) = match uri.path() {
            path if path.ends_with("/lookup-self") => (None, r#"{"data": {"ttl": 0}}"#.to_owned()),
            path if path.ends_with("/revoke") => (Some(&counts.1), "{}".to_owned()),
            _ => (Some(&counts.0), answer.clone()),
        };
        count.inspect(|count| {
            count.fetch_add(1, Ordering::SeqCst);
        });
        std::future::ready(body)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Lender {
        url,
        asked,
        revoked,
    }
}

/// Asks it for a secret, and gives everything back.
async fn borrowing(lender: &Lender) -> (Result<String, Trouble>, usize) {
    let folder = tempfile::tempdir().unwrap();
    token(folder.path());
    let table = "login = { token = 'file:token' }\nmounts = { db = 'other' }";
    let policy = policy(&lender.url, table, &["vault:db/creds/x#token"]);
    let stores = Stores::open(&policy, folder.path(), None).unwrap();
    let resolution = stores.resolve(&policy.secrets).await;
    let value = values(&resolution).remove(0);
    let leases = resolution.leases.len();
    drop(resolution);
    stores.finish(crate::support::LONG).await;
    (value.map_err(|error| error.trouble()), leases)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_with_a_name_that_is_too_long_to_keep_is_not_taken_for_something_static() {
    let answer = |length: usize| {
        let id = "x".repeat(length);
        format!(
            r#"{{"lease_id": "{id}", "lease_duration": 60, "data": {{"token": "hunter2hunter2"}}}}"#
        )
    };
    let lender = lending(answer(4096)).await;
    assert_eq!(borrowing(&lender).await, (Ok(SECRETS[1].to_owned()), 1));
    assert_eq!(lender.revoked.load(Ordering::SeqCst), 1);
    let lender = lending(answer(4097)).await;
    assert_eq!(borrowing(&lender).await, (Err(Trouble::Unusable), 0));
    assert_eq!(lender.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lent_is_given_back_also_where_it_cannot_be_read() {
    for (data, trouble) in [
        ("null", Trouble::Absent),
        (r#""hunter2hunter2""#, Trouble::Unusable),
        (r#"{"token": "\ud800"}"#, Trouble::Unusable),
    ] {
        let answer = format!(r#"{{"lease_id": "db/1", "lease_duration": 60, "data": {data}}}"#);
        let lender = lending(answer).await;
        assert_eq!(borrowing(&lender).await, (Err(trouble), 0), "{data}");
        assert_eq!(lender.revoked.load(Ordering::SeqCst), 1, "{data}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_is_refused_is_left_to_the_server_and_tried_again_until_it_takes_it() {
    // What is asked of it: in one go, or not.
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let app = Router::new().fallback(move |uri: Uri, body: String| {
        let answer = match uri.path() {
            path if path.ends_with("/lookup-self") => Ok(r#"{"data": {"ttl": 0}}"#),
            path if path.ends_with("/revoke") => {
                let mut seen = seen.lock().unwrap();
                seen.push(body.contains(r#""sync":true"#));
                match seen.len() {
                    ..4 => Err((StatusCode::BAD_REQUEST, "the database hunter2hunter2 is away")),
                    _ => Ok("{}"),
                }
            }
            _ => Ok(
                r#"{"lease_id": "db/1", "lease_duration": 60, "data": {"token": "hunter2hunter2"}}"#,
            ),
        };
        std::future::ready(answer)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let count = Arc::<AtomicUsize>::default;
    let lender = Lender {
        url,
        asked: count(),
        revoked: count(),
    };
    assert_eq!(borrowing(&lender).await, (Ok(SECRETS[1].to_owned()), 1));
    assert_eq!(*asked.lock().unwrap(), [true, false, true, false]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lent_for_a_time_that_is_none_is_used_and_given_back() {
    for time in ["-1", "60.0", "null"] {
        let answer = format!(
            r#"{{"lease_id": "db/1", "lease_duration": {time}, "data": {{"token": "hunter2hunter2"}}}}"#
        );
        let lender = lending(answer).await;
        let value = Ok(SECRETS[1].to_owned());
        assert_eq!(borrowing(&lender).await, (value, 1), "{time}");
        assert_eq!(lender.revoked.load(Ordering::SeqCst), 1, "{time}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_a_lease_for_longer_than_any_clock_goes_are_used_and_given_back() {
    let given_back = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given_back);
    let ever = u64::MAX;
    let app = Router::new().fallback(move |uri: Uri| {
        let (answer, back) = match uri.path() {
            path if path.ends_with("/lookup-self") => {
                (format!(r#"{{"data": {{"ttl": {ever}, "renewable": true}}}}"#), 0)
            }
            path if path.ends_with("/revoke") => ("{}".to_owned(), 1),
            _ => (
                format!(
                    r#"{{"lease_id": "db/1", "lease_duration": {ever}, "renewable": true, "data": {{"token": "hunter2hunter2"}}}}"#
                ),
                0,
            ),
        };
        count.fetch_add(back, Ordering::SeqCst);
        std::future::ready(answer)
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let folder = tempfile::tempdir().unwrap();
    token(folder.path());
    let table = "login = { token = 'file:token' }\nmounts = { db = 'other' }";
    let policy = policy(&url, table, &["vault:db/creds/x#token"]);
    let stores = Stores::open(&policy, folder.path(), None).unwrap();
    let resolution = stores.resolve(&policy.secrets).await;
    assert_eq!(values(&resolution).remove(0).unwrap(), SECRETS[1]);
    assert_eq!(resolution.leases.len(), 1);
    drop(resolution);
    stores.finish(crate::support::LONG).await;
    assert_eq!(given_back.load(Ordering::SeqCst), 1);
}
