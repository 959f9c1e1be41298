//! The `gcp` kind. There is no server of Google's to be had, so a small fake answers Google's own
//! client.

#![cfg(feature = "gcp")]
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use wharf_policy::Policy;
use wharf_stores::{ResolveError, Stores, Trouble};

/// What the metadata server gives.
const TOKEN: &str = "token-of-the-machine";

/// Secret Manager and the metadata server in one. Signed tokens are taken by their looks.
async fn answer(uri: Uri, headers: HeaderMap) -> impl IntoResponse {
    if uri.path().ends_with("/service-accounts/default/token") {
        let flavour = headers.get("metadata-flavor").is_some();
        let token = json!({ "access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer" });
        return match flavour {
            true => (StatusCode::OK, token.to_string()),
            false => (StatusCode::FORBIDDEN, String::new()),
        };
    }
    let authorization = headers
        .get("authorization")
        .map(|value| value.to_str().unwrap());
    let known = authorization
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|token| token == TOKEN || token.split('.').count() == 3);
    let error = |code: u16, status: &str| {
        let body = json!({
            "error": { "code": code, "status": status, "message": "hunter2hunter2" }
        });
        (StatusCode::from_u16(code).unwrap(), body.to_string())
    };
    if !known {
        return error(401, "UNAUTHENTICATED");
    }
    let value = match uri.path() {
        "/v1/projects/acme/secrets/app/versions/latest:access" => r#"{"token": "second-token"}"#,
        "/v1/projects/acme/secrets/app/versions/1:access" => r#"{"token": "first-token"}"#,
        "/v1/projects/other/secrets/app/versions/latest:access" => "of-another-project",
        "/v1/projects/acme/secrets/closed/versions/latest:access" => {
            return error(403, "PERMISSION_DENIED");
        }
        "/v1/projects/acme/secrets/app/versions/2:access" => {
            return error(400, "FAILED_PRECONDITION");
        }
        "/v1/projects/acme/secrets/down/versions/latest:access" => {
            return error(503, "UNAVAILABLE");
        }
        _ => return error(404, "NOT_FOUND"),
    };
    let body = json!({ "name": uri.path(), "payload": { "data": STANDARD.encode(value) } });
    (StatusCode::OK, body.to_string())
}

async fn fake() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn get(
    url: &str,
    folder: &tempfile::TempDir,
    identity: &str,
    secrets: &[&str],
) -> Vec<Result<String, ResolveError>> {
    let mut text =
        format!("[store.gcp]\nkind = 'gcp'\nproject = 'acme'\nendpoint = '{url}'\n{identity}\n");
    for (number, from) in secrets.iter().enumerate() {
        text += &format!("[[secret]]\nname = 's{number}'\nfrom = '{from}'\n");
    }
    let policy = Policy::from_toml(&text).unwrap();
    let stores = Stores::open(&policy, folder.path(), None).unwrap();
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
async fn the_machine_reads_names_projects_versions_and_fields() {
    let url = fake().await;
    let folder = tempfile::tempdir().unwrap();
    let got = get(
        &url,
        &folder,
        &format!("metadata = '{url}'"),
        &[
            "gcp:app#token",
            "gcp:app?version=1#token",
            "gcp:projects/other/secrets/app",
        ],
    )
    .await;
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    assert_eq!(got, ["second-token", "first-token", "of-another-project"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_outages_are_told_apart_and_repeat_nothing() {
    let url = fake().await;
    let folder = tempfile::tempdir().unwrap();
    for (from, trouble) in [
        ("gcp:none", Trouble::Absent),
        ("gcp:app?version=2", Trouble::Absent),
        ("gcp:app#none", Trouble::Absent),
        ("gcp:closed", Trouble::Denied),
        ("gcp:down", Trouble::Outage),
    ] {
        let metadata = format!("metadata = '{url}'");
        let error = get(&url, &folder, &metadata, &[from])
            .await
            .remove(0)
            .unwrap_err();
        assert_eq!(error.trouble(), trouble, "{from}: {error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("`gcp`") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_signs_its_own_tokens() {
    let url = fake().await;
    let folder = tempfile::tempdir().unwrap();
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let key = json!({
        "type": "service_account", "project_id": "acme", "private_key_id": "1",
        "private_key": pem, "client_email": "wharf@acme.test", "client_id": "1",
        "token_uri": "https://nowhere.invalid/token",
    });
    let path = folder.path().join("key.json");
    std::fs::write(&path, key.to_string()).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    let got = get(&url, &folder, "key = 'file:key.json'", &["gcp:app#token"]).await;
    assert_eq!(got[0].as_ref().unwrap(), "second-token");
}
