//! The `[[secret]]` blocks of what was used.

use super::tests::{Asking, address, parsed, request};
use super::*;
use crate::check;

fn carried(secret: &str, rung: Rung, destination: &str) -> [Observed; 3] {
    let secret: SecretName = secret.parse().unwrap();
    let method = "GET".to_owned();
    let carried = Observed::Carried {
        secret: secret.clone(),
        method,
        destination: destination.to_owned(),
    };
    [
        request("GET", destination),
        carried,
        Observed::Secret(secret, rung),
    ]
}

#[test]
fn the_block_of_a_secret_that_the_policy_has_not_lets_it_go_where_it_went_and_nowhere_else() {
    let mut asking = Asking::new(&[]);
    asking.asks.http = toml::from_str::<Capabilities>("http = [{ origin = 'https://*' }]")
        .unwrap()
        .http;
    let mut observed = vec![request("GET", "https://other.test/")];
    observed.extend(carried("new", Rung::Inject, "https://b.test/v1/x"));
    // What is not asked for and what is a metadata service is no place for it.
    observed.extend(carried("new", Rung::Inject, "https://b.test:8443/"));
    observed.extend(carried("new", Rung::Inject, "https://meta.test/"));
    observed.push(address("https://meta.test/", "169.254.169.254"));
    let suggestion = asking.suggest(&observed);
    let policy = parsed(&suggestion);
    let to = &policy.secret(&"new".parse().unwrap()).unwrap().to;
    let wanted = narrowest("GET", "https://b.test/v1/x").unwrap().rule;
    assert_eq!(to[..], [wanted], "{}", suggestion.to_toml());
    let rows = asking.with(|subject| check(subject, &policy));
    let injects = |row: &&crate::Row| row.granted.as_deref() == Some("new");
    assert_eq!(
        rows.iter().find(injects).unwrap().finding,
        crate::Finding::Granted
    );
}

#[test]
fn a_rung_that_no_policy_grants_without_a_destination_is_left_out_with_the_line_that_it_needs() {
    let asking = Asking::new(&[]);
    for (rung, block) in [
        (Rung::Inject, ""),
        (Rung::Attach, ""),
        (Rung::Operate, "operations=['hmac','basic']"),
    ] {
        let block = |to: &str| format!("[[secret]]\nname='key'\nfrom='env:T'\n{block}\n{to}\n");
        let suggest = |block: &str, observed: &[Observed]| {
            let policy = Policy::from_toml(block).unwrap();
            asking.with(|subject| suggest(subject, &policy, observed))
        };
        let observed = carried("key", rung, "https://b.test/v1");
        let first = suggest(&block(""), &observed);
        Policy::from_toml(&format!("{}{}", block(""), first.to_toml())).unwrap();
        assert!(first.grants[0].secrets.is_empty() && first.unbound.is_empty());
        let note = first
            .notes
            .iter()
            .find(|note| note.contains("left out"))
            .unwrap();
        let to = crate::hints_tests::line(note, "to");
        let then = suggest(&block(&to), &observed);
        assert!(then.notes.is_empty(), "{:?}", then.notes);
        assert_eq!(then.grants[0].secrets[0].rungs, [rung]);
        Policy::from_toml(&format!("{}{}", block(&to), then.to_toml())).unwrap();
        // Where the record does not tell where it is to go.
        let unknown = suggest(&block(""), &observed[2..]);
        assert!(
            unknown.notes[0].contains("say there where it may go"),
            "{:?}",
            unknown.notes
        );
        assert!(unknown.grants[0].secrets.is_empty());
        // And where it went elsewhere than its block says now.
        let other = suggest(&block("to=[{origin='https://c.test'}]"), &observed);
        assert!(other.notes[0].contains(&to), "{:?}", other.notes);
    }
    // What needs no destination is granted without one.
    let policy = "[[secret]]\nname='key'\nfrom='env:T'\noperations=['hmac']\n";
    let observed =
        [Rung::Operate, Rung::Reveal].map(|rung| Observed::Secret("key".parse().unwrap(), rung));
    let policy = Policy::from_toml(policy).unwrap();
    let suggestion = asking.with(|subject| suggest(subject, &policy, &observed));
    assert_eq!(
        suggestion.grants[0].secrets[0].rungs,
        [Rung::Operate, Rung::Reveal]
    );
}

#[test]
fn several_rules_of_a_block_may_cover_what_is_one_rule_here() {
    let asking = Asking::new(&[]);
    let of = |to: &str| {
        let policy = format!("[[secret]]\nname='key'\nfrom='env:T'\nto=[{to}]\n");
        let policy = Policy::from_toml(&policy).unwrap();
        let mut observed = carried("key", Rung::Inject, "https://a.test/v1").to_vec();
        observed.push(Observed::Carried {
            secret: "key".parse().unwrap(),
            method: "POST".to_owned(),
            destination: "https://a.test/v1".to_owned(),
        });
        asking
            .with(|subject| suggest(subject, &policy, &observed))
            .notes
    };
    let get = "{origin='https://a.test',methods=['GET']}";
    let both = format!("{get},{{origin='https://a.test',path='/v1',methods=['POST']}}");
    assert_eq!(of(&both), [""; 0]);
    let lacking = of(get);
    assert!(
        lacking[0].contains("POST") && !lacking[0].contains("GET"),
        "{lacking:?}"
    );
}
