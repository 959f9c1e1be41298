//! Who the runner is to Google: what comes of odd answers of a metadata server, of tokens that are not
//! taken any more, and of keys that are exchanged.

use std::collections::VecDeque;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use wharf_policy::Policy;
use wharf_stores::{ResolveError, Stores, Trouble};

/// What Secret Manager takes.
#[derive(Clone)]
enum Taken {
    Token(&'static str),
    /// What this key has signed.
    Signed(Vec<u8>),
}

impl Taken {
    fn takes(&self, token: &str) -> bool {
        match self {
            Self::Token(taken) => token == *taken,
            Self::Signed(key) => {
                let (signed, signature) = token.rsplit_once('.').unwrap();
                let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
                let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
                key.verify(signed.as_bytes(), &signature).is_ok()
            }
        }
    }
}

/// What the metadata server answers; nothing, as long as one waits, for `None`.
type Answer = Option<(u16, String)>;

struct State {
    taken: Taken,
    /// One after the other, and the last for ever.
    metadata: VecDeque<Answer>,
    metadata_asked: usize,
    tokens: Vec<String>,
}

/// The metadata server and Secret Manager, whose only secret is the token that it was asked with.
struct World {
    state: Arc<Mutex<State>>,
    url: String,
    folder: tempfile::TempDir,
}

fn token(token: &str) -> Answer {
    let token = json!({ "access_token": token, "expires_in": 3600, "token_type": "Bearer" });
    Some((200, token.to_string()))
}

impl World {
    async fn start(taken: Taken, answers: impl IntoIterator<Item = Answer>) -> Self {
        let state = Arc::new(Mutex::new(State {
            taken,
            metadata: answers.into_iter().collect(),
            metadata_asked: 0,
            tokens: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let app = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
            let state = Arc::clone(&shared);
            async move {
                match uri.path().starts_with("/computeMetadata/") {
                    true => metadata(&state, &headers).await,
                    false => secret(&mut state.lock().unwrap(), &headers),
                }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            state,
            url,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Stores over it, and their only secret.
    fn open(&self, identity: &str) -> (Stores, Policy) {
        let url = &self.url;
        let policy = Policy::from_toml(&format!(
            "[store.gcp]\nkind = 'gcp'\nproject = 'acme'\nendpoint = '{url}'\n{identity}\n\
             cache = '20ms'\ntimeout = '2s'\n[[secret]]\nname = 's'\nfrom = 'gcp:app'\n"
        ));
        let policy = policy.unwrap();
        let stores = Stores::open(&policy, self.folder.path(), None).unwrap();
        (stores, policy)
    }

    fn on_the_machine(&self) -> (Stores, Policy) {
        self.open(&format!("metadata = '{}'", self.url))
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().metadata_asked
    }
}

async fn metadata(state: &Mutex<State>, headers: &HeaderMap) -> Response {
    assert_eq!(headers["metadata-flavor"], "Google");
    let answer = {
        let mut state = state.lock().unwrap();
        state.metadata_asked += 1;
        match state.metadata.len() {
            1 => state.metadata[0].clone(),
            _ => state.metadata.pop_front().unwrap(),
        }
    };
    let Some((status, body)) = answer else {
        return std::future::pending().await;
    };
    // Whoever follows a redirect is given what comes next.
    let location = [("location", "/computeMetadata/elsewhere")];
    (StatusCode::from_u16(status).unwrap(), location, body).into_response()
}

fn secret(state: &mut State, headers: &HeaderMap) -> Response {
    let token = headers["authorization"].to_str().unwrap();
    let token = token.strip_prefix("Bearer ").unwrap().to_owned();
    state.tokens.push(token.clone());
    match state.taken.takes(&token) {
        false => StatusCode::UNAUTHORIZED.into_response(),
        true => json!({ "payload": { "data": STANDARD.encode(token) } })
            .to_string()
            .into_response(),
    }
}

async fn get((stores, policy): &(Stores, Policy)) -> Result<String, ResolveError> {
    let mut resolution = stores.resolve(&policy.secrets).await;
    let value = resolution.values.pop_first().unwrap().1?;
    Ok(String::from_utf8(value.expose().to_vec()).unwrap())
}

/// Asks again until there is such a value; gives up, loudly, after a minute. What comes before it has
/// to be like this.
async fn until(
    asked: &(Stores, Policy),
    wanted: impl Fn(&str) -> bool,
    before: impl Fn(&Result<String, ResolveError>) -> bool,
) {
    for _ in 0..3000 {
        match get(asked).await {
            Ok(value) if wanted(&value) => return,
            other => assert!(before(&other), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("after a minute it is still not so");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_of_the_metadata_server_is_for_ever() {
    let some = |status, body: &str| Some((status, body.to_owned()));
    for (bad, trouble) in [
        (some(404, ""), Trouble::Denied),
        (some(403, ""), Trouble::Unusable),
        (some(200, "<html>hunter2hunter2</html>"), Trouble::Unusable),
        (some(200, "[]"), Trouble::Unusable),
        (some(200, r#"{"access_token": "a\nb"}"#), Trouble::Denied),
        (some(200, &"x".repeat(2 << 20)), Trouble::Unusable),
        (some(302, ""), Trouble::Unusable),
        (some(503, ""), Trouble::Outage),
        (None, Trouble::Outage),
    ] {
        let shown = format!("{bad:.60?}");
        let world = World::start(Taken::Token("good"), [bad, token("good")]).await;
        let asked = world.on_the_machine();
        let error = get(&asked).await.unwrap_err();
        assert_eq!(error.trouble(), trouble, "{shown}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        until(&asked, |value| value == "good", Result::is_err).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_taken_any_more_is_replaced_and_no_run_notices() {
    for expires in [
        "",
        r#", "expires_in": 3600"#,
        r#", "expires_in": 18446744073709551615"#,
    ] {
        let first = Some((200, format!(r#"{{"access_token": "first"{expires}}}"#)));
        let world = World::start(Taken::Token("first"), [first, token("second")]).await;
        let asked = world.on_the_machine();
        assert_eq!(get(&asked).await.unwrap(), "first");
        world.state.lock().unwrap().taken = Taken::Token("second");
        until(&asked, |value| value == "second", Result::is_ok).await;
        assert_eq!(world.asked(), 2, "{expires}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_never_taken_is_a_refusal_and_sent_once() {
    let world = World::start(Taken::Token("other"), [token("good")]).await;
    let asked = world.on_the_machine();
    let error = get(&asked).await.unwrap_err();
    assert_eq!(error.trouble(), Trouble::Denied, "{error}");
    assert_eq!(
        (world.asked(), world.tokens()),
        (2, vec!["good".to_owned()])
    );
}

impl World {
    fn tokens(&self) -> Vec<String> {
        self.state.lock().unwrap().tokens.clone()
    }

    /// A new key of the service account, where the policy has it. What can be believed with it.
    fn exchange_key(&self, number: &str) -> Taken {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der.as_ref())
        );
        let key = json!({
            "type": "service_account", "project_id": "acme", "private_key_id": number,
            "private_key": pem, "client_email": "wharf@acme.test",
        });
        let path = self.folder.path().join("key.json");
        std::fs::write(&path, key.to_string()).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        Taken::Signed(public.as_ref().to_vec())
    }
}

/// A part of a token.
fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_signs_tokens_as_google_documents_them() {
    let world = World::start(Taken::Token(""), [None]).await;
    let key = world.exchange_key("key-1");
    world.state.lock().unwrap().taken = key;
    let token = get(&world.open("key = 'file:key.json'")).await.unwrap();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" });
    assert_eq!(part(&token, 0), header);
    let mut claims = part(&token, 1);
    let mut time = |name: &str| claims.as_object_mut().unwrap().remove(name).unwrap();
    let (issued, ends) = (time("iat").as_i64().unwrap(), time("exp").as_i64().unwrap());
    let now = jiff::Timestamp::now().as_second();
    assert!(issued <= now && now < ends && ends - issued <= 3600);
    let who = json!({
        "iss": "wharf@acme.test", "sub": "wharf@acme.test",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
    });
    assert_eq!(claims, who);
    assert_eq!(world.asked(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_exchanged_is_used_at_the_next_question() {
    let world = World::start(Taken::Token(""), [None]).await;
    let first = world.exchange_key("key-1");
    world.state.lock().unwrap().taken = first;
    let asked = world.open("key = 'file:key.json'");
    assert_eq!(part(&get(&asked).await.unwrap(), 0)["kid"], "key-1");
    let second = world.exchange_key("key-2");
    world.state.lock().unwrap().taken = second;
    let is_second = |token: &str| part(token, 0)["kid"] == "key-2";
    until(&asked, is_second, Result::is_ok).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused_and_not_quoted() {
    let world = World::start(Taken::Token(""), [None]).await;
    let path = world.folder.path().join("key.json");
    let pem = "-----BEGIN PRIVATE KEY-----\\naHVudGVyMmh1bnRlcjI=\\n-----END PRIVATE KEY-----\\n";
    for key in [
        "hunter2hunter2".to_owned(),
        r#"{"private_key": "hunter2hunter2"}"#.to_owned(),
        r#"{"client_email": "a", "private_key_id": "1", "private_key": "hunter2hunter2"}"#
            .to_owned(),
        format!(r#"{{"client_email": "a", "private_key_id": "1", "private_key": "{pem}"}}"#),
    ] {
        std::fs::write(&path, &key).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let asked = world.open("key = 'file:key.json'");
        let error = get(&asked).await.unwrap_err();
        assert_eq!(error.trouble(), Trouble::Denied, "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
