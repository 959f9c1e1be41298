//! The `gcp` kind. There is no server of Google's to be had, so a small fake answers.

#![cfg(feature = "gcp")]
#![allow(clippy::unwrap_used)]

mod identity;

use wharf_policy::Policy;
use wharf_stores::{ResolveError, Stores, Trouble};
use wharf_test_servers::{Gcp, IN_ERRORS};

/// The project, with what the tests ask for.
async fn project() -> Gcp {
    let gcp = Gcp::start().await;
    let app = |version| format!("projects/acme/secrets/app/versions/{version}");
    gcp.put(&app("latest"), br#"{"token": "second-token"}"#);
    gcp.put(&app("1"), br#"{"token": "first-token"}"#);
    gcp.refuse(&app("2"), 400, "FAILED_PRECONDITION");
    let other = "projects/other/secrets/app/versions/latest";
    gcp.put(other, b"of-another-project");
    let region = "projects/other/locations/europe-west3/secrets/app/versions/latest";
    gcp.put(region, b"of-a-region");
    for (name, code, status) in [
        ("closed", 403, "PERMISSION_DENIED"),
        ("odd", 400, "INVALID_ARGUMENT"),
        ("down", 503, "UNAVAILABLE"),
        ("busy", 429, "RESOURCE_EXHAUSTED"),
    ] {
        let latest = format!("projects/acme/secrets/{name}/versions/latest");
        gcp.refuse(&latest, code, status);
    }
    gcp
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
    let gcp = project().await;
    let url = gcp.url();
    let folder = tempfile::tempdir().unwrap();
    let got = get(
        url,
        &folder,
        &format!("metadata = '{url}'"),
        &[
            "gcp:app#token",
            "gcp:app?version=1#token",
            "gcp:projects/other/secrets/app",
            "gcp:projects/other/locations/europe-west3/secrets/app",
        ],
    )
    .await;
    let got: Vec<_> = got.into_iter().map(Result::unwrap).collect();
    let others = ["of-another-project", "of-a-region"];
    assert_eq!(
        got,
        [&["second-token", "first-token"][..], &others].concat()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_outages_are_told_apart_and_repeat_nothing() {
    let gcp = project().await;
    let url = gcp.url();
    let folder = tempfile::tempdir().unwrap();
    for (from, trouble) in [
        ("gcp:none", Trouble::Absent),
        ("gcp:app?version=2", Trouble::Absent),
        ("gcp:app#none", Trouble::Absent),
        ("gcp:closed", Trouble::Denied),
        ("gcp:odd", Trouble::Unusable),
        ("gcp:down", Trouble::Outage),
        ("gcp:busy", Trouble::Outage),
    ] {
        let metadata = format!("metadata = '{url}'");
        let error = get(url, &folder, &metadata, &[from])
            .await
            .remove(0)
            .unwrap_err();
        assert_eq!(error.trouble(), trouble, "{from}: {error}");
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("`gcp`") && !text.contains(IN_ERRORS),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_an_end_is_cut_off() {
    let gcp = Gcp::start().await;
    gcp.never_end("projects/acme/secrets/app/versions/latest");
    let folder = tempfile::tempdir().unwrap();
    let metadata = format!("metadata = '{}'", gcp.url());
    let got = get(gcp.url(), &folder, &metadata, &["gcp:app"]).await;
    let error = got[0].as_ref().unwrap_err();
    assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
    assert!(error.to_string().contains("larger than"), "{error}");
}
