//! Who learns credentials, and who does not.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::Arc;
use wharf_bundle::registry::{Access, Options, Pulled, Pushed, RegistryError, Silent, Verdict};

use super::fake::{Ask, Fake, elsewhere};
use super::{client, signed};

const PASSWORD: &str = "cardinal-sparrow";

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("me:{PASSWORD}")))
}

fn asks_for(challenge: &str) -> Response {
    let header = [("www-authenticate", challenge.to_owned())];
    (StatusCode::UNAUTHORIZED, header).into_response()
}

/// A folder with the credentials of a registry, as `docker login` leaves it.
fn login(registry: &str) -> (tempfile::TempDir, Options) {
    let folder = tempfile::tempdir().unwrap();
    let auth = STANDARD.encode(format!("me:{PASSWORD}"));
    let config = json!({ "auths": { registry: { "auth": auth } } });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let options = Options {
        ca_file: None,
        docker_config: Some(folder.path().to_owned()),
    };
    (folder, options)
}

async fn push_to(fake: &Fake, options: &Options) -> Result<Pushed, RegistryError> {
    client(&fake.reference(":1.0"), Access::Push, options)
        .push(&signed(), Arc::new(Silent))
        .await
}

async fn pull_from(fake: &Fake, options: &Options) -> Result<Pulled, RegistryError> {
    client(&fake.reference(":1.0"), Access::Pull, options)
        .pull(None, &Silent)
        .await
}

fn registry(fake: &Fake) -> String {
    format!("127.0.0.1:{}", fake.port)
}

#[tokio::test]
async fn a_password_is_sent_when_it_is_asked_for_and_not_before() {
    let fake = Fake::twisted(|ask, _| {
        (ask.authorization.as_deref() != Some(basic().as_str()))
            .then(|| asks_for("Basic realm=\"here\""))
    })
    .await;
    let (_folder, options) = login(&registry(&fake));
    push_to(&fake, &options).await.unwrap();
    pull_from(&fake, &options).await.unwrap();
    let asked = fake.asked();
    assert_eq!(asked[0].authorization, None);
    assert_eq!(asked[1].authorization, Some(basic()));
}

#[tokio::test]
async fn a_registry_that_asks_for_nothing_learns_nothing() {
    let fake = Fake::honest().await;
    let (_folder, options) = login(&registry(&fake));
    push_to(&fake, &options).await.unwrap();
    pull_from(&fake, &options).await.unwrap();
    assert!(fake.asked().iter().all(|ask| ask.authorization.is_none()));
}

#[tokio::test]
async fn without_credentials_or_with_wrong_ones_it_is_refused_and_not_asked_again_and_again() {
    let fake = Fake::twisted(|_, _| Some(asks_for("Basic realm=\"here\""))).await;
    let none = Options::default();
    let error = pull_from(&fake, &none).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Refused);
    assert!(error.to_string().contains("docker login"), "{error}");
    assert_eq!(fake.asked().len(), 1);
    let (_folder, options) = login(&registry(&fake));
    let error = pull_from(&fake, &options).await.unwrap_err();
    assert!(error.to_string().contains("does not accept"), "{error}");
    assert!(!error.to_string().contains(PASSWORD), "{error}");
    assert_eq!(fake.asked().len(), 3);
}

#[tokio::test]
async fn the_credentials_of_another_registry_are_not_used() {
    let fake = Fake::twisted(|ask, _| {
        ask.authorization
            .is_none()
            .then(|| asks_for("Basic realm=\"here\""))
    })
    .await;
    let (_folder, options) = login("127.0.0.1:1");
    let error = pull_from(&fake, &options).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotAllowed { .. }), "{error}");
    assert!(fake.asked().iter().all(|ask| ask.authorization.is_none()));
}

/// A registry that wants the token of a service, which `service` says where it is.
async fn with_tokens(service: impl Fn() -> String + Send + Sync + 'static) -> Fake {
    Fake::twisted(move |ask: &Ask, _| {
        if ask.path.starts_with("/token") {
            return Some(json!({ "token": "a-token" }).to_string().into_response());
        }
        let bearer = ask.authorization.as_deref() == Some("Bearer a-token");
        (!bearer).then(|| asks_for(&format!("Bearer realm=\"{}\",service=\"me\"", service())))
    })
    .await
}

#[tokio::test]
async fn a_token_is_fetched_with_the_password_and_only_the_token_goes_on() {
    let tokens = Fake::twisted(|_, _| {
        Some(
            json!({ "access_token": "a-token" })
                .to_string()
                .into_response(),
        )
    })
    .await;
    let port = tokens.port;
    let fake = with_tokens(move || format!("http://127.0.0.1:{port}/token?x=1")).await;
    let (_folder, options) = login(&registry(&fake));
    push_to(&fake, &options).await.unwrap();
    let asked = tokens.asked();
    assert_eq!(asked.len(), 1, "one token serves a whole push");
    assert_eq!(asked[0].authorization, Some(basic()));
    assert_eq!(
        asked[0].path,
        "/token?x=1&scope=repository%3Aacme%2Fhttp%3Apull%2Cpush&service=me"
    );
    let mut seen: Vec<_> = fake
        .asked()
        .into_iter()
        .map(|ask| ask.authorization)
        .collect();
    seen.dedup();
    assert_eq!(seen, [None, Some("Bearer a-token".to_owned())]);
}

#[tokio::test]
async fn who_has_no_credentials_gets_a_token_without() {
    let tokens =
        Fake::twisted(|_, _| Some(json!({ "token": "a-token" }).to_string().into_response())).await;
    let port = tokens.port;
    let fake = with_tokens(move || format!("http://localhost:{port}/token")).await;
    push_to(&fake, &Options::default()).await.unwrap();
    assert_eq!(tokens.asked()[0].authorization, None);
}

#[tokio::test]
async fn a_token_service_on_another_host_learns_no_credentials() {
    let thief = Fake::honest().await;
    let port = thief.port;
    // The same machine under another name is another host.
    let fake = with_tokens(move || format!("http://localhost:{port}/token")).await;
    let (_folder, options) = login(&registry(&fake));
    let error = pull_from(&fake, &options).await.unwrap_err();
    assert!(matches!(error, RegistryError::Misleading { .. }), "{error}");
    assert!(thief.asked().is_empty());
}

#[tokio::test]
async fn a_token_service_that_is_not_https_is_asked_nothing() {
    for realm in ["http://example.com/token", "ftp://127.0.0.1/", "nowhere"] {
        let fake = with_tokens(move || realm.to_owned()).await;
        let error = pull_from(&fake, &Options::default()).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Misleading { .. }),
            "{realm}: {error}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_no_token_is_not_used() {
    for answer in [
        "",
        "{}",
        "{\"token\":\"\"}",
        "{\"token\":\"a\\r\\nb: c\"}",
        "[]",
    ] {
        let tokens = Fake::twisted(move |_, _| Some(answer.into_response())).await;
        let port = tokens.port;
        let fake = with_tokens(move || format!("http://127.0.0.1:{port}/token")).await;
        let error = pull_from(&fake, &Options::default()).await.unwrap_err();
        assert!(
            error.to_string().contains("not a token"),
            "{answer}: {error}"
        );
    }
}

#[tokio::test]
async fn where_a_blob_is_redirected_to_there_goes_no_credential() {
    let storage = Fake::honest().await;
    let published = signed();
    super::push(&storage.reference(":1.0"), &published)
        .await
        .unwrap();
    let port = storage.port;
    let fake = Fake::twisted(move |ask, store| {
        if ask.authorization.as_deref() != Some(basic().as_str()) {
            return Some(asks_for("Basic realm=\"here\""));
        }
        let pulling = ask.is(Method::GET, "/blobs/") && store.manifests.contains_key("1.0");
        pulling.then(|| {
            let to = format!("http://localhost:{port}{}", ask.path);
            elsewhere(StatusCode::TEMPORARY_REDIRECT, &to)
        })
    })
    .await;
    let (_folder, options) = login(&registry(&fake));
    client(&fake.reference(":1.0"), Access::Push, &options)
        .push(&published, Arc::new(Silent))
        .await
        .unwrap();
    let before = storage.asked().len();
    let pulled = pull_from(&fake, &options).await.unwrap();
    assert_eq!(pulled.published.component(), published.component());
    let asked = storage.asked().split_off(before);
    assert!(!asked.is_empty());
    assert!(
        asked.iter().all(|ask| ask.authorization.is_none()),
        "{asked:?}"
    );
}

#[tokio::test]
async fn who_asks_for_credentials_after_a_redirect_gets_none() {
    let thief = Fake::twisted(|_, _| Some(asks_for("Basic realm=\"give\""))).await;
    let port = thief.port;
    let fake = Fake::twisted(move |ask, store| {
        let pulling = ask.is(Method::GET, "/blobs/") && store.manifests.contains_key("1.0");
        pulling.then(|| {
            elsewhere(
                StatusCode::TEMPORARY_REDIRECT,
                &format!("http://127.0.0.1:{port}/x"),
            )
        })
    })
    .await;
    let (_folder, options) = login(&registry(&fake));
    push_to(&fake, &options).await.unwrap();
    let error = pull_from(&fake, &options).await.unwrap_err();
    assert!(matches!(error, RegistryError::NotAllowed { .. }), "{error}");
    assert_eq!(thief.asked().len(), 1);
    assert_eq!(thief.asked()[0].authorization, None);
}

#[tokio::test]
async fn credentials_that_cannot_be_read_are_not_taken_for_none() {
    let fake = Fake::twisted(|_, _| Some(asks_for("Basic realm=\"here\""))).await;
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        ca_file: None,
        docker_config: Some(folder.path().to_owned()),
    };
    for config in [
        "not JSON",
        "{\"credsStore\":\"no-such-helper-anywhere\"}",
        "{\"credsStore\":\"../x\"}",
    ] {
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let error = pull_from(&fake, &options).await.unwrap_err();
        assert!(
            matches!(error, RegistryError::Credentials(_)),
            "{config}: {error}"
        );
    }
    let file = folder.path().join("config.json");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", file).unwrap();
    let error = pull_from(&fake, &options).await.unwrap_err();
    assert!(matches!(error, RegistryError::Credentials(_)), "{error}");
    assert!(error.to_string().contains("more than"), "{error}");
}
