//! What the table says, and that it says what a run would meet.

use proptest::prelude::*;

use super::*;

const HTTP: &str = "wharf:plugin/http@0.1.0";

fn rows(asks: &str, imports: &[&str], policy: &str) -> Vec<Row> {
    needing("", asks, imports, policy)
}

fn needing(needs: &str, asks: &str, imports: &[&str], policy: &str) -> Vec<Row> {
    let imports: Vec<String> = imports.iter().map(|i| (*i).to_owned()).collect();
    check(
        &Subject {
            plugin: &"tickets".parse().unwrap(),
            action: &"create".parse().unwrap(),
            asks: &toml::from_str(asks).unwrap(),
            needs: &toml::from_str(needs).unwrap(),
            imports: &imports,
        },
        &Policy::from_toml(policy).unwrap(),
    )
}

fn found(rows: &[Row], kind: Kind) -> Vec<Finding> {
    rows.iter()
        .filter(|row| row.kind == kind)
        .map(|row| row.finding)
        .collect()
}

const ASKS: &str = "http = [{ origin = 'https://api.test', path = '/v1' }]\n\
    secrets = [{ name = 'token', rungs = ['inject'] }]";

const SECRET: &str = "[[secret]]\nname='token'\nfrom='env:T'\nto=[{origin='https://api.test'}]\n";

#[test]
fn without_a_grant_everything_that_is_asked_for_is_missing_and_each_row_names_a_line() {
    let rows = rows(ASKS, &[HTTP, "wasi:cli/stdout@0.2.6"], "");
    assert!(!can_run(&rows));
    let missing: Vec<_> = rows.iter().map(|row| (row.kind, row.finding)).collect();
    assert_eq!(
        missing,
        [
            (Kind::Import, Finding::Missing),
            (Kind::Http, Finding::Missing),
            (Kind::Secret, Finding::Missing)
        ]
    );
    assert!(
        rows.iter().all(|row| row.note.contains("would allow it")),
        "{rows:?}"
    );
}

#[test]
fn a_grant_that_fits_makes_every_row_granted() {
    let policy = format!(
        "{SECRET}[[grant]]\nplugins=['tickets']\nhttp=[{{origin='https://api.test',path='/v1'}}]\n\
         secrets=[{{name='token'}}]"
    );
    let rows = rows(ASKS, &[HTTP], &policy);
    assert!(can_run(&rows));
    assert!(
        rows.iter().all(|row| row.finding == Finding::Granted),
        "{rows:?}"
    );
}

#[test]
fn what_is_wider_than_asked_or_than_wise_is_said() {
    let policy = format!(
        "{}[[grant]]\nplugins=['*']\n\
         http=[{{origin='https://*'}},{{origin='https://api.test'}},{{origin='https://other.test'}}]\n\
         networks=['169.254.0.0/16','0.0.0.0/0','10.1.0.0/16','fc00::/7']\n\
         secrets=[{{name='token',rungs=['inject','reveal']}}]\nlimits={{memory='1GiB',deadline='1s'}}\n\
         config={{region='eu'}}\n",
        SECRET.replace("to=[", "to=[{origin='http://api.test'},")
    );
    let asks = ASKS.replace("'inject'", "'inject','reveal'");
    let rows = rows(&asks, &[HTTP], &policy);
    assert_eq!(
        found(&rows, Kind::Http),
        [
            Finding::Granted,
            Finding::Wider,
            Finding::Wider,
            Finding::Unused
        ]
    );
    assert_eq!(
        found(&rows, Kind::Network),
        [
            Finding::Granted,
            Finding::Wider,
            Finding::Granted,
            Finding::Wider
        ]
    );
    let secrets: Vec<_> = rows
        .iter()
        .filter(|r| r.kind == Kind::Secret && r.asked.is_none())
        .collect();
    assert!(secrets[0].note.contains("plain http"), "{secrets:?}");
    assert!(secrets[1].note.contains("the value"), "{secrets:?}");
    assert_eq!(found(&rows, Kind::Limit), [Finding::Wider]);
    assert_eq!(found(&rows, Kind::Config), [Finding::Unused]);
    assert_eq!(found(&rows, Kind::Grant), [Finding::Wider]);
    assert!(can_run(&rows));
}

/// The findings about TCP under these rules, of a plugin that asks for two ports of a database.
fn database(rules: &str) -> (Finding, Vec<Finding>) {
    let asks = "tcp = [{ host = 'db.internal', ports = [5432, 6432] }]";
    let policy = format!("[[grant]]\nplugins=['tickets']\ntcp=[{rules}]");
    let found = found(&rows(asks, &[], &policy), Kind::Tcp);
    (found[0], found[1..].to_vec())
}

#[test]
fn connections_are_compared_by_the_hosts_and_ports_that_rules_allow_and_not_by_how_they_are_written()
 {
    use Finding::*;
    let more = "{ host = '*.internal', ports = [22, 3306, 5432, 6432] }";
    assert_eq!(database(more), (Granted, vec![Wider]));
    let more = "{ host = 'db.internal', ports = [22, 5432, 6432] }";
    assert_eq!(database(more), (Granted, vec![Wider]));
    let other_order = "{ host = 'db.internal', ports = [6432, 5432] }";
    assert_eq!(database(other_order), (Granted, vec![]));
    let all = "{ host = 'db.internal', ports = '*' }";
    assert_eq!(database(all), (Granted, vec![Wider]));
    let one = "{ host = 'db.internal', ports = [5432] }";
    assert_eq!(database(one), (Partly, vec![]));
    let one_and_one =
        "{ host = 'db.internal', ports = [5432] }, { host = 'db.internal', ports = [6432] }";
    assert_eq!(database(one_and_one), (Granted, vec![]));
    let others = "{ host = 'db.internal', ports = [22] }, { host = 'x.internal', ports = '*' }";
    assert_eq!(database(others), (Missing, vec![Unused, Unused]));
}

#[test]
fn methods_that_several_rules_allow_one_by_one_are_granted_as_a_whole() {
    let asks = "http = [{ origin = 'https://a.test', methods = ['GET', 'POST'] }]";
    let grant = |rules: &str| format!("[[grant]]\nplugins=['tickets']\nhttp=[{rules}]");
    let get = "{ origin = 'https://a.test', methods = ['GET'] }";
    let both = format!("{get}, {{ origin = 'https://a.test', methods = ['POST'] }}");
    let found = |rules: &str| found(&rows(asks, &[], &grant(rules)), Kind::Http);
    assert_eq!(found(get), [Finding::Partly]);
    assert_eq!(found(&both), [Finding::Granted]);
}

#[test]
fn every_name_below_one_label_is_wide_even_where_the_manifest_asks_for_it() {
    let asks =
        "http = [{ origin = 'https://*.com' }]\ntcp = [{ host = '*.internal', ports = [1] }]";
    let rows = rows(
        asks,
        &[],
        &format!("[[grant]]\nplugins=['tickets']\n{asks}"),
    );
    for (kind, label) in [(Kind::Http, "`com`"), (Kind::Tcp, "`internal`")] {
        let wide = |row: &&Row| row.kind == kind && row.finding == Finding::Wider;
        let row = rows.iter().find(wide).unwrap();
        assert!(row.note.contains(label), "{row:?}");
    }
    assert!(can_run(&rows));
}

/// The finding and the note about one network, beside a rule that has an effect.
fn network(network: &str) -> (Finding, String) {
    let policy = format!(
        "[[grant]]\nplugins=['tickets']\nhttp=[{{origin='https://api.test'}}]\nnetworks=['{network}']"
    );
    let rows = rows(ASKS, &[HTTP], &policy);
    let row = rows
        .into_iter()
        .find(|row| row.kind == Kind::Network)
        .unwrap();
    (row.finding, row.note)
}

#[test]
fn a_network_of_one_metadata_address_is_warned_of_and_one_that_merely_holds_it_is_not() {
    for (opens, service) in [
        ("169.254.169.254/32", "a cloud metadata address"),
        ("fd00:c1::a9fe:a9fe/128", "a cloud metadata address"),
        ("64:ff9b::a9fe:a9fe/128", "169.254.169.254"),
        ("::ffff:169.254.169.254/128", "169.254.169.254"),
    ] {
        let (finding, note) = network(opens);
        assert_eq!(finding, Finding::Wider, "{opens}");
        assert!(
            note.contains(service) && note.contains("credentials"),
            "{opens}: {note}"
        );
    }
    for holds in ["169.254.0.0/16", "100.64.0.0/10", "fd00:ec2::/48"] {
        let (finding, note) = network(holds);
        assert_eq!(finding, Finding::Granted, "{holds}");
        assert!(note.contains("stay closed"), "{holds}: {note}");
    }
    assert_eq!(network("10.0.0.0/8"), (Finding::Granted, String::new()));
    assert_eq!(network("10.0.0.1/32"), (Finding::Granted, String::new()));
}

#[test]
fn networks_have_an_effect_only_beside_a_rule_of_their_own_grant_that_is_asked_for() {
    let grant = |lines: &str| format!("[[grant]]\nplugins=['tickets']\n{lines}\n");
    let http = "http=[{origin='https://api.test'}]";
    let nets = "networks=['10.0.0.0/8']";
    let of = |policy: String| found(&rows(ASKS, &[HTTP], &policy), Kind::Network);
    assert_eq!(of(grant(&format!("{http}\n{nets}"))), [Finding::Granted]);
    let apart = grant(http) + &grant(nets);
    assert_eq!(of(apart), [Finding::Unused]);
    let unasked = "http=[{origin='https://other.test'}]";
    let beside_another = grant(http) + &grant(&format!("{unasked}\n{nets}"));
    assert_eq!(of(beside_another), [Finding::Unused]);
}

#[test]
fn a_credential_that_operate_puts_on_plain_http_is_warned_of() {
    let asks = "http = [{ origin = 'http://api.test' }]\n\
        secrets = [{ name = 'token', rungs = ['operate'] }]";
    for (operations, says) in [
        ("['bearer']", Some("anyone on the way reads it")),
        ("['hmac', 'basic']", Some("anyone on the way reads it")),
        ("['aws-sigv4']", Some("what it signs")),
        ("['hmac', 'sign', 'jwt']", None),
    ] {
        for scheme in ["http", "https"] {
            let policy = format!(
                "[[secret]]\nname='token'\nfrom='env:T'\nto=[{{origin='{scheme}://api.test'}}]\noperations={operations}\n\
                 [[grant]]\nplugins=['tickets']\nhttp=[{{origin='{scheme}://api.test'}}]\nsecrets=[{{name='token',rungs=['operate']}}]"
            );
            let rows = rows(asks, &[HTTP], &policy);
            let wide = |row: &&Row| row.kind == Kind::Secret && row.finding == Finding::Wider;
            let note = rows.iter().find(wide).map(|row| row.note.as_str());
            match says.filter(|_| scheme == "http") {
                Some(says) => assert!(note.unwrap().contains(says), "{operations}: {note:?}"),
                None => assert_eq!(note, None, "{operations} over {scheme}"),
            }
        }
    }
}

#[test]
fn a_grant_of_connections_to_every_plugin_is_wide_as_one_of_requests_is() {
    for rule in [
        "http=[{origin='https://api.test'}]",
        "tcp=[{host='db.test',ports=[1]}]",
    ] {
        let rows = rows("", &[], &format!("[[grant]]\nplugins=['*']\n{rule}"));
        assert_eq!(found(&rows, Kind::Grant), [Finding::Wider], "{rule}");
    }
}

#[test]
fn an_ask_for_anywhere_is_met_by_any_origin_and_wants_one() {
    let asks = "http = [{ origin = 'https://*:*' }]";
    let none = rows(asks, &[HTTP], "");
    assert!(!can_run(&none));
    assert!(none.iter().any(|row| row.note.contains("name the origins")));
    let one = rows(
        asks,
        &[HTTP],
        "[[grant]]\nplugins=['tickets']\nhttp=[{origin='https://a.test'}]",
    );
    assert!(can_run(&one));
    assert_eq!(found(&one, Kind::Http), [Finding::Partly]);
}

#[test]
fn an_import_that_no_host_offers_is_missing_for_good() {
    let rows = rows("", &["evil:thing/now@1.0.0"], "");
    assert!(!can_run(&rows) && rows[0].note.contains("no grant links it"));
}

#[test]
fn a_limit_that_the_manifest_asks_for_above_the_grant_is_told_with_its_line() {
    let grant = |lines: &str| format!("[[grant]]\nplugins=['tickets']\n{lines}\n");
    let needs = "deadline = '5m'\nmemory = '64MiB'\nrequests = 2000";
    let capped = |policy: &str| -> Vec<Row> {
        let rows = needing(needs, "", &[], policy);
        let capped = |row: &Row| row.kind == Kind::Limit && row.asked.is_some();
        rows.into_iter().filter(capped).collect()
    };
    let rows = capped(&grant("limits={deadline='30s'}"));
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row.finding, row.asked.as_deref(), row.granted.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (
                Finding::Partly,
                Some("deadline = \"5m\""),
                Some("deadline = \"30s\"")
            ),
            (
                Finding::Partly,
                Some("requests = 2000"),
                Some("requests = 1000")
            ),
        ]
    );
    assert!(can_run(&rows));
    let lines: String = rows
        .iter()
        .map(|row| grant(&crate::hints_tests::line(&row.note, "limits")))
        .collect();
    assert_eq!(capped(&lines), []);
}

#[test]
fn what_is_not_granted_of_a_wish_is_named_as_a_line_unless_it_is_for_any_host() {
    let grant = |rules: &str| format!("[[grant]]\nplugins=['tickets']\n{rules}\n");
    for (asks, granted, member) in [
        (
            "http = [{ origin = 'https://a.test', methods = ['GET', 'PUT', 'DELETE'] }]",
            "http = [{ origin = 'https://a.test', methods = ['GET'] }]",
            "http",
        ),
        (
            "tcp = [{ host = '*.a.test', ports = [1, 2] }]",
            "tcp = [{ host = 'b.a.test', ports = [2] }]",
            "tcp",
        ),
    ] {
        let first = rows(asks, &[], &grant(granted));
        assert_eq!(first[0].finding, Finding::Partly, "{first:?}");
        let line = crate::hints_tests::line(&first[0].note, member);
        let then = rows(asks, &[], &(grant(granted) + &grant(&line)));
        assert_eq!(then[0].finding, Finding::Granted, "{then:?}");
    }
    let any = rows(
        "http = [{ origin = 'https://*' }]",
        &[],
        &grant("http = [{ origin = 'https://a.test' }]"),
    );
    assert!(!any[0].note.contains("http ="), "{any:?}");
}

#[test]
fn a_method_for_anywhere_is_not_met_by_another_and_a_scheme_is() {
    let get = "[[grant]]\nplugins=['tickets']\nhttp=[{origin='https://a.test',methods=['GET']}]";
    let found = |first: &str, second: &str| {
        let asks = format!(
            "http = [{{ origin = 'https://*:*', methods = ['GET'] }}, {{ origin = '{first}://*:*', methods = [{second}] }}]"
        );
        found(&rows(&asks, &[HTTP], get), Kind::Http)
    };
    assert_eq!(
        found("https", "'DELETE'"),
        [Finding::Partly, Finding::Missing]
    );
    assert_eq!(
        found("http", "'DELETE'"),
        [Finding::Partly, Finding::Missing]
    );
    assert_eq!(
        found("http", "'GET', 'DELETE'"),
        [Finding::Partly, Finding::Missing]
    );
    assert_eq!(found("http", "'GET'"), [Finding::Partly, Finding::Optional]);
    let asks = "http = [{ origin = 'https://*', methods = ['GET'] }, { origin = 'http://*', methods = ['GET', 'DELETE'] }]";
    let delete = get.replace("https", "http").replace("GET", "DELETE");
    let first = rows(asks, &[HTTP], &delete);
    assert_eq!(first[1].finding, Finding::Missing, "{first:?}");
}

#[test]
fn anywhere_by_another_scheme_is_met_only_where_the_port_is_the_same_or_each_ones_own() {
    let second = |asked: &str, other: &str, granted: &str| {
        let asks = format!("http = [{{ origin = '{asked}' }}, {{ origin = '{other}' }}]");
        let policy = format!("[[grant]]\nplugins=['tickets']\nhttp=[{{origin='{granted}'}}]");
        found(&rows(&asks, &[HTTP], &policy), Kind::Http)[1]
    };
    use Finding::{Missing, Optional};
    let (own, high) = ("https://a.test", "https://a.test:8443");
    assert_eq!(second("https://*", "http://*", own), Optional);
    assert_eq!(second("https://*:*", "http://*:*", high), Optional);
    assert_eq!(second("https://*:8443", "http://*:8443", high), Optional);
    assert_eq!(second("https://*", "http://*:8080", own), Missing);
    assert_eq!(second("https://*:8443", "http://*", high), Missing);
    assert_eq!(second("https://*", "http://*:443", own), Optional);
    assert_eq!(second("https://*:*", "http://*", own), Missing);
    assert_eq!(second("https://*", "http://*:*", own), Missing);
}

#[test]
fn a_secret_for_nothing_that_the_plugin_may_reach_is_missing_and_says_what_it_needs() {
    let finding = |asks: &str, granted: &str, secret: &str, rung: &str| {
        let asks = format!("http=[{asks}]\nsecrets=[{{name='token',rungs=['{rung}']}}]");
        let policy = format!(
            "[[secret]]\nname='token'\nfrom='env:T'\n{secret}\n\
             [[grant]]\nplugins=['tickets']\nhttp=[{granted}]\nsecrets=[{{name='token',rungs=['{rung}']}}]"
        );
        let rows = rows(&asks, &[HTTP], &policy);
        let row = rows
            .iter()
            .find(|row| row.kind == Kind::Secret && row.asked.is_some())
            .unwrap();
        let why = match secret.ends_with("operations=[]") {
            true => "lists no `operations`",
            false => "`to`",
        };
        let missing = row.finding == Finding::Missing;
        assert_eq!(missing, row.note.contains(why));
        assert_eq!(missing, !can_run(&rows));
        row.finding
    };
    use Finding::{Granted, Missing};
    let of = |methods: &str| format!("{{origin='https://a.test',methods=[{methods}]}}");
    let to = |methods: &str| format!("to=[{}]", of(methods));
    let two = "'GET','POST'";
    assert_eq!(finding(&of(two), &of(two), &to("'GET'"), "inject"), Granted);
    assert_eq!(finding(&of(two), &of(two), &to("'PUT'"), "inject"), Missing);
    // Each two of them share a method, and the three share none.
    let (ask, granted) = (of(two), of("'POST','PUT'"));
    assert_eq!(
        finding(&ask, &granted, &to("'GET','PUT'"), "attach"),
        Missing
    );
    // And as their paths.
    let below = |path: &str| format!("{{origin='https://a.test',path='{path}'}}");
    let to = |path: &str| format!("to=[{}]", below(path));
    assert_eq!(
        finding(&below("/"), &below("/v1"), &to("/v1/x"), "inject"),
        Granted
    );
    assert_eq!(
        finding(&below("/"), &below("/v1"), &to("/v2"), "inject"),
        Missing
    );
    assert_eq!(
        finding(&below("/v1"), &below("/v2"), &to("/"), "inject"),
        Missing
    );
    let other = "to=[{origin='https://b.test'}]\noperations=";
    let operate = |operations: &str| {
        finding(
            &of(two),
            &of(two),
            &format!("{other}{operations}"),
            "operate",
        )
    };
    assert_eq!(operate("['bearer']"), Missing);
    assert_eq!(operate("['bearer','hmac']"), Granted);
    assert_eq!(operate("[]"), Missing);
    assert_eq!(finding(&of(two), &of(two), "", "reveal"), Granted);
}

#[test]
fn the_line_for_a_secret_that_goes_nowhere_lets_it_go_where_the_plugin_may() {
    let row = |asks: &str, granted: &str, block: &str, rung: &str| {
        let asks = format!("http=[{asks}]\nsecrets=[{{name='token',rungs=['{rung}']}}]");
        let policy = format!(
            "[[secret]]\nname='token'\nfrom='env:T'\n{block}\n\
             [[grant]]\nplugins=['tickets']\nhttp=[{granted}]\nsecrets=[{{name='token',rungs=['{rung}']}}]"
        );
        let rows = rows(&asks, &[], &policy);
        let mut rows = rows.into_iter();
        rows.find(|row| row.kind == Kind::Secret && row.asked.is_some())
            .unwrap()
    };
    let asks = "{origin='https://*'},{origin='https://*.a.test',path='/v1'}";
    let granted = "{origin='https://*'},{origin='https://b.a.test',methods=['GET']}";
    let other = "to=[{origin='https://other.test'}]";
    let lost = row(asks, granted, "to=[{origin='http://b.test'}]", "inject");
    let line = crate::hints_tests::line(&lost.note, "to");
    assert!(line.contains("b.a.test"), "{line}");
    assert_eq!(
        row(asks, granted, &line, "inject").finding,
        Finding::Granted
    );
    // Rather than that the secret goes elsewhere, the plugin is let go where the secret may.
    let to = "to=[{origin='http://api.test'},{origin='https://api.test',path='/v2'}]";
    let anywhere = "{origin='https://*'},{origin='http://*'}";
    for granted in [
        "{origin='https://nowhere.invalid'}",
        "{origin='https://other.test'}",
    ] {
        let lost = row(anywhere, granted, to, "inject");
        let line = crate::hints_tests::line(&lost.note, "http");
        let rule = line.trim_start_matches("http = [").trim_end_matches(']');
        assert!(
            rule.contains("https://api.test") && !rule.contains("http://"),
            "{line}"
        );
        let then = row(anywhere, &format!("{granted},{rule}"), to, "inject");
        assert_eq!(then.finding, Finding::Granted, "{line}");
    }
    // An encrypted destination comes first, and one that is none is no line.
    let granted =
        "{origin='http://b.test'},{origin='https://c.test'},{origin='https://nowhere.invalid'}";
    let elsewhere = row(granted, granted, other, "inject");
    assert!(elsewhere.note.contains("https://c.test"), "{elsewhere:?}");
    let nowhere = "to=[{origin='https://nowhere.invalid'}]";
    let lost = row(anywhere, "{origin='https://c.test'}", nowhere, "inject");
    assert!(
        lost.note
            .contains("there to = [{ origin = \"https://c.test\""),
        "{lost:?}"
    );
    // Where nothing can be reached, or anything, there is no such line.
    for asks in [
        "",
        "{origin='https://*'}",
        "{origin='https://nowhere.invalid'}",
    ] {
        let granted = "{origin='https://*'}";
        let lost = row(asks, granted, "to=[{origin='http://b.test'}]", "inject");
        assert!(lost.note.contains("grant the plugin"), "{lost:?}");
    }
    let idle = row(asks, granted, other, "operate");
    let line = crate::hints_tests::line(&idle.note, "operations");
    let then = row(asks, granted, &format!("{other}\n{line}"), "operate");
    assert_eq!(then.finding, Finding::Granted);
}

#[test]
fn a_secret_that_the_manifest_leaves_to_the_operator_and_that_goes_nowhere_has_no_effect() {
    let policy = format!(
        "{SECRET}[[grant]]\nplugins=['tickets']\nhttp=[{{origin='https://b.test'}}]\nsecrets=[{{name='token'}}]"
    );
    let asks = "http=[{origin='https://*'}]\nsecrets=[{name='*',rungs=['inject']}]";
    let rows = rows(asks, &[], &policy);
    assert_eq!(found(&rows, Kind::Secret), [Finding::Unused]);
    assert!(can_run(&rows));
}

/// The first note of what is refused as ambiguous of two secrets: each with `as`, what else its
/// block says, and its rung.
fn ambiguous(one: (&str, &str, &str), two: (&str, &str, &str), rules: [&str; 2]) -> Option<String> {
    let [asked, granted] = rules;
    let block = |name: &str, (place, more, _): (&str, &str, &str)| {
        format!("[[secret]]\nname='{name}'\nfrom='env:A'\nas={place}\n{more}\n")
    };
    let policy = format!(
        "{}{}[[grant]]\nplugins=['tickets']\nhttp=[{granted}]\n\
         secrets=[{{name='one',rungs=['{}']}},{{name='two',rungs=['{}']}}]",
        block("one", one),
        block("two", two),
        one.2,
        two.2,
    );
    let asks =
        format!("http=[{asked}]\nsecrets=[{{name='*',rungs=['inject','attach','operate']}}]");
    let rows = rows(&asks, &[HTTP], &policy);
    let mut notes = rows.into_iter().map(|row| row.note);
    notes.find(|note| note.contains("ambiguous"))
}

const A: &str = "{origin='https://a.test'}";
const TO_A: &str = "to=[{origin='https://a.test',path='/v1'}]";

#[test]
fn secrets_that_are_injected_into_one_place_of_the_same_requests_are_told_of() {
    let shared = |one: &str, two: &str, path: &str| {
        let to = format!("to=[{{origin='https://a.test',path='{path}'}}]");
        ambiguous((one, TO_A, "inject"), (two, &to, "inject"), [A, A])
    };
    let aws = "{aws-sigv4={region='r',service='s'}}";
    for (one, two, place) in [
        ("'bearer'", "'bearer'", "authorization"),
        ("'bearer'", "{basic={user='u'}}", "authorization"),
        ("'bearer'", aws, "authorization"),
        // As the host compares them, and not as they are written.
        (
            "{header={name='x-key'}}",
            "{header={name='x_key'}}",
            "x_key",
        ),
        ("{header={name='x-amz-date'}}", aws, "x-amz-date"),
        ("{query={name='key'}}", "{query={name='KEY[]'}}", "KEY[]"),
    ] {
        let note = shared(one, two, "/v1/x").unwrap();
        assert!(note.contains(&format!("`{place}`")), "{note}");
        assert_eq!(shared(one, two, "/v2"), None, "{one} {two}");
    }
    assert_eq!(shared("'bearer'", "{header={name='x-key'}}", "/v1"), None);
}

#[test]
fn secrets_for_the_same_requests_of_which_none_can_be_sent_are_not_ambiguous() {
    let bearer = ("'bearer'", TO_A, "inject");
    let below = |path: &str| format!("{{origin='https://a.test',path='{path}'}}");
    let found = |asked: &str, granted: &str| ambiguous(bearer, bearer, [asked, granted]).is_some();
    assert!(found(&below("/v1/x"), A) && found(A, &below("/v1/x")));
    assert!(!found(&below("/v2"), A) && !found(A, &below("/v2")));
    assert!(!found(&below("/v1/x"), &below("/v1/y")));
}

#[test]
fn a_secret_that_the_plugin_names_for_a_request_is_told_of_where_another_is_injected_into_its_place()
 {
    let injected = ("'bearer'", TO_A, "inject");
    let key = "{header={name='x-key'}}";
    let named = |place: &str, more: &str, rung: &str| {
        ambiguous((place, &format!("{TO_A}\n{more}"), rung), injected, [A, A])
    };
    let note = named("{basic={user='u'}}", "", "attach").unwrap();
    assert!(note.contains("if the plugin names `one`"), "{note}");
    assert_eq!(named(key, "", "attach"), None);
    // What it operates with goes where the operation says, whatever `as` is.
    let operate = |operations: &str| named(key, &format!("operations=[{operations}]"), "operate");
    assert!(operate("'hmac','basic'").is_some() && operate("'aws-sigv4'").is_some());
    assert_eq!(operate("'hmac','jwt'"), None);
    // Of two that the plugin names there is only one on a request.
    let attached = ("'bearer'", TO_A, "attach");
    assert_eq!(ambiguous(attached, attached, [A, A]), None);
}

#[test]
fn a_network_of_gateways_says_that_what_is_behind_them_must_be_open_as_well() {
    for gateways in [
        "64:ff9b::/96",
        "::ffff:0:0/96",
        "64:ff9b:1::/48",
        "2002:a00::/24",
    ] {
        let (finding, note) = network(gateways);
        assert_eq!(finding, Finding::Granted, "{gateways}");
        assert!(note.contains("must be open as well"), "{gateways}: {note}");
    }
    for other in ["10.0.0.0/8", "fd00::/48", "::/64", "fe80::/64"] {
        assert!(!network(other).1.contains("as well"), "{other}");
    }
}

#[test]
fn a_setting_that_several_grants_make_is_told_of_where_they_differ() {
    let grant = |value: &str| format!("[[grant]]\nplugins=['*']\nconfig={{region='{value}'}}\n");
    let row = |policy: String| {
        let rows = rows("config=true", &[], &policy);
        rows.into_iter()
            .find(|row| row.kind == Kind::Config)
            .unwrap()
    };
    let differ = row(grant("eu") + &grant("us"));
    assert!(differ.note.contains("`region`") && differ.note.contains("the last"));
    assert_eq!(differ.granted.as_deref(), Some("region"));
    assert_eq!(row(grant("eu") + &grant("eu")).note, "");
}

#[test]
fn an_import_of_a_version_that_is_not_linked_is_missing_for_good() {
    let policy = "[[grant]]\nplugins=['tickets']\nhttp=[{origin='https://api.test'}]";
    let finding = |import: &str| found(&rows(ASKS, &[import], policy), Kind::Import);
    for linked in [
        HTTP,
        "wharf:plugin/http@0.1.7",
        "wasi:http/types@0.2.99",
        "wasi:http/types@0.3.0",
    ] {
        assert_eq!(finding(linked), [Finding::Granted], "{linked}");
    }
    for other in [
        "wharf:plugin/http@9.0.0",
        "wharf:plugin/http@0.2.0",
        "wharf:plugin/http@0.1.0-rc.1",
        "wharf:plugin/http",
        "wasi:http/types@0.4.0",
        "wasi:http/types@1.2.0",
        "wasi:io/poll@0.3.0",
        "wharf:plugin/log@9.0.0",
    ] {
        assert_eq!(finding(other), [Finding::Missing], "{other}");
    }
}

#[test]
fn actions_that_the_same_grants_cover_are_checked_once_and_as_each_by_itself() {
    let policy = "[[grant]]\nplugins=['tickets']\nactions=['close','list']\nhttp=[{origin='https://api.test'}]\n\
        [[grant]]\nplugins=['tickets']\nactions=['list','show']\ntcp=[{host='a.test',ports=[1]}]\n\
        [[grant]]\nplugins=['other']\nactions=['show']";
    let policy = Policy::from_toml(policy).unwrap();
    let names = ["close", "create", "delete", "list", "show"];
    let actions: Vec<ActionName> = names.map(|name| name.parse().unwrap()).into();
    let asks = toml::from_str(ASKS).unwrap();
    let subject = Subject {
        plugin: &"tickets".parse().unwrap(),
        action: &actions[0],
        asks: &asks,
        needs: &LimitRequest::default(),
        imports: &[],
    };
    let groups = check_each(&subject, &actions, &policy);
    let mut told: Vec<Vec<&str>> = Vec::new();
    for (names, rows) in groups {
        for action in &names {
            let alone = check(&Subject { action, ..subject }, &policy);
            assert_eq!(alone, rows, "{action}");
        }
        told.push(names.into_iter().map(ActionName::as_str).collect());
    }
    told.sort();
    let expected: [&[&str]; 4] = [&["close"], &["create", "delete"], &["list"], &["show"]];
    assert_eq!(told, expected);
}

#[test]
fn of_many_rules_that_allow_one_wish_the_first_are_told_and_how_many_more_there_are() {
    let rules: Vec<String> = (0..40)
        .map(|n| format!("{{origin='https://h{n}.a.test'}}"))
        .collect();
    let policy = format!("[[grant]]\nplugins=['tickets']\nhttp=[{}]", rules.join(","));
    let rows = rows("http=[{origin='https://*.a.test'}]", &[], &policy);
    let granted = rows[0].granted.as_deref().unwrap();
    assert_eq!(granted.matches("origin").count(), 32);
    assert!(granted.ends_with("and 8 more"), "{granted}");
}

#[test]
fn grants_for_other_actions_do_not_count() {
    let policy =
        "[[grant]]\nplugins=['tickets']\nactions=['close']\nhttp=[{origin='https://api.test'}]";
    assert!(!can_run(&rows(ASKS, &[HTTP], policy)));
}

proptest! {
    /// The table and the linker agree about what can be linked.
    #[test]
    fn an_import_is_missing_exactly_if_the_rights_do_not_allow_it(
        ask_http in any::<bool>(), grant_http in any::<bool>(), ask in 0_usize..4, grant in 0_usize..4,
    ) {
        let rungs = ["inject", "attach", "operate", "reveal"];
        let mut asks = format!("secrets=[{{name='token',rungs=['{}']}}]\n", rungs[ask]);
        if ask_http { asks.push_str("http=[{origin='https://api.test'}]\n"); }
        let mut policy = format!("{SECRET}[[grant]]\nplugins=['tickets']\nsecrets=[{{name='token',rungs=['{}']}}]\n", rungs[grant]);
        if grant_http { policy.push_str("http=[{origin='https://api.test'}]\n"); }
        let imports = [HTTP, "wharf:plugin/http-credentials@0.1.0", "wharf:plugin/secrets@0.1.0", "wharf:plugin/reveal@0.1.0"];
        let rights = Rights::effective(
            &"tickets".parse().unwrap(), &"create".parse().unwrap(), &toml::from_str(&asks).unwrap(),
            &LimitRequest::default(), &Policy::from_toml(&policy).unwrap(), &CallRights::default(),
        );
        for row in rows(&asks, &imports, &policy).iter().filter(|row| row.kind == Kind::Import) {
            let interface = Interface::of_import(row.asked.as_deref().unwrap()).unwrap();
            prop_assert_eq!(row.finding == Finding::Granted, rights.allows(interface));
        }
    }
}
