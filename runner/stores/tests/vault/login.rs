//! Every way of being let in, and being let in again.

use serde_json::{Value, json};
use wharf_stores::Trouble;

use crate::support::{LONG, World, jwt, until, values, world};

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
        "token_policies": ["reader"], "token_ttl": "1s", "token_max_ttl": "1s",
    });
    let table = approle(&world, role).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    let before = tokens(&world).await;
    assert!(values(&stores.resolve(&policy.secrets).await)[0].is_ok());
    until("the token has run out", async || {
        tokens(&world).await <= before
    })
    .await;
    let got = values(&stores.resolve(&policy.secrets).await);
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_can_be_renewed_outlives_its_time_without_another_login() {
    let world = world!();
    with_a_secret(&world).await;
    let role = json!({
        "token_policies": ["reader"], "token_ttl": "2s", "token_max_ttl": "1h",
        "secret_id_num_uses": 1,
    });
    let table = approle(&world, role).await;
    let policy = world.policy(&table, &["vault:secret/app#token"]);
    let stores = world.stores(&policy);
    assert!(values(&stores.resolve(&policy.secrets).await)[0].is_ok());
    // Twice its time: the one login that there is has been used.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
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
