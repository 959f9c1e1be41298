//! The `aws` kind against moto, which answers as AWS does.

#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_policy::Policy;
use wharf_stores::{ResolveError, Stores, Trouble};
use wharf_test_servers::Moto;

/// AWS's own chain finds credentials in the environment, which a test cannot change for itself: so
/// it runs again as a child. `true` in the one that has started the child.
fn ran_with_credentials(test: &str) -> bool {
    ran_with(test, &[("AWS_REGION", "us-east-1".as_ref())])
}

/// The same, with these variables instead of a region.
fn ran_with(test: &str, variables: &[(&str, &Path)]) -> bool {
    if std::env::var_os("WHARF_TEST_AWS").is_some() {
        return false;
    }
    let done = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env("WHARF_TEST_AWS", "1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_REGION")
        .env_remove("AWS_DEFAULT_REGION")
        .env_remove("AWS_PROFILE")
        .envs(variables.iter().copied())
        .status()
        .unwrap();
    assert!(done.success());
    true
}

async fn get(url: &str, secrets: &[&str]) -> Vec<Result<String, ResolveError>> {
    let (stores, policy) = open(url, secrets);
    values(&stores, &policy).await
}

fn open(url: &str, secrets: &[&str]) -> (Stores, Policy) {
    let mut text = format!("[store.aws]\nkind = 'aws'\nendpoint = '{url}'\ntimeout = '5s'\n");
    for (number, from) in secrets.iter().enumerate() {
        text += &format!("[[secret]]\nname = 's{number}'\nfrom = '{from}'\n");
    }
    let policy = Policy::from_toml(&text).unwrap();
    let stores = Stores::open(&policy, ".".as_ref(), None).unwrap();
    (stores, policy)
}

async fn values(stores: &Stores, policy: &Policy) -> Vec<Result<String, ResolveError>> {
    let resolution = stores.resolve(&policy.secrets).await;
    let values = resolution.values.values();
    values
        .map(|value| {
            let value = value.as_ref().map_err(Clone::clone)?;
            Ok(String::from_utf8(value.expose().to_vec()).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn strings_bytes_fields_and_versions_are_read_and_what_is_not_there_is_absent() {
    if ran_with_credentials(
        "strings_bytes_fields_and_versions_are_read_and_what_is_not_there_is_absent",
    ) {
        return;
    }
    let Some(moto) = Moto::start().await else {
        return;
    };
    let created = moto
        .secrets_manager(
            "CreateSecret",
            json!({
                "Name": "prod/app", "SecretString": r#"{"token": "first-token"}"#,
                "ClientRequestToken": "00000000-0000-4000-8000-000000000001",
            }),
        )
        .await;
    let first = created["VersionId"].as_str().unwrap().to_owned();
    moto.secrets_manager(
        "PutSecretValue",
        json!({
            "SecretId": "prod/app", "SecretString": r#"{"token": "second-token"}"#,
            "ClientRequestToken": "00000000-0000-4000-8000-000000000002",
        }),
    )
    .await;
    let bytes = STANDARD.encode("binary-token");
    moto.secrets_manager(
        "CreateSecret",
        json!({ "Name": "bytes", "SecretBinary": bytes }),
    )
    .await;
    let by_id = format!("aws:prod/app?version={first}#token");
    let got = get(
        moto.url(),
        &[
            "aws:prod/app#token",
            "aws:prod/app?version=AWSPREVIOUS#token",
            &by_id,
            "aws:bytes",
            "aws:prod/app#none",
            "aws:none",
        ],
    )
    .await;
    let value = |number: usize| got[number].as_ref().unwrap().as_str();
    assert_eq!(value(0), "second-token");
    assert_eq!(value(1), "first-token");
    assert_eq!(value(2), "first-token");
    assert_eq!(value(3), "binary-token");
    for error in [&got[4], &got[5]].map(|one| one.as_ref().unwrap_err()) {
        assert_eq!(error.trouble(), Trouble::Absent, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_outages_are_told_apart_and_repeat_nothing() {
    if ran_with_credentials("refusals_and_outages_are_told_apart_and_repeat_nothing") {
        return;
    }
    for (status, kind, trouble) in [
        (400, "AccessDeniedException", Trouble::Denied),
        (400, "UnrecognizedClientException", Trouble::Denied),
        (400, "ResourceNotFoundException", Trouble::Absent),
        (400, "SomethingElse", Trouble::Unusable),
        (400, "ExpiredTokenException", Trouble::Denied),
        (400, "ThrottlingException", Trouble::Outage),
        (400, "Throttling", Trouble::Outage),
        (400, "RequestLimitExceeded", Trouble::Outage),
        (400, "TooManyRequestsException", Trouble::Outage),
        (400, "SlowDown", Trouble::Outage),
        (408, "", Trouble::Outage),
        (429, "", Trouble::Outage),
        // No JSON at all.
        (200, "", Trouble::Unusable),
        (500, "InternalServiceError", Trouble::Outage),
        (503, "", Trouble::Outage),
    ] {
        let body = match status {
            200 => "hunter2hunter2".to_owned(),
            _ => json!({ "__type": kind, "message": "hunter2hunter2" }).to_string(),
        };
        let status = StatusCode::from_u16(status).unwrap();
        let app = Router::new().fallback(move || async move { (status, body.clone()) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let error = get(&url, &["aws:app"]).await.remove(0).unwrap_err();
        assert_eq!(error.trouble(), trouble, "{kind}: {error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("`aws`") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let error = get(&url, &["aws:app"]).await.remove(0).unwrap_err();
    assert_eq!(error.trouble(), Trouble::Outage, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_aws_is_not_followed() {
    if ran_with_credentials("a_redirect_of_aws_is_not_followed") {
        return;
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let app = Router::new().fallback(move || async move {
        counted.fetch_add(1, Ordering::SeqCst);
        r#"{"SecretString": "the-token"}"#
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    // What would be believed, if it were asked.
    assert_eq!(get(&to, &["aws:app"]).await.remove(0).unwrap(), "the-token");
    for status in [301, 302, 307, 308] {
        let (status, to) = (StatusCode::from_u16(status).unwrap(), to.clone());
        let app = Router::new().fallback(move || async move { (status, [("location", to)]) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        get(&url, &["aws:app"]).await.remove(0).unwrap_err();
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_credentials_is_not_let_in_and_needs_no_second_try() {
    let none: &[_] = &[
        ("AWS_ACCESS_KEY_ID", "".as_ref()),
        ("AWS_SECRET_ACCESS_KEY", "".as_ref()),
        ("AWS_CONFIG_FILE", "/dev/null".as_ref()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".as_ref()),
        ("AWS_REGION", "us-east-1".as_ref()),
    ];
    if ran_with(
        "a_machine_without_credentials_is_not_let_in_and_needs_no_second_try",
        none,
    ) {
        return;
    }
    let error = get("http://127.0.0.1:9", &["aws:app"])
        .await
        .remove(0)
        .unwrap_err();
    assert_eq!(error.trouble(), Trouble::Denied, "{error}");
    assert!(error.to_string().contains("no credentials"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_an_outage() {
    if ran_with_credentials("an_answer_that_breaks_off_is_an_outage") {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The whole question, or what is left of it would make the end a reset.
            let mut question = Vec::new();
            while !question.ends_with(b"}") {
                stream.read_buf(&mut question).await.unwrap();
            }
            let begun = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";
            stream.write_all(begun).await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let error = get(&url, &["aws:app"]).await.remove(0).unwrap_err();
    assert_eq!(error.trouble(), Trouble::Outage, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_cut_off() {
    if ran_with_credentials("an_answer_without_an_end_is_cut_off") {
        return;
    }
    let chunk = Bytes::from(vec![b'x'; 16 << 10]);
    let endless = move || {
        let chunk = chunk.clone();
        let chunks = stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        async move { Body::from_stream(chunks) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(endless);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let error = get(&url, &["aws:app"]).await.remove(0).unwrap_err();
    assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
    assert!(error.to_string().contains("larger than"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_not_known_is_an_outage_until_it_is() {
    const CONFIG: &str = "AWS_CONFIG_FILE";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    if ran_with(
        "a_region_that_is_not_known_is_an_outage_until_it_is",
        &[(CONFIG, &file), ("AWS_SHARED_CREDENTIALS_FILE", &file)],
    ) {
        return;
    }
    let app = Router::new().fallback(|| async { r#"{"SecretString": "first-token"}"# });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });

    let (stores, policy) = open(&url, &["aws:app"]);
    let error = values(&stores, &policy).await.remove(0).unwrap_err();
    assert_eq!(error.trouble(), Trouble::Outage, "{error}");
    assert!(error.to_string().contains("region"), "{error}");
    let file = std::env::var_os(CONFIG).unwrap();
    std::fs::write(file, "[default]\nregion = us-east-1\n").unwrap();
    // As long as an outage is believed, at least.
    for _ in 0..600 {
        match values(&stores, &policy).await.remove(0) {
            Ok(value) => return assert_eq!(value, "first-token"),
            Err(error) => assert_eq!(error.trouble(), Trouble::Outage, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("after a minute the region is still not known");
}
