//! The `kubernetes` kind. A cluster is not to be had for a test, so a small fake answers the real
//! client.

#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used)]

use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wharf_policy::Policy;
use wharf_stores::{ResolveError, Stores, Trouble};

async fn answer(uri: Uri, headers: HeaderMap) -> impl IntoResponse {
    let status = |code: u16| {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": "hunter2hunter2", "reason": "Test", "code": code,
        });
        (StatusCode::from_u16(code).unwrap(), body.to_string())
    };
    if headers
        .get("authorization")
        .is_none_or(|value| value != "Bearer of-the-runner")
    {
        return status(401);
    }
    match uri.path() {
        "/api/v1/namespaces/prod/secrets/app" => {
            let body = json!({
                "kind": "Secret", "apiVersion": "v1",
                "metadata": { "name": "app", "namespace": "prod" },
                "data": { "token": STANDARD.encode("hunter2hunter2") },
            });
            (StatusCode::OK, body.to_string())
        }
        "/api/v1/namespaces/prod/secrets/closed" => status(403),
        "/api/v1/namespaces/prod/secrets/down" => status(503),
        _ => status(404),
    }
}

async fn get(token: &str, from: &str) -> Result<String, ResolveError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": server } }],
        "users": [{ "name": "runner", "user": { "token": token } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "runner" } }],
    });
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let text = format!(
        "[store.cluster]\nkind = 'kubernetes'\nkubeconfig = 'kubeconfig'\n\
         [[secret]]\nname = 's'\nfrom = '{from}'\n"
    );
    let policy = Policy::from_toml(&text).unwrap();
    let stores = Stores::open(&policy, folder.path(), None).unwrap();
    let mut resolution = stores.resolve(&policy.secrets).await;
    let (_, value) = resolution.values.pop_first().unwrap();
    value.map(|value| String::from_utf8(value.expose().to_vec()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_secret_is_read() {
    let got = get("of-the-runner", "cluster:prod/app#token").await;
    assert_eq!(got.unwrap(), "hunter2hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_outages_are_told_apart_and_repeat_nothing() {
    for (token, from, trouble) in [
        ("of-the-runner", "cluster:prod/none#token", Trouble::Absent),
        ("of-the-runner", "cluster:prod/app#none", Trouble::Absent),
        (
            "of-the-runner",
            "cluster:prod/closed#token",
            Trouble::Denied,
        ),
        ("of-the-runner", "cluster:prod/down#token", Trouble::Outage),
        ("of-another", "cluster:prod/app#token", Trouble::Denied),
    ] {
        let error = get(token, from).await.unwrap_err();
        assert_eq!(error.trouble(), trouble, "{from}: {error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("`cluster`") && !text.contains("hunter2"),
            "{text}"
        );
    }
}
