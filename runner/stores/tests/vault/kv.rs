//! Key/value engines of both versions, wherever they are mounted.

use serde_json::json;
use wharf_stores::{Freshness, Presence, Trouble};

use crate::support::{ROOT, values, world};

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_told_apart_wherever_they_are_mounted() {
    let world = world!();
    let bao = &world.bao;
    let kv = |version: &str| json!({ "type": "kv", "options": { "version": version } });
    bao.write("sys/mounts/teams/a/kv", kv("2")).await;
    bao.write("sys/mounts/old", kv("1")).await;
    bao.write(
        "teams/a/kv/data/prod/app",
        json!({ "data": { "token": "new-secret" } }),
    )
    .await;
    bao.write(
        "old/prod/app",
        json!({ "token": "old-secret", "port": 5432 }),
    )
    .await;
    let got = world
        .get(
            ROOT,
            &[
                "vault:teams/a/kv/prod/app#token",
                "vault:old/prod/app#token",
                "vault:old/prod/app#port",
            ],
        )
        .await;
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    assert_eq!(got, ["new-secret", "old-secret", "5432"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_the_one_that_is_named_and_otherwise_the_newest() {
    let world = world!();
    for value in ["first-value", "second-value"] {
        let data = json!({ "data": { "token": value } });
        world.bao.write("secret/data/app", data).await;
    }
    let got = world
        .get(
            ROOT,
            &[
                "vault:secret/app#token",
                "vault:secret/app?version=1#token",
                "vault:secret/app?version=2#token",
                "vault:secret/app?version=3#token",
            ],
        )
        .await;
    assert_eq!(got[0].as_ref().unwrap(), "second-value");
    assert_eq!(got[1].as_ref().unwrap(), "first-value");
    assert_eq!(got[2].as_ref().unwrap(), "second-value");
    assert_eq!(got[3].as_ref().unwrap_err().trouble(), Trouble::Absent);

    world
        .bao
        .write("secret/delete/app", json!({ "versions": [2] }))
        .await;
    let got = world.get(ROOT, &["vault:secret/app#token"]).await;
    assert_eq!(got[0].as_ref().unwrap_err().trouble(), Trouble::Absent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_holds_its_own_secrets() {
    let world = world!();
    let bao = &world.bao;
    bao.write("sys/namespaces/team", json!({})).await;
    let kv = json!({ "type": "kv", "options": { "version": "2" } });
    bao.write_in("team", "sys/mounts/kv", kv).await;
    bao.write_in(
        "team",
        "kv/data/app",
        json!({ "data": { "token": "of-the-team" } }),
    )
    .await;
    let inside = world
        .get(
            &format!("namespace = 'team'\n{ROOT}"),
            &["vault:kv/app#token"],
        )
        .await;
    assert_eq!(inside[0].as_ref().unwrap(), "of-the-team");
    let outside = world.get(ROOT, &["vault:kv/app#token"]).await;
    assert!(outside[0].is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_may_not_ask_about_mounts_reads_where_the_policy_says_what_they_are() {
    let world = world!();
    world
        .bao
        .write(
            "secret/data/app",
            json!({ "data": { "token": "hunter2hunter2" } }),
        )
        .await;
    let narrow = r#"path "secret/data/app" { capabilities = ["read"] }"#;
    world
        .bao
        .write("sys/policies/acl/narrow", json!({ "policy": narrow }))
        .await;
    let token = world
        .bao
        .write(
            "auth/token/create",
            json!({ "policies": ["narrow"], "no_default_policy": true }),
        )
        .await;
    world.file(
        "narrow.token",
        token["auth"]["client_token"].as_str().unwrap(),
    );
    let login = "login = { token = 'file:narrow.token' }\nmounts = { secret = 'kv-v2' }";
    let got = world
        .get(
            login,
            &["vault:secret/app#token", "vault:secret/other#token"],
        )
        .await;
    assert_eq!(got[0].as_ref().unwrap(), "hunter2hunter2");
    let error = got[1].as_ref().unwrap_err();
    assert_eq!(error.trouble(), Trouble::Denied, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_value_is_picked_up_when_the_old_one_is_no_longer_kept() {
    let world = world!();
    let write = async |value: &str| {
        let data = json!({ "data": { "token": value } });
        world.bao.write("secret/data/app", data).await;
    };
    write("before-rotation").await;
    let policy = world.policy(
        &format!("cache = '1h'\n{ROOT}"),
        &["vault:secret/app#token"],
    );
    let kept = world.stores(&policy);
    let policy = world.policy(
        &format!("cache = '0s'\n{ROOT}"),
        &["vault:secret/app#token"],
    );
    let fresh = world.stores(&policy);
    let first = kept.resolve(&policy.secrets).await;
    assert!(matches!(first.freshness, Freshness::Until(_)));
    write("after-rotation").await;
    let again = values(&kept.resolve(&policy.secrets).await);
    assert_eq!(again[0].as_ref().unwrap(), "before-rotation");
    let now = values(&fresh.resolve(&policy.secrets).await);
    assert_eq!(now[0].as_ref().unwrap(), "after-rotation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_says_present_absent_or_denied_and_nothing_else() {
    let world = world!();
    world
        .bao
        .write(
            "secret/data/app",
            json!({ "data": { "token": "hunter2hunter2" } }),
        )
        .await;
    let some = r#"path "secret/data/*" { capabilities = ["read"] }
                  path "secret/data/closed" { capabilities = ["deny"] }"#;
    world
        .bao
        .write("sys/policies/acl/some", json!({ "policy": some }))
        .await;
    let token = world
        .bao
        .write("auth/token/create", json!({ "policies": ["some"] }))
        .await;
    world.file(
        "some.token",
        token["auth"]["client_token"].as_str().unwrap(),
    );
    let policy = world.policy(
        "login = { token = 'file:some.token' }",
        &[
            "vault:secret/app#token",
            "vault:secret/none#token",
            "vault:secret/app#none",
            "vault:secret/closed#token",
        ],
    );
    let stores = world.stores(&policy);
    let mut said = Vec::new();
    for binding in &policy.secrets {
        let mut resolution = stores.resolve([binding]).await;
        let (_, answer) = resolution.values.pop_first().unwrap();
        said.push(Presence::of(answer).unwrap());
    }
    assert_eq!(
        said,
        [
            Presence::Present,
            Presence::Absent,
            Presence::Absent,
            Presence::Denied
        ]
    );
}
