//! What the table says, and that it says what a run would meet.

use proptest::prelude::*;

use super::*;

const HTTP: &str = "wharf:plugin/http@0.1.0";

fn rows(asks: &str, imports: &[&str], policy: &str) -> Vec<Row> {
    let imports: Vec<String> = imports.iter().map(|i| (*i).to_owned()).collect();
    check(
        &Subject {
            plugin: &"tickets".parse().unwrap(),
            action: &"create".parse().unwrap(),
            asks: &toml::from_str(asks).unwrap(),
            needs: &LimitRequest::default(),
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
        SECRET.replace("https", "http")
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
            Finding::Wider,
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
    assert!(!can_run(&rows) && rows[0].note.contains("no grant can"));
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
