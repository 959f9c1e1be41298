//! A suggestion allows what was used, and nothing else.

use proptest::prelude::*;

use url::Url;

use super::*;
use crate::{
    CallRights, Capabilities, HttpRule, Interface, LimitRequest, Rights, Target, can_run, check,
};

const ASKS: &str = "http = [{ origin = 'https://*:*' }, { origin = 'http://*:*' }]\n\
    secrets = [{ name = '*', rungs = ['inject', 'operate'] }, { name = 'key', rungs = ['attach', 'reveal'] }]";
const SECRETS: &str = "[[secret]]\nname='token'\nfrom='env:T'\nto=[{origin='https://a.test'}]\n";

pub(super) struct Asking {
    pub(super) asks: Capabilities,
    imports: Vec<String>,
}

impl Asking {
    pub(super) fn new(imports: &[&str]) -> Self {
        Self {
            asks: toml::from_str(ASKS).unwrap(),
            imports: imports.iter().map(|i| (*i).to_owned()).collect(),
        }
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&Subject<'_>) -> T) -> T {
        f(&Subject {
            plugin: &"http".parse().unwrap(),
            action: &"request".parse().unwrap(),
            asks: &self.asks,
            needs: &LimitRequest::default(),
            imports: &self.imports,
        })
    }

    pub(super) fn suggest(&self, observed: &[Observed]) -> Suggestion {
        let policy = Policy::from_toml(SECRETS).unwrap();
        self.with(|subject| suggest(subject, &policy, observed))
    }

    fn rights(&self, policy: &Policy) -> Rights {
        self.with(|s| {
            Rights::effective(
                s.plugin,
                s.action,
                s.asks,
                s.needs,
                policy,
                &CallRights::default(),
            )
        })
    }
}

pub(super) fn request(method: &str, destination: &str) -> Observed {
    Observed::Request {
        method: method.to_owned(),
        destination: destination.to_owned(),
    }
}

pub(super) fn parsed(suggestion: &Suggestion) -> Policy {
    let text = format!("{SECRETS}{}", suggestion.to_toml());
    Policy::from_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn a_suggestion_is_a_policy_that_says_exactly_what_it_should() {
    let asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
    let suggestion = asking.suggest(&[
        request("GET", "https://a.test/v1/items"),
        request("POST", "https://a.test/v1/items"),
        request("GET", "https://a.test/v1/items/7"),
        request("GET", "http://10.0.0.7:8080/"),
        address("http://10.0.0.7:8080/", "10.0.0.7"),
        Observed::Secret("token".parse().unwrap(), Rung::Inject),
    ]);
    assert_eq!(
        suggestion.to_toml(),
        "[[grant]]\nplugins = [\"http\"]\nactions = [\"request\"]\nhttp = [\n  \
         { origin = \"https://a.test\", path = \"/v1/items\", methods = [\"GET\", \"POST\"] },\n]\n\
         secrets = [{ name = \"token\", rungs = [\"inject\"] }]\n\n\
         [[grant]]\nplugins = [\"http\"]\nactions = [\"request\"]\nhttp = [\n  \
         { origin = \"http://10.0.0.7:8080\", methods = [\"GET\"] },\n]\n\
         networks = [\"10.0.0.7/32\"]\n"
    );
    assert_eq!(parsed(&suggestion).grants, suggestion.grants);
}

pub(super) fn address(destination: &str, address: &str) -> Observed {
    Observed::Address {
        destination: destination.to_owned(),
        address: address.parse().unwrap(),
    }
}

#[test]
fn each_destination_gets_the_addresses_that_it_led_to_and_not_those_of_another() {
    let mut asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
    asking.asks.tcp = toml::from_str::<Capabilities>("tcp = [{ host = '*', ports = '*' }]")
        .unwrap()
        .tcp;
    let suggestion = asking.suggest(&[
        request("GET", "https://example.test/"),
        request("GET", "https://one.internal/x"),
        request("GET", "https://two.internal/"),
        request("GET", "https://two.internal:8443/"),
        request("GET", "http://localhost:8080/"),
        address("https://one.internal/x", "10.0.0.1"),
        address("https://two.internal", "10.0.0.2"),
        address("https://two.internal", "10.0.0.1"),
        address("http://localhost:8080", "127.0.0.1"),
        connection("db.internal:5432"),
        connection("mail.test:25"),
        address("tcp://db.internal:5432", "10.0.0.1"),
    ]);
    let rights = asking.rights(&parsed(&suggestion));
    let open = |url: &str| {
        let target = Target::of(&Url::parse(url).unwrap()).unwrap();
        let granted = rights.check_request("GET", &target).unwrap();
        ["10.0.0.1", "10.0.0.2", "127.0.0.1"]
            .map(|ip| granted.networks().check(ip.parse().unwrap()).is_ok())
    };
    assert_eq!(open("https://example.test/"), [false, false, false]);
    assert_eq!(open("https://one.internal/x"), [true, false, false]);
    assert_eq!(open("https://two.internal/"), [true, true, false]);
    assert_eq!(open("https://two.internal:8443/"), [false, false, false]);
    assert_eq!(open("http://localhost:8080/"), [false, false, true]);
    let db = |host: &str, port| {
        let granted = rights.check_tcp(&crate::tcp_host(host).unwrap(), Some(port));
        let private = "10.0.0.1".parse().unwrap();
        granted.unwrap().networks().check(private).is_ok()
    };
    assert!(db("db.internal", 5432) && !db("mail.test", 25));
    // What needs the same addresses is in the same grant.
    assert_eq!(suggestion.grants.len(), 4, "{}", suggestion.to_toml());
}

#[test]
fn a_metadata_service_is_told_of_and_never_granted_by_whatever_way_it_was_tried() {
    let mut asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
    asking.asks.tcp = toml::from_str::<Capabilities>("tcp = [{ host = '*', ports = '*' }]")
        .unwrap()
        .tcp;
    let fine = [
        request("GET", "https://example.test/"),
        request("GET", "http://localhost:8080/"),
        address("http://localhost:8080/", "127.0.0.1"),
    ];
    let smallest = asking.suggest(&fine);
    for (tried, ip) in [
        ("http://169.254.169.254/latest/meta-data", "169.254.169.254"),
        ("http://[64:ff9b::a9fe:a9fe]/x", "64:ff9b::a9fe:a9fe"),
        ("http://[::ffff:a9fe:a9fe]/x", "::ffff:a9fe:a9fe"),
        ("http://[2002:a9fe:a9fe::1]/x", "2002:a9fe:a9fe::1"),
        ("http://[fd00:c1::a9fe:a9fe]/opc", "fd00:c1::a9fe:a9fe"),
        ("http://meta.test/x", "169.254.169.254"),
        ("http://meta.test/x", "64:ff9b::a9fe:a9fe"),
        ("tcp://169.254.169.254:80", "169.254.169.254"),
        ("tcp://[64:ff9b::a9fe:a9fe]:80", "64:ff9b::a9fe:a9fe"),
        ("tcp://meta.test", "100.100.100.200"),
    ] {
        let wanted = match tried.strip_prefix("tcp://") {
            Some(tcp) => connection(tcp),
            None => request("GET", tried),
        };
        // Refused by rule, and at the next try by address.
        for step in [vec![wanted.clone()], vec![wanted, address(tried, ip)]] {
            if step.len() == 1 && tried.contains("meta.test") {
                continue;
            }
            let all: Vec<_> = fine.iter().cloned().chain(step).collect();
            let suggestion = asking.suggest(&all);
            assert_eq!(suggestion.grants, smallest.grants, "{tried} {ip}");
            let note = &suggestion.notes[..];
            assert!(
                matches!(note, [note] if note.contains("it tried") && note.contains("credentials")),
                "{tried}: {note:?}"
            );
            let text = suggestion.to_toml();
            assert!(text.contains(&format!("# {}", note[0])), "{text}");
        }
    }
}

#[test]
fn a_gateway_to_a_private_address_is_suggested_with_a_word_of_what_is_behind_it() {
    let asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
    let suggestion = asking.suggest(&[
        request("GET", "http://nat.test/"),
        address("http://nat.test/", "64:ff9b::a00:1"),
    ]);
    let text = suggestion.to_toml();
    assert!(
        text.contains(
            "# http://nat.test led to 64:ff9b::a00:1, a NAT64 address that may lead to 10.0.0.1"
        ),
        "{text}"
    );
    assert!(
        text.contains("networks = [\"64:ff9b::a00:1/128\"]"),
        "{text}"
    );
}

#[test]
fn a_method_that_no_rule_can_name_widens_no_rule_and_is_told_of() {
    let asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
    let url = "https://api.test/v1/x";
    let smallest = asking.suggest(&[request("GET", url)]);
    // As the audit record has it, and as one may be written into it.
    for method in ["an unusable method", "get", "PURGE_ALL", ""] {
        let suggestion = asking.suggest(&[request("GET", url), request(method, url)]);
        assert_eq!(suggestion.grants, smallest.grants, "{method}");
        let rule = &suggestion.grants[0].http[..];
        assert!(
            matches!(rule, [rule] if rule.methods.len() == 1),
            "{rule:?}"
        );
        let note = &suggestion.notes[..];
        assert!(
            matches!(note, [note] if note.contains(url) && note.contains("method")),
            "{note:?}"
        );
    }
}

#[test]
fn a_note_is_said_once_however_often_there_was_reason_for_it() {
    let asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
    let odd = |place: &str| request("GET", &format!("https://{place}"));
    let suggestion = asking.suggest(&[
        odd("a.test/v1/%2e%2e%2fx"),
        odd("b.test/x%252fy"),
        odd("a.test/v1/%2e%2e%2fx"),
    ]);
    assert_eq!(suggestion.notes.len(), 2, "{:?}", suggestion.notes);
}

pub(super) fn connection(destination: &str) -> Observed {
    Observed::Connection {
        destination: destination.to_owned(),
    }
}

#[test]
fn connections_become_one_rule_for_each_host_with_the_ports_that_were_wanted() {
    let mut asking = Asking::new(&["wasi:sockets/tcp@0.2.6"]);
    asking.asks.tcp = toml::from_str::<Capabilities>("tcp = [{ host = '*', ports = '*' }]")
        .unwrap()
        .tcp;
    let suggestion = asking.suggest(&[
        connection("db.internal"),
        connection("db.internal:5432"),
        connection("DB.internal:6432"),
        connection("10.0.0.7:22"),
        connection("[fd00::7]:22"),
        connection("mail.internal"),
    ]);
    let text = suggestion.to_toml();
    let tcp = "tcp = [{ host = \"db.internal\", ports = [5432, 6432] }, { host = \"mail.internal\", ports = [1] }]\n";
    assert!(text.contains(tcp), "{text}");
    for (host, network) in [("10.0.0.7", "10.0.0.7/32"), ("[fd00::7]", "fd00::7/128")] {
        let private =
            format!("tcp = [{{ host = \"{host}\", ports = [22] }}]\nnetworks = [\"{network}\"]\n");
        assert!(text.contains(&private), "{text}");
    }
    assert!(text.contains("mail.internal was looked up"), "{text}");
    let policy = parsed(&suggestion);
    assert_eq!(policy.grants, suggestion.grants);
    let rights = asking.rights(&policy);
    let may = |host: &str, port| {
        rights
            .check_tcp(&crate::tcp_host(host).unwrap(), port)
            .is_ok()
    };
    assert!(
        may("db.internal", Some(5432)) && may("fd00::7", Some(22)) && may("mail.internal", None)
    );
    assert!(!may("db.internal", Some(22)) && !may("other.internal", None));

    // Before anything was seen, TCP is linked and leads nowhere.
    let first = asking.suggest(&[]);
    assert!(
        first.to_toml().contains("run it again"),
        "{}",
        first.to_toml()
    );
    assert!(asking.rights(&parsed(&first)).allows(Interface::WasiTcp));
}

#[test]
fn what_is_no_destination_makes_no_rule() {
    let asking = Asking::new(&[]);
    for bad in [
        "",
        ":1",
        "a:0",
        "a:65536",
        "a b:1",
        "[secret token]:1",
        "*:1",
        "a:1/x",
        "lo…:1",
        "x\u{a0}:1",
        // The host's own words for what is no destination.
        "any place",
        "this machine",
        "another socket",
        "the address of a name",
        "an address with a zone or a flow",
    ] {
        let suggestion = asking.suggest(&[connection(bad)]);
        assert!(suggestion.grants[0].tcp.is_empty(), "{bad}");
        assert!(suggestion.to_toml().starts_with("# no rule"), "{bad}");
    }
}

#[test]
fn when_nothing_was_seen_yet_a_rule_that_leads_nowhere_links_the_interface() {
    let mut asking = Asking::new(&["wharf:plugin/http@0.1.0", "wasi:http/types@0.2.6"]);
    asking.asks.secrets.truncate(1);
    let suggestion = asking.suggest(&[]);
    let policy = parsed(&suggestion);
    assert!(asking.rights(&policy).allows(Interface::Http));
    assert!(suggestion.to_toml().contains("run it again"));
    assert!(asking.with(|subject| can_run(&check(subject, &policy))));
}

#[test]
fn a_secret_that_only_the_manifest_names_gets_a_block_to_fill_in() {
    let asking = Asking::new(&["wharf:plugin/reveal@0.1.0", "wharf:plugin/secrets@0.1.0"]);
    let suggestion = asking.suggest(&[]);
    let shown = |note: &String| note.starts_with("`reveal` gives the plugin the value of `key`");
    assert_eq!(suggestion.notes.iter().filter(|n| shown(n)).count(), 1);
    let [unbound] = &suggestion.unbound[..] else {
        panic!("{:?}", suggestion.unbound);
    };
    assert_eq!(unbound.name, "key".parse().unwrap());
    let policy = parsed(&suggestion);
    assert!(asking.rights(&policy).allows(Interface::Reveal));
    assert!(!asking.rights(&policy).allows(Interface::Secrets));
    assert!(suggestion.to_toml().contains("leaves to you which"));
}

#[test]
fn what_the_record_left_out_and_a_path_that_no_rule_can_name_make_a_wider_rule_and_a_note() {
    for (method, destination, path) in [
        ("GET", "https://a.test/v1/[secret token]/x", "/v1"),
        ("GET", "https://a.test/v1/very/lo…", "/v1/very"),
        // Cut within a letter, and where more dots may follow.
        ("GET", "https://a.test/v1/%E3%81%82%E3%81%8…", "/v1"),
        ("GET", "https://a.test/v1/..…", "/v1"),
        ("GET", "https://a.test/a%2Fb/c", "/"),
        // What is behind the cut is below no path but `/`, and so is the whole.
        ("GET", "https://a.test/v1/[secret token]/..%2fadmin", "/"),
        ("GET", "https://a.test/v1/a%2fb/very/lo…", "/"),
    ] {
        let wanted = narrowest(method, destination).unwrap();
        assert_eq!(wanted.rule.path.as_str(), path, "{destination}");
        assert!(wanted.note.is_some(), "{destination}");
    }
    let suggestion = Asking::new(&[]).suggest(&[request("GET", "a URL that cannot be used")]);
    assert!(suggestion.grants[0].http.is_empty() && suggestion.notes.len() == 1);
    parsed(&suggestion);
}

#[test]
fn what_the_manifest_does_not_ask_for_makes_no_line_and_is_told_of() {
    let mut asking = Asking::new(&[]);
    asking.asks = toml::from_str(
        "http = [{ origin = 'https://a.test', path = '/v1', methods = ['GET'] }]\n\
         tcp = [{ host = 'db.test', ports = [5432] }]\n\
         secrets = [{ name = 'token', rungs = ['inject'] }]",
    )
    .unwrap();
    let secret = |name: &str, rung| Observed::Secret(name.parse().unwrap(), rung);
    let fine = [
        request("GET", "https://a.test/v1/x"),
        connection("db.test:5432"),
        secret("token", Rung::Inject),
    ];
    let smallest = asking.suggest(&fine);
    assert!(smallest.notes.is_empty(), "{:?}", smallest.notes);
    for (unasked, said) in [
        (
            request("POST", "https://a.test/v1/x"),
            "methods = [\"POST\"]",
        ),
        (request("GET", "https://a.test/v2"), "path = \"/v2\""),
        (request("GET", "https://b.test/v1"), "https://b.test"),
        // The line would be for every path, and the ask is for one that this is not below.
        (request("GET", "https://a.test/v1/a%2fb"), "https://a.test"),
        (connection("db.test:22"), "db.test:22"),
        (connection("mail.test"), "TCP to mail.test"),
        (
            secret("token", Rung::Reveal),
            "to reveal the secret `token`",
        ),
        (
            secret("other", Rung::Inject),
            "to inject the secret `other`",
        ),
    ] {
        let all: Vec<_> = fine.iter().cloned().chain([unasked]).collect();
        let suggestion = asking.suggest(&all);
        assert_eq!(suggestion.grants, smallest.grants, "{said}");
        assert!(suggestion.unbound.is_empty(), "{said}");
        let note = &suggestion.notes[..];
        assert!(
            matches!(note, [note] if note.contains(said) && note.contains("no grant allows it")),
            "{note:?}"
        );
    }
}

#[test]
fn a_host_of_which_no_port_is_asked_for_is_not_taken_for_one_that_was_only_looked_up() {
    let mut asking = Asking::new(&[]);
    asking.asks.tcp =
        toml::from_str::<Capabilities>("tcp = [{ host = 'db.test', ports = [5432] }]")
            .unwrap()
            .tcp;
    let suggestion = asking.suggest(&[connection("db.test:22")]);
    assert!(suggestion.grants[0].tcp.is_empty());
    assert_eq!(suggestion.notes.len(), 1, "{:?}", suggestion.notes);
    let looked_up = asking.suggest(&[connection("db.test")]);
    assert_eq!(looked_up.grants[0].tcp.len(), 1);
}

#[test]
fn an_import_that_no_rule_links_is_told_of() {
    let mut asking = Asking::new(&[
        "wharf:plugin/config@0.1.0",
        "wharf:plugin/http@0.1.0",
        "wharf:plugin/secrets@0.1.0",
        "evil:thing/now@1.0.0",
    ]);
    asking.asks = Capabilities::default();
    let none = asking.suggest(&[]);
    assert_eq!(none.notes.len(), 4, "{:?}", none.notes);
    for (note, import) in none.notes.iter().zip(&asking.imports) {
        assert!(
            note.starts_with(&format!("no grant links {import}")),
            "{note}"
        );
    }
    assert!(none.grants[0].http.is_empty());

    asking.asks.config = true;
    let suggestion = asking.suggest(&[]);
    let line = "config = { name = \"value\" }";
    assert!(suggestion.notes[0].contains(line), "{:?}", suggestion.notes);
    let pasted = format!("{}{line}\n", suggestion.to_toml());
    let policy = Policy::from_toml(&pasted).unwrap();
    assert!(asking.rights(&policy).allows(Interface::Config));
    let again = asking.with(|subject| suggest(subject, &policy, &[]));
    assert_eq!(again.notes.len(), 3, "{:?}", again.notes);
}

#[test]
fn a_name_that_led_to_a_metadata_service_is_forbidden_by_every_port_and_protocol() {
    let mut asking = Asking::new(&[]);
    asking.asks.tcp = toml::from_str::<Capabilities>("tcp = [{ host = '*', ports = '*' }]")
        .unwrap()
        .tcp;
    let suggestion = asking.suggest(&[
        request("GET", "https://meta.test:8443/"),
        request("GET", "http://meta.test/"),
        connection("meta.test:80"),
        address("http://meta.test/", "169.254.169.254"),
    ]);
    assert_eq!(suggestion.grants.len(), 1);
    assert!(!suggestion.grants[0].goes_out(), "{}", suggestion.to_toml());
    assert_eq!(suggestion.notes.len(), 3, "{:?}", suggestion.notes);
}

#[test]
fn a_destination_that_is_itself_a_private_address_is_opened_at_once() {
    let suggestion = Asking::new(&[]).suggest(&[request("GET", "http://10.0.0.7/x")]);
    let text = suggestion.to_toml();
    assert!(text.contains("networks = [\"10.0.0.7/32\"]"), "{text}");
    let public = Asking::new(&[]).suggest(&[request("GET", "http://8.8.8.8/x")]);
    assert!(!public.to_toml().contains("networks"));
}

#[test]
fn refusals_that_the_record_only_counts_are_told_of() {
    let suggestion = Asking::new(&[]).suggest(&[Observed::Untold, Observed::Untold]);
    let note = &suggestion.notes[..];
    assert!(
        matches!(note, [note] if note.contains("the record has no lines")),
        "{note:?}"
    );
}

/// As it is told what is covered: each with each.
fn slowly(rules: &[HttpRule]) -> Vec<HttpRule> {
    let covered = |rule: &&HttpRule| {
        !rules
            .iter()
            .any(|other| other != *rule && other.covers(rule))
    };
    rules.iter().filter(covered).cloned().collect()
}

fn used() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    prop::collection::vec((0..METHODS.len(), 0..ORIGINS.len(), 0..PATHS.len()), 0..8)
}

const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
const ORIGINS: [&str; 4] = [
    "https://a.test",
    "https://a.test:8443",
    "http://a.test",
    "https://b.a.test",
];
/// The last two are a metadata service and a gateway to it.
const ADDRESSES: [&str; 5] = [
    "127.0.0.1",
    "10.0.0.1",
    "fd00::1",
    "169.254.169.254",
    "64:ff9b::a9fe:a9fe",
];
const PATHS: [&str; 6] = ["/", "/v1", "/v1/x", "/v1/x/y", "/v1x", "/v2/x"];

proptest! {
    #[test]
    fn a_suggestion_allows_what_was_used_and_what_is_below_it_and_nothing_else(used in used()) {
        let asking = Asking::new(&[]);
        let observed: Vec<_> = used
            .iter()
            .map(|(m, o, p)| request(METHODS[*m], &format!("{}{}", ORIGINS[*o], PATHS[*p])))
            .collect();
        let rights = asking.rights(&parsed(&asking.suggest(&observed)));
        for (m, method) in METHODS.iter().enumerate() {
            for (o, origin) in ORIGINS.iter().enumerate() {
                for path in PATHS {
                    let below = |used: &str| used == "/" || path == used || path.starts_with(&format!("{used}/"));
                    let expected = used.iter().any(|(um, uo, up)| (*um, *uo) == (m, o) && below(PATHS[*up]));
                    let target = Target::of(&Url::parse(&format!("{origin}{path}")).unwrap()).unwrap();
                    let allowed = rights.check_request(method, &target).is_ok();
                    prop_assert_eq!(allowed, expected, "{} {}{}", method, origin, path);
                }
            }
        }
    }

    #[test]
    fn what_a_rule_above_covers_is_left_out_and_nothing_else(used in used()) {
        let asking = Asking::new(&[]);
        let observed: Vec<_> = used
            .iter()
            .map(|(m, o, p)| request(METHODS[*m], &format!("{}{}", ORIGINS[*o], PATHS[*p])))
            .collect();
        let rules = asking.suggest(&observed).grants.remove(0).http;
        prop_assert_eq!(&slowly(&rules), &rules);
        for (m, o, p) in used {
            let url = format!("{}{}", ORIGINS[o], PATHS[p]);
            let target = Target::of(&Url::parse(&url).unwrap()).unwrap();
            prop_assert!(rules.iter().any(|rule| rule.matches(METHODS[m], &target)), "{}", url);
        }
    }

    #[test]
    fn a_destination_is_open_to_the_addresses_that_it_led_to_and_closed_if_one_is_of_a_metadata_service(
        led in prop::collection::vec((0..ORIGINS.len(), 0..ADDRESSES.len()), 0..8)
    ) {
        let asking = Asking::new(&[]);
        let url = |origin: usize| format!("{}/", ORIGINS[origin]);
        let mut observed: Vec<_> = (0..ORIGINS.len()).map(|o| request("GET", &url(o))).collect();
        observed.extend(led.iter().map(|(o, a)| address(&url(*o), ADDRESSES[*a])));
        let rights = asking.rights(&parsed(&asking.suggest(&observed)));
        for (o, origin) in ORIGINS.iter().enumerate() {
            let target = Target::of(&Url::parse(&url(o)).unwrap()).unwrap();
            let granted = rights.check_request("GET", &target);
            let led_to = |a: usize| led.contains(&(o, a));
            // A name that led to one does so by whatever port and scheme: the first three are one.
            let host = |o: usize| if o < 3 { 0..3 } else { 3..4 };
            let forbidden = led.iter().any(|(other, a)| *a > 2 && host(o).contains(other));
            prop_assert_eq!(granted.is_ok(), !forbidden, "{}", origin);
            for (a, ip) in ADDRESSES.iter().enumerate() {
                let open = granted.as_ref().is_ok_and(|granted| {
                    granted.networks().check(ip.parse().unwrap()).is_ok()
                });
                prop_assert_eq!(open, granted.is_ok() && led_to(a), "{} {}", origin, ip);
            }
        }
    }

    #[test]
    fn whatever_a_plugin_asked_for_the_suggestion_is_a_policy(
        method in ".{0,10}", host in "[a-z.*:\\[\\]]{0,12}", path in ".{0,20}", name in "[a-z/-]{1,8}"
    ) {
        let asking = Asking::new(&["wharf:plugin/http@0.1.0"]);
        let mut observed = vec![request(&method, &format!("https://{host}/{path}"))];
        if let Ok(name) = name.parse::<SecretName>() {
            observed.push(Observed::Secret(name, Rung::Operate));
        }
        parsed(&asking.suggest(&observed));
    }
}
