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
    ] {
        assert!(bad.parse::<OriginPattern>().is_err(), "{bad:?} was taken");
    }
}

proptest! {
    #[test]
    fn the_path_rule_agrees_with_comparing_segment_lists(
        prefix in prop::collection::vec("[a-c]{1,2}", 0..3),
        path in prop::collection::vec("[a-c]{1,2}", 0..4),
    ) {
        let text = format!("/{}", prefix.join("/"));
        let rule = PathPrefix::try_from(text).unwrap();
        let covered = path.len() >= prefix.len() && path[..prefix.len()] == prefix[..];
        prop_assert_eq!(rule.covers(&format!("/{}", path.join("/"))), covered);
    }

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
    fn a_printed_origin_reads_back_as_itself(host in "(\\*\\.)?[a-z]{1,8}\\.test", port in proptest::option::of(any::<u16>())) {
        let text = match port { Some(port) => format!("https://{host}:{port}"), None => format!("https://{host}") };
        let origin: OriginPattern = text.parse().unwrap();
        prop_assert_eq!(origin.to_string().parse::<OriginPattern>().unwrap(), origin);
    }
}
