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
    operations = ["hmac"]
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
fn the_host_works_with_a_key_only_as_its_binding_lists() {
    let rights = rights(ASKS, &CallRights::default());
    assert!(rights.operate("hook", Operation::Hmac).is_ok());
    let denied = rights.operate("hook", Operation::Sign).unwrap_err();
    assert!(
        denied
            .to_string()
            .contains("operations = [\"hmac\", \"sign\"]"),
        "{denied}"
    );
    // One that may not be worked with at all is not told apart from one that is not there.
    let (other, none) = (
        rights.operate("api", Operation::Hmac).unwrap_err(),
        rights.operate("ghost", Operation::Hmac).unwrap_err(),
    );
    assert_eq!(
        other
            .to_string()
            .replace("`api`", "`ghost`")
            .replace("\"api\"", "\"ghost\""),
        none.to_string()
    );
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

fn host(text: &str) -> url::Host<String> {
    crate::tcp_host(text).unwrap()
}

fn under(asks: &str, policy: &str, call: &CallRights) -> Rights {
    Rights::effective(
        &"http".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(asks).unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(policy).unwrap(),
        call,
    )
}

#[test]
fn the_networks_of_one_grant_are_not_opened_to_the_destinations_of_another() {
    let rights = under(
        "http = [{ origin = 'https://*:*' }]\ntcp = [{ host = '*', ports = '*' }]",
        "[[grant]]\nplugins=['http']\nhttp=[{origin='https://db.internal'}]\ntcp=[{host='db.internal',ports=[5432]}]\nnetworks=['10.0.0.0/8']\n\
         [[grant]]\nplugins=['http']\nhttp=[{origin='https://*'}]\ntcp=[{host='*',ports=[443]}]",
        &CallRights::default(),
    );
    let private = "10.0.0.1".parse().unwrap();
    let inside = rights
        .check_request("GET", &target("https://db.internal/"))
        .unwrap();
    assert!(inside.networks().check(private).is_ok());
    let outside = rights
        .check_request("GET", &target("https://evil.test/"))
        .unwrap();
    assert!(outside.networks().check(private).is_err());
    let inside = rights.check_tcp(&host("db.internal"), Some(5432)).unwrap();
    assert!(inside.networks().check(private).is_ok());
    let outside = rights.check_tcp(&host("db.internal"), Some(443)).unwrap();
    assert!(outside.networks().check(private).is_err());
}

#[test]
fn a_tcp_connection_needs_the_manifest_and_the_grant_and_the_call() {
    let asks = "tcp = [{ host = '*', ports = [5432, 6432] }]";
    let policy = "[[grant]]\nplugins=['http']\ntcp=[{host='db.internal',ports='*'}]";
    let rights = under(asks, policy, &CallRights::default());
    assert!(rights.allows(Interface::WasiTcp) && !rights.allows(Interface::Http));
    assert!(rights.check_tcp(&host("db.internal"), Some(5432)).is_ok());
    assert!(rights.check_tcp(&host("db.internal"), None).is_ok());
    let unasked = rights
        .check_tcp(&host("db.internal"), Some(22))
        .unwrap_err();
    assert!(unasked.why.contains("manifest"), "{unasked}");
    let ungranted = rights
        .check_tcp(&host("x.internal"), Some(5432))
        .unwrap_err();
    assert!(
        ungranted
            .to_string()
            .contains("tcp = [{ host = \"x.internal\", ports = [5432] }]"),
        "{ungranted}"
    );
    assert!(rights.check_tcp(&host("x.internal"), None).is_err());
    let call = CallRights {
        tcp: Some(vec![]),
        ..CallRights::default()
    };
    let narrowed = under(asks, policy, &call);
    let denied = narrowed
        .check_tcp(&host("db.internal"), Some(5432))
        .unwrap_err();
    assert!(denied.why.contains("call"), "{denied}");
    let none = under("", policy, &CallRights::default());
    assert!(!none.allows(Interface::WasiTcp));
}

#[test]
fn a_refusal_is_short_however_long_the_path_and_says_what_an_odd_path_would_need() {
    let rights = under(
        "http = [{ origin = 'https://a.test', path = '/v1' }]",
        "",
        &CallRights::default(),
    );
    let long = format!("https://a.test/{}", "ä".repeat(5000));
    let denied = rights.check_request("GET", &target(&long)).unwrap_err();
    assert!(denied.to_string().len() < 1500, "{denied}");
    let odd = rights
        .check_request("GET", &target("https://a.test/v1/..%2fadmin"))
        .unwrap_err();
    assert!(odd.to_string().contains("an encoded slash"), "{odd}");
}

#[test]
fn a_refusal_tells_all_of_a_secret_in_a_path_a_host_or_a_name_or_nothing_of_it() {
    const SECRET: &str = "S3CRETVALUE0123456789";
    let rights = rights(ASKS, &CallRights::default());
    let (binding, _) = rights.secrets().next().unwrap();
    // Whoever scrubs the message finds the whole secret, and no part of it is left then.
    let safe = |message: String| {
        let left = message.replace(SECRET, "").to_lowercase();
        assert!(!left.contains("s3c") && !left.contains("789"), "{message}");
    };
    for before in 0..400 {
        let pad = "p".repeat(before);
        for path in [
            format!("{pad}/{SECRET}/x"),
            format!("a/{pad}{SECRET}"),
            format!("{SECRET}/{pad}"),
        ] {
            let target = target(&format!("https://a.test/{path}"));
            let refusal = rights.check_request("GET", &target).unwrap_err();
            safe(refusal.to_string());
            let refusal = binding.check_destination(Rung::Attach, "GET", &target);
            safe(refusal.unwrap_err().to_string());
        }
        let url = Url::parse(&format!("ftp://{pad}{SECRET}.test/")).unwrap();
        safe(
            Target::of(&url)
                .unwrap_err()
                .to_string()
                .replace(&SECRET.to_lowercase(), ""),
        );
        safe(
            crate::tcp_host(&format!("{pad} {SECRET}"))
                .unwrap_err()
                .to_string(),
        );
        let name = format!("{pad}{SECRET}");
        safe(rights.secret(&name, Rung::Operate).unwrap_err().to_string());
    }
}

#[test]
fn a_refusal_of_a_long_path_tells_no_part_of_it_but_its_length() {
    let rights = rights(ASKS, &CallRights::default());
    let of = |path: &str| {
        let target = target(&format!("https://a.test{path}"));
        rights.check_request("GET", &target).unwrap_err()
    };
    assert_eq!(of("/v1/items").what, "GET https://a.test/v1/items");
    // A secret with slashes in it, part of which is within what would be told.
    let long = of(&format!("/v1/{}/bPxR/fiCY/EXAMPLE", "x".repeat(245)));
    assert_eq!(long.what, "GET https://a.test/… (a path of 267 bytes)");
    assert!(!long.to_string().contains("bPxR"), "{long}");
    let line =
        "http = [{ origin = \"https://a.test\", methods = [\"GET\"] }] would allow every path";
    assert!(long.to_string().contains(line), "{long}");
}

#[test]
fn a_server_that_operate_sends_a_credential_to_is_entrusted_too() {
    let policy = "[[secret]]\nname='s'\nfrom='env:S'\nto=[{origin='https://api.test',path='/v1'}]\noperations=['basic']\n\
                  [[grant]]\nplugins=['http']\nsecrets=[{name='s',rungs=['operate']}]";
    let rights = Rights::effective(
        &"http".parse().unwrap(),
        &"request".parse().unwrap(),
        &toml::from_str(ASKS).unwrap(),
        &LimitRequest::default(),
        &Policy::from_toml(policy).unwrap(),
        &CallRights::default(),
    );
    assert!(rights.entrusts(&target("https://api.test/other")));
    assert!(!rights.entrusts(&target("https://other.test/v1")));
}
