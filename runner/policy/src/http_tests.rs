//! Rules against targets, by example and against a slow, obvious reference.

use super::*;
use proptest::prelude::*;

fn rule(origin: &str, path: &str, methods: &[&str]) -> HttpRule {
    HttpRule {
        origin: origin.parse().unwrap(),
        path: path.to_owned().try_into().unwrap(),
        methods: methods
            .iter()
            .map(|m| (*m).to_owned().try_into().unwrap())
            .collect(),
    }
}

fn allows(rule: &HttpRule, method: &str, url: &str) -> bool {
    Target::of(&Url::parse(url).unwrap()).is_ok_and(|target| rule.matches(method, &target))
}

#[test]
fn a_path_is_matched_by_whole_segments() {
    let api = rule("https://x.test", "/api", &[]);
    assert!(allows(&api, "GET", "https://x.test/api"));
    assert!(allows(&api, "GET", "https://x.test/api/v1?q"));
    assert!(!allows(&api, "GET", "https://x.test/apiary"));
    assert!(!allows(&api, "GET", "https://x.test/api/../admin"));
    assert!(!allows(&api, "GET", "https://x.test/api/%2e%2e/admin"));
    assert!(!allows(&api, "GET", "https://x.test/api/..%2fadmin"));
    assert!(!allows(&api, "GET", "https://x.test/api/..%5Cadmin"));
}

#[test]
fn a_left_most_wildcard_covers_names_below_and_nothing_else() {
    let below = rule("https://*.x.test", "/", &[]);
    assert!(allows(&below, "GET", "https://a.x.test/"));
    assert!(allows(&below, "GET", "https://a.b.x.test./"));
    assert!(!allows(&below, "GET", "https://x.test/"));
    assert!(!allows(&below, "GET", "https://evilx.test/"));
    assert!(!allows(&below, "GET", "https://x.test.evil/"));
}

#[test]
fn scheme_port_and_method_must_all_fit() {
    let rule = rule("http://x.test:8080", "/", &["GET"]);
    assert!(allows(&rule, "GET", "http://X.TEST:8080/"));
    assert!(!allows(&rule, "POST", "http://x.test:8080/"));
    assert!(!allows(&rule, "GET", "https://x.test:8080/"));
    assert!(!allows(&rule, "GET", "http://x.test/"));
}

#[test]
fn a_rule_names_every_method_that_goes_out_and_no_other() {
    let named = |name: &str| Method::try_from(name.to_owned());
    for name in [
        "GET",
        "PATCH",
        "VERSION-CONTROL",
        "M-SEARCH",
        "UPDATEREDIRECTREF",
    ] {
        assert_eq!(named(name).unwrap().as_str(), name);
    }
    // A rule with one of these would look as if it allowed something.
    for name in [
        "", "get", "Get", "*", "G*T", "GET1", "GET ", "GET,POST", "G\u{c9}T",
    ] {
        let error = named(name).unwrap_err().to_string();
        assert!(error.contains("capitals"), "{name}: {error}");
    }
    for name in ["CONNECT", "TRACE", "TRACK", "PRI"] {
        let error = named(name).unwrap_err().to_string();
        assert!(error.contains("no request goes out with it"), "{error}");
        let rule = format!("origin = 'https://a.test'\nmethods = ['GET', '{name}']");
        assert!(toml::from_str::<HttpRule>(&rule).is_err(), "{name}");
    }
}

#[test]
fn numeric_spellings_of_an_address_are_the_same_address() {
    let local = rule("http://127.0.0.1", "/", &[]);
    for url in [
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0177.0.0.1/",
    ] {
        assert!(allows(&local, "GET", url), "{url}");
    }
}

#[test]
fn a_name_that_looks_like_a_granted_one_is_another() {
    let granted = rule("https://apple.test", "/", &[]);
    for url in [
        "https://аpple.test/",
        "https://apple.test.evil/",
        "https://apple.test%2eevil/",
        "https://evil/apple.test",
        "https://xn--pple-43d.test/",
        "https://apple.test:444/",
        "https://a.apple.test/",
    ] {
        assert!(!allows(&granted, "GET", url), "{url}");
    }
    for url in [
        "https://ａｐｐｌｅ.test/",
        "https://apple%2etest/",
        "https://APPLE.test.:443/",
    ] {
        assert!(
            allows(&granted, "GET", url),
            "{url} is looked up as apple.test"
        );
    }
}

#[test]
fn a_url_without_a_host_to_look_up_is_no_target() {
    for url in [
        "https://a..b/",
        "https://a*b/",
        "https://x.test:0/",
        "https://!/",
        "https://./",
    ] {
        let taken = Url::parse(url).is_ok_and(|url| Target::of(&url).is_ok());
        assert!(!taken, "{url} was taken");
    }
}

#[test]
fn userinfo_in_a_url_is_refused_and_not_repeated() {
    let error = Target::of(&Url::parse("https://me:hunter2@x.test/?k=v").unwrap()).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn an_origin_with_anything_but_scheme_host_and_port_is_refused() {
    for bad in [
        "x.test",
        "ftp://x.test",
        "https://",
        "https://a*b.test",
        "https://x.test/api",
        "https://u@x.test",
        "https://x.test:99999",
        "https://*.*",
        "https://*.127.0.0.1",
        "https://x.test:0",
        "https://x.test:+443",
        "https://x.test:00443",
        "https://x.test:08080",
        "https://x.test:",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://ex%61mple.test",
        "https://аpple.test",
        "https://a..test",
        "https://.test",
        "https://[::1%25eth0]",
    ] {
        assert!(bad.parse::<OriginPattern>().is_err(), "{bad:?} was taken");
    }
}

#[test]
fn a_path_that_servers_read_in_different_ways_is_below_no_prefix() {
    let rule = rule("https://x.test", "/v1", &[]);
    for path in [
        "/v1/..;/admin",
        "/v1/..;a=b/admin",
        "/v1/%2e%2e;/admin",
        "/v1/..%3b/admin",
        "/v1/%252e%252e/admin",
        "/v1/..%252fadmin",
        "/v1/..%255cadmin",
        "/v1/a%2F..%2F..%2Fadmin",
        "/v1/a%00/b",
        "/v1/a%0d%0ax",
        "/v1/.;/x",
    ] {
        assert!(
            !allows(&rule, "GET", &format!("https://x.test{path}")),
            "{path} was taken"
        );
    }
    for path in [
        "/v1/a;b=c/d",
        "/v1/100%25",
        "/v1/a..b",
        "/v1/...",
        "/v1/%C3%BC",
        "/v1/a%20b",
    ] {
        assert!(
            allows(&rule, "GET", &format!("https://x.test{path}")),
            "{path} was refused"
        );
    }
}

proptest! {
    #[test]
    fn the_host_rule_agrees_with_comparing_label_lists(
        suffix in prop::collection::vec("[ab]{1,2}", 1..3),
        host in prop::collection::vec("[ab]{1,2}", 1..5),
    ) {
        let rule = rule(&format!("https://*.{}", suffix.join(".")), "/", &[]);
        let covered = host.len() > suffix.len() && host.ends_with(&suffix);
        prop_assert_eq!(allows(&rule, "GET", &format!("https://{}/", host.join("."))), covered);
    }

    #[test]
    fn an_exact_host_agrees_with_comparing_labels_however_they_are_written(
        granted in prop::collection::vec("[a-b]{1,2}", 1..3),
        asked in prop::collection::vec("[a-b]{1,2}", 1..3),
        upper in any::<bool>(), dot in any::<bool>(), escape in any::<bool>(),
    ) {
        let rule = rule(&format!("https://{}.test", granted.join(".")), "/", &[]);
        let mut host = format!("{}.test", asked.join("."));
        if upper { host = host.to_uppercase(); }
        if escape { host = host.replace('A', "%41").replace('a', "%61"); }
        if dot { host.push('.'); }
        prop_assert_eq!(allows(&rule, "GET", &format!("https://{host}/")), granted == asked, "{}", host);
    }

    #[test]
    fn a_printed_origin_reads_back_as_itself(host in "(\\*\\.)?[a-z]{1,8}\\.test", port in proptest::option::of(1..=u16::MAX)) {
        let text = match port { Some(port) => format!("https://{host}:{port}"), None => format!("https://{host}") };
        let origin: OriginPattern = text.parse().unwrap();
        prop_assert_eq!(origin.to_string().parse::<OriginPattern>().unwrap(), origin);
    }
}
