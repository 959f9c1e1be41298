//! Rules for connections, by example and against every connection that they can tell apart.

use super::*;
use proptest::prelude::*;

fn rule(text: &str) -> Result<TcpRule, toml::de::Error> {
    toml::from_str(text)
}

fn allows(rule: &TcpRule, host: &str, port: u16) -> bool {
    rule.matches(&tcp_host(host).unwrap(), port)
}

#[test]
fn host_and_port_must_both_fit() {
    let db = rule("host = 'db.internal'\nports = [5432, 6432]").unwrap();
    assert!(allows(&db, "db.internal", 5432) && allows(&db, "DB.Internal.", 6432));
    for (host, port) in [
        ("db.internal", 22),
        ("db.internal", 0),
        ("db", 5432),
        ("xdb.internal", 5432),
    ] {
        assert!(!allows(&db, host, port), "{host}:{port}");
    }
    let below = rule("host = '*.internal'\nports = '*'").unwrap();
    assert!(allows(&below, "a.internal", 1) && !allows(&below, "internal", 1));
    assert!(!allows(&below, "a.internal", 0));
    let address = rule("host = '[fd00::1]'\nports = [1]").unwrap();
    assert!(allows(&address, "fd00::1", 1) && !allows(&address, "fd00::2", 1));
    let address = rule("host = '10.0.0.1'\nports = [1]").unwrap();
    assert!(
        allows(&address, "0x0a.1", 1),
        "an address is one however it is written"
    );
}

#[test]
fn a_rule_that_says_nothing_or_nonsense_is_refused() {
    for bad in [
        "host = 'a'",
        "ports = [1]",
        "host = 'a'\nports = []",
        "host = 'a'\nports = [0]",
        "host = 'a'\nports = [65536]",
        "host = 'a'\nports = 'all'",
        "host = 'a:1'\nports = [1]",
        "host = 'fd00::1'\nports = [1]",
        "host = 'а.internal'\nports = [1]",
        "host = '127.1'\nports = [1]",
        "host = 'a'\nports = [1]\nport = 2",
    ] {
        assert!(rule(bad).is_err(), "{bad} was taken");
    }
}

#[test]
fn a_rule_is_written_back_as_it_reads() {
    for text in [
        "host = \"*.a\"\nports = [1, 2]\n",
        "host = \"*\"\nports = \"*\"\n",
    ] {
        assert_eq!(toml::to_string(&rule(text).unwrap()).unwrap(), text);
    }
}

fn any_rule() -> impl Strategy<Value = TcpRule> {
    const HOSTS: [&str; 7] = [
        "*",
        "*.a.test",
        "*.b.a.test",
        "a.test",
        "b.a.test",
        "c.b.a.test",
        "10.0.0.1",
    ];
    const PORTS: [&str; 6] = ["'*'", "[1]", "[2]", "[1, 2]", "[2, 1]", "[3, 2, 1]"];
    let of = |(host, ports)| rule(&format!("host = '{host}'\nports = {ports}")).unwrap();
    (prop::sample::select(&HOSTS), prop::sample::select(&PORTS)).prop_map(of)
}

/// Every connection that the rules above can tell apart.
fn connections() -> impl Iterator<Item = (Host<String>, u16)> {
    const HOSTS: [&str; 7] = [
        "a.test",
        "b.a.test",
        "c.b.a.test",
        "d.b.a.test",
        "other.a.test",
        "xa.test",
        "10.0.0.1",
    ];
    let host = |host: &str| tcp_host(host).unwrap();
    HOSTS
        .into_iter()
        .flat_map(move |name| (1..=4).map(move |port| (host(name), port)))
}

proptest! {
    #[test]
    fn a_rule_covers_another_exactly_if_every_connection_says_so(a in any_rule(), b in any_rule()) {
        let all = connections().all(|(host, port)| !b.matches(&host, port) || a.matches(&host, port));
        prop_assert_eq!(a.covers(&b), all, "{:?} {:?}", a, b);
    }

    #[test]
    fn two_rules_overlap_exactly_if_some_connection_says_so(a in any_rule(), b in any_rule()) {
        let some = connections().any(|(host, port)| a.matches(&host, port) && b.matches(&host, port));
        prop_assert_eq!(a.overlaps(&b), some, "{:?} {:?}", a, b);
    }
}

#[test]
fn what_is_no_host_cannot_be_asked_for() {
    for bad in [
        "",
        "a b",
        "a..b",
        "*.a",
        "a/b",
        "fe80::1%eth0",
        "a@b",
        "256.1.1.1",
    ] {
        assert!(tcp_host(bad).is_err(), "{bad} was taken");
    }
}
