//! What the intersection gives, and that nothing can widen it.

use super::*;
use crate::ByteSize;
use url::Url;

const POLICY: &str = r#"
    [[secret]]
    name = "api"
    from = "env:API"
    to = [{ origin = "https://api.test", path = "/v1" }]
    [[secret]]
    name = "hook"
    from = "env:HOOK"
    [[grant]]
    plugins = ["http"]
    http = [{ origin = "https://api.test" }, { origin = "https://other.test" }]
    secrets = [{ name = "api" }, { name = "hook", rungs = ["operate", "reveal"] }]
    limits = { memory = "64MiB" }
"#;

const ASKS: &str = r#"
    http = [{ origin = "https://api.test" }, { origin = "https://wanted.test" }]
    secrets = [{ name = "*", rungs = ["inject", "operate"] }]
"#;

fn rights(asks: &str, call: &CallRights) -> Rights {
    Rights::effective(
        &"http".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(asks).unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(POLICY).unwrap(),
        call,
    )
}

fn target(url: &str) -> Target {
    Target::of(&Url::parse(url).unwrap()).unwrap()
}

#[test]
fn a_request_needs_the_manifest_and_the_grant_and_the_call() {
    let rights = rights(ASKS, &CallRights::default());
    assert!(
        rights
            .check_request("GET", &target("https://api.test/v1"))
            .is_ok()
    );
    let unasked = rights
        .check_request("GET", &target("https://other.test/"))
        .unwrap_err();
    assert!(unasked.why.contains("manifest"), "{unasked}");
    let ungranted = rights
        .check_request("GET", &target("https://wanted.test/"))
        .unwrap_err();
    assert!(ungranted.why.contains("grant"), "{ungranted}");

    let narrowed = CallRights {
        http: Some(vec![
            toml::from_str("origin = 'https://api.test'\npath = '/v2'").unwrap(),
        ]),
        ..CallRights::default()
    };
    let rights = self::rights(ASKS, &narrowed);
    assert!(
        rights
            .check_request("GET", &target("https://api.test/v1"))
            .is_err()
    );
    assert!(
        rights
            .check_request("GET", &target("https://api.test/v2"))
            .is_ok()
    );
}

#[test]
fn a_rung_that_the_manifest_does_not_ask_for_is_not_there_even_if_granted() {
    let rights = rights(ASKS, &CallRights::default());
    assert!(rights.secret("hook", Rung::Operate).is_ok());
    assert!(rights.secret("hook", Rung::Reveal).is_err());
    assert!(rights.allows(Interface::Secrets));
    assert!(!rights.allows(Interface::Reveal));
}

#[test]
fn a_secret_is_injected_only_where_its_binding_says() {
    let rights = rights(ASKS, &CallRights::default());
    let names = |url| {
        rights
            .injections("GET", &target(url))
            .map(|b| b.name.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("https://api.test/v1/x"), ["api"]);
    assert!(names("https://api.test/v10").is_empty());
    assert!(names("http://api.test/v1").is_empty());
}

#[test]
fn a_call_that_names_an_ungranted_secret_gains_nothing() {
    let call = CallRights {
        secrets: Some(vec!["hook".parse().unwrap(), "ghost".parse().unwrap()]),
        ..CallRights::default()
    };
    let rights = rights(ASKS, &call);
    assert!(rights.secret("api", Rung::Inject).is_err());
    assert!(rights.secret("ghost", Rung::Operate).is_err());
    assert!(rights.secret("hook", Rung::Operate).is_ok());
}

#[test]
fn a_plugin_without_asks_has_only_the_harmless_interfaces() {
    let rights = rights("", &CallRights::default());
    for interface in Interface::ALL {
        assert_eq!(
            rights.allows(interface),
            interface.grant_hint().is_none(),
            "{interface}"
        );
    }
}

#[test]
fn a_call_cannot_raise_a_limit() {
    let call = CallRights {
        limits: LimitRequest {
            memory: Some(ByteSize::mib(1024)),
            ..LimitRequest::default()
        },
        ..CallRights::default()
    };
    assert_eq!(rights(ASKS, &call).limits().memory, ByteSize::mib(64));
}

#[test]
fn another_plugin_gets_nothing_of_this_grant() {
    let rights = Rights::effective(
        &"transform".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(ASKS).unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(POLICY).unwrap(),
        &CallRights::default(),
    );
    assert!(!rights.allows(Interface::Http));
    assert!(rights.secrets().next().is_none());
}
