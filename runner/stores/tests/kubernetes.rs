//! The `kubernetes` kind. A cluster is not to be had in a test, so a fake answers the real client.

#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use wharf_policy::Policy;
use wharf_stores::{ResolveError, Stores, Trouble};
use wharf_test_servers::{IN_ERRORS, Kubernetes};

async fn get(kubeconfig: &Value, from: &str) -> Result<String, ResolveError> {
    get_by(kubeconfig, from, "").await
}

/// With this in the store's table.
async fn get_by(kubeconfig: &Value, from: &str, more: &str) -> Result<String, ResolveError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
    let text = format!(
        "[store.cluster]\nkind = 'kubernetes'\nkubeconfig = 'kubeconfig'\n{more}\n\
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
    let cluster = Kubernetes::start().await;
    cluster.put("prod/app", "token", b"the-token");
    let got = get(&cluster.kubeconfig(), "cluster:prod/app#token").await;
    assert_eq!(got.unwrap(), "the-token");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_configuration_names_and_is_not_there_is_told_and_taken_for_no_refusal() {
    let cluster = Kubernetes::start().await;
    cluster.put("prod/app", "token", b"the-token");
    let mut kubeconfig = cluster.kubeconfig();
    kubeconfig["clusters"][0]["cluster"]["certificate-authority"] = json!("gone.pem");
    let error = get(&kubeconfig, "cluster:prod/app#token").await;
    let error = error.unwrap_err();
    assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
    assert!(error.to_string().contains("gone.pem: create it"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_not_taken_is_looked_for_anew() {
    let cluster = Kubernetes::start().await;
    cluster.put("prod/app", "token", b"the-token");
    let folder = tempfile::tempdir().unwrap();
    let put = |kubeconfig: Value| {
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).unwrap();
    };
    put(cluster.kubeconfig_of("of-another"));
    let policy = Policy::from_toml(
        "[store.cluster]\nkind = 'kubernetes'\nkubeconfig = 'kubeconfig'\ncache = '0s'\n\
         [[secret]]\nname = 's'\nfrom = 'cluster:prod/app#token'\n",
    )
    .unwrap();
    let stores = Stores::open(&policy, folder.path(), None).unwrap();
    let get = async || {
        let mut resolution = stores.resolve(&policy.secrets).await;
        resolution.values.pop_first().unwrap().1
    };
    assert_eq!(get().await.unwrap_err().trouble(), Trouble::Denied);
    put(cluster.kubeconfig());
    for _ in 0..600 {
        if let Ok(value) = get().await {
            return assert_eq!(value.expose(), b"the-token");
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("after a minute the other token is still not used");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_outages_are_told_apart_and_repeat_nothing() {
    let cluster = Kubernetes::start().await;
    cluster.put("prod/app", "token", IN_ERRORS.as_bytes());
    cluster.refuse("prod/closed", 403);
    cluster.refuse("prod/down", 503);
    let (known, other) = (cluster.kubeconfig(), cluster.kubeconfig_of("of-another"));
    for (who, from, trouble) in [
        (&known, "cluster:prod/none#token", Trouble::Absent),
        (&known, "cluster:prod/app#none", Trouble::Absent),
        (&known, "cluster:prod/closed#token", Trouble::Denied),
        (&known, "cluster:prod/down#token", Trouble::Outage),
        (&other, "cluster:prod/app#token", Trouble::Denied),
    ] {
        let error = get(who, from).await.unwrap_err();
        assert_eq!(error.trouble(), trouble, "{from}: {error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("`cluster`") && !text.contains(IN_ERRORS),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_context_that_the_table_names_is_used_in_place_of_the_files_own() {
    let (one, other) = (Kubernetes::start().await, Kubernetes::start().await);
    one.put("prod/app", "token", b"of-the-one");
    other.put("prod/app", "token", b"of-the-other");
    let mut both = one.kubeconfig();
    let second = other.kubeconfig();
    for list in ["clusters", "users", "contexts"] {
        let mut entry = second[list][0].clone();
        entry["name"] = "other".into();
        if list == "contexts" {
            entry["context"] = json!({ "cluster": "other", "user": "other" });
        }
        both[list].as_array_mut().unwrap().push(entry);
    }
    let from = "cluster:prod/app#token";
    for (more, value) in [
        ("", "of-the-one"),
        ("context = 'test'", "of-the-one"),
        ("context = 'other'", "of-the-other"),
    ] {
        assert_eq!(get_by(&both, from, more).await.unwrap(), value, "{more}");
    }
    let asked = one.asked() + other.asked();
    let error = get_by(&both, from, "context = 'none'").await.unwrap_err();
    assert!(error.to_string().contains("kubeconfig"), "{error}");
    assert_eq!(one.asked() + other.asked(), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_a_cluster_is_not_followed() {
    let (cluster, other) = (Kubernetes::start().await, Kubernetes::start().await);
    other.put("prod/app", "token", b"the-token");
    for status in [301, 302, 307, 308] {
        cluster.redirect("prod/app", status, &other);
        let from = "cluster:prod/app#token";
        get(&cluster.kubeconfig(), from).await.unwrap_err();
    }
    assert_eq!((cluster.asked(), other.asked()), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_cut_off() {
    let cluster = Kubernetes::start().await;
    cluster.never_end("prod/app");
    let from = "cluster:prod/app#token";
    let error = get(&cluster.kubeconfig(), from).await.unwrap_err();
    assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
    assert!(error.to_string().contains("larger than"), "{error}");
}
