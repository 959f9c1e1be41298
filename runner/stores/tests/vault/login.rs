//! Every way of being let in, and being let in again.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::Router;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wharf_stores::Trouble;
use wharf_test_servers::OpenBao;

use crate::support::{LONG, ROOT, World, jwt, until, values, world};

const READER: &str = r#"path "secret/data/*" { capabilities = ["read"] }"#;

/// A secret, and a policy `reader` that may read it.
async fn with_a_secret(world: &World) {
    let bao = &world.bao;
    bao.write(
        "secret/data/app",
        json!({ "data": { "token": "hunter2hunter2" } }),
    )
    .await;
    bao.write("sys/policies/acl/reader", json!({ "policy": READER }))
        .await;
}

/// A role with this time to live. Gives the lines of the table.
async fn approle(world: &World, role: Value) -> String {
    let bao = &world.bao;
    bao.write("sys/auth/approle", json!({ "type": "approle" }))
        .await;
    bao.write("auth/approle/role/runner", role).await;
    let (_, id) = bao.read("auth/approle/role/runner/role-id").await;
    let secret = bao
        .write("auth/approle/role/runner/secret-id", json!({}))
        .await;
    world.file("secret-id", secret["data"]["secret_id"].as_str().unwrap());
    format!(
        "cache = '0s'\nlogin = {{ approle = {{ role-id = '{}', secret-id = 'file:secret-id' }} }}",
        id["data"]["role_id"].as_str().unwrap()
    )
}

/// The accessors of all tokens that there are.
async fn tokens(world: &World) -> usize {
    world.bao.list("auth/token/accessors").await.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_logs_in_once_for_many_and_gives_its_token_up_when_it_leaves() {
    let world = world!();
    with_a_secret(&world).await;
    let table = approle(&world, json!({ "token_policies": ["reader"] })).await;
    let before = tokens(&world).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    for _ in 0..5 {
        let got = values(&stores.resolve(&policy.secrets).await);
        assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");
    }
    assert_eq!(tokens(&world).await, before + 1);
    stores.finish(LONG).await;
    assert_eq!(tokens(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_run_out_is_replaced_by_another_login() {
    let world = world!();
    with_a_secret(&world).await;
    let role = json!({
        "token_policies": ["reader"], "token_ttl": "3s", "token_max_ttl": "3s",
    });
    let table = approle(&world, role).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    let before = tokens(&world).await;
    assert!(values(&stores.resolve(&policy.secrets).await)[0].is_ok());
    // No other is to be had before it runs out.
    let file = world.path().join("secret-id");
    let secret = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    until("the token has run out", async || {
        tokens(&world).await <= before
    })
    .await;
    world.file("secret-id", &secret);
    until("there is another", async || {
        values(&stores.resolve(&policy.secrets).await)[0].is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_at_the_end_of_its_longest_life_is_replaced_though_nothing_is_asked() {
    let world = world!();
    with_a_secret(&world).await;
    let role = json!({
        "token_policies": ["reader"], "token_ttl": "4s", "token_max_ttl": "4s",
    });
    let table = approle(&world, role).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    assert!(values(&stores.resolve(&policy.secrets).await)[0].is_ok());
    let first = world.bao.list("auth/token/accessors").await;
    until("there is another token", async || {
        let now = world.bao.list("auth/token/accessors").await;
        now.iter().any(|token| !first.contains(token))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_can_be_renewed_outlives_its_time_without_another_login() {
    let world = world!();
    with_a_secret(&world).await;
    let role = json!({
        "token_policies": ["reader"], "token_ttl": "6s", "token_max_ttl": "1h",
        "secret_id_num_uses": 1,
    });
    let table = approle(&world, role).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    assert!(values(&stores.resolve(&policy.secrets).await)[0].is_ok());
    // Longer than one renewal after two thirds of its time would have lasted: the one login that there is has been used.
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    let got = values(&stores.resolve(&policy.secrets).await);
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_someone_revoked_is_replaced_by_another_login() {
    let world = world!();
    with_a_secret(&world).await;
    let table = approle(&world, json!({ "token_policies": ["reader"] })).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    assert!(values(&stores.resolve(&policy.secrets).await)[0].is_ok());
    world
        .bao
        .write("sys/leases/revoke-prefix/auth/approle", json!({}))
        .await;
    let got = values(&stores.resolve(&policy.secrets).await);
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_is_a_denial_that_shows_nothing() {
    let world = world!();
    with_a_secret(&world).await;
    let table = approle(&world, json!({ "token_policies": ["reader"] })).await;
    world.file("secret-id", "wrong-secret-id");
    let got = world.get(&table, &["vault:secret/app#token"]).await;
    let error = got[0].as_ref().unwrap_err();
    assert_eq!(error.trouble(), Trouble::Denied, "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("`vault`") && !text.contains("wrong-secret-id"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_token_of_an_identity_provider_logs_in() {
    let world = world!();
    with_a_secret(&world).await;
    let bao = &world.bao;
    let (token, key) = jwt("runner-7", "wharf");
    bao.write("sys/auth/jwt", json!({ "type": "jwt" })).await;
    bao.write(
        "auth/jwt/config",
        json!({ "jwt_validation_pubkeys": [key] }),
    )
    .await;
    bao.write(
        "auth/jwt/role/runner",
        json!({
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["wharf"],
            "token_policies": ["reader"],
        }),
    )
    .await;
    world.file("jwt", &token);
    let table = "login = { jwt = { role = 'runner', token = 'file:jwt' } }";
    let got = world.get(table, &["vault:secret/app#token"]).await;
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");

    // The same, signed by nobody it knows.
    let (other, _) = jwt("runner-7", "wharf");
    world.file("jwt", &other);
    let got = world.get(table, &["vault:secret/app#token"]).await;
    assert_eq!(got[0].as_ref().unwrap_err().trouble(), Trouble::Denied);
}

/// A cluster whose API server says of tokens whose they are, as far as a login asks.
async fn cluster(known: &str) -> String {
    let known = known.to_owned();
    let review = move |Json(review): Json<Value>| async move {
        let sound = review["spec"]["token"] == known.as_str();
        let status = match sound {
            true => json!({ "authenticated": true, "audiences": ["vault"], "user": {
                "username": "system:serviceaccount:jobs:wharf", "uid": "7",
                "groups": ["system:serviceaccounts"],
            } }),
            false => json!({ "authenticated": false, "error": "not a token of this cluster" }),
        };
        (
            axum::http::StatusCode::CREATED,
            Json(
                json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status }),
            ),
        )
    };
    let app = Router::new().route("/apis/authentication.k8s.io/v1/tokenreviews", post(review));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// Another one each time. Its signature is nobody's: whose a token is, the cluster is asked.
fn service_account_token() -> String {
    let mut signature = [0; 64];
    getrandom::fill(&mut signature).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let claims = json!({
        "sub": "system:serviceaccount:jobs:wharf", "aud": ["vault"],
        "iat": now.as_secs(), "nbf": now.as_secs(), "exp": (now + LONG).as_secs(),
        "kubernetes.io": { "namespace": "jobs", "serviceaccount": { "name": "wharf", "uid": "7" } },
    });
    [
        json!({ "alg": "ES256", "typ": "JWT" })
            .to_string()
            .as_bytes(),
        claims.to_string().as_bytes(),
        &signature,
    ]
    .map(|part| URL_SAFE_NO_PAD.encode(part))
    .join(".")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_service_account_of_kubernetes_logs_in() {
    let world = world!();
    with_a_secret(&world).await;
    let bao = &world.bao;
    let token = service_account_token();
    bao.write("sys/auth/kubernetes", json!({ "type": "kubernetes" }))
        .await;
    bao.write(
        "auth/kubernetes/config",
        json!({
            "kubernetes_host": cluster(&token).await, "disable_local_ca_jwt": true,
            // Asked for, and of no use where the cluster speaks plain HTTP.
            "kubernetes_ca_cert": rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.pem(),
        }),
    )
    .await;
    bao.write(
        "auth/kubernetes/role/runner",
        json!({
            "bound_service_account_names": ["wharf"],
            "bound_service_account_namespaces": ["jobs"],
            "token_policies": ["reader"],
        }),
    )
    .await;
    world.file("jwt", &token);
    let table = "login = { kubernetes = { role = 'runner', token = 'file:jwt' } }";
    let got = world.get(table, &["vault:secret/app#token"]).await;
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");

    // The same account, it says, and not a token of this cluster.
    world.file("jwt", &service_account_token());
    let got = world.get(table, &["vault:secret/app#token"]).await;
    assert_eq!(got[0].as_ref().unwrap_err().trouble(), Trouble::Denied);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_is_believed_by_the_authority_that_is_named_and_by_no_other() {
    let Some(bao) = OpenBao::start_with_tls().await else {
        return;
    };
    let world = World::around(bao);
    with_a_secret(&world).await;
    world.file("ca.pem", &world.bao.authority());
    let secret = ["vault:secret/app#token"];
    let got = world.get(&format!("ca = 'ca.pem'\n{ROOT}"), &secret).await;
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");

    // The system's authorities, and one of the same name with another key.
    let Some(stranger) = OpenBao::start_with_tls().await else {
        return;
    };
    world.file("other.pem", &stranger.authority());
    for table in [ROOT.to_owned(), format!("ca = 'other.pem'\n{ROOT}")] {
        let got = world.get(&table, &secret).await;
        assert_eq!(got[0].as_ref().unwrap_err().trouble(), Trouble::Outage);
    }
}
