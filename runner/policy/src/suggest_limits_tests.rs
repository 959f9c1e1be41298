//! A record may be full of what a plugin tried: there is an end to everything, and what counts is not
//! crowded out.

use super::tests::{Asking, address, connection, parsed, request};
use super::*;

#[test]
fn more_places_than_can_be_read_are_left_out_and_counted() {
    let asking = Asking::new(&[]);
    let odd = |n: usize| request("GET", &format!("https://a.test/v1/{n}"));
    let suggestion = asking.suggest(&(0..300).map(odd).collect::<Vec<_>>());
    assert_eq!(suggestion.grants[0].http.len(), 256);
    assert!(
        suggestion.notes[0].contains("for 44 of them"),
        "{:?}",
        suggestion.notes
    );
    parsed(&suggestion);
}

#[test]
fn more_methods_and_notes_than_can_be_read_are_left_out_and_counted_and_hide_nothing_of_another_kind()
 {
    let method = |n: usize| {
        format!(
            "{}{}",
            char::from(b'A' + (n / 26) as u8),
            char::from(b'A' + (n % 26) as u8)
        )
    };
    let mut observed: Vec<_> = (0..40)
        .map(|n| request(&method(n), "https://a.test/v1"))
        .collect();
    observed
        .extend((0..100).map(|n| Observed::Secret(format!("s{n}").parse().unwrap(), Rung::Attach)));
    observed.push(Observed::Secret("key".parse().unwrap(), Rung::Reveal));
    let suggestion = Asking::new(&[]).suggest(&observed);
    assert_eq!(suggestion.grants[0].http[0].methods.len(), 32);
    let said = |what: &str| {
        suggestion
            .notes
            .iter()
            .filter(|note| note.contains(what))
            .count()
    };
    assert_eq!(said("32 at https://a.test/v1, and 8 of them"), 1);
    assert_eq!(said("the manifest does not ask to attach"), 64);
    assert_eq!(
        said("36 more notes about what the manifest does not ask for"),
        1
    );
    assert_eq!(said("`reveal` gives the plugin the value of `key`"), 1);
    parsed(&suggestion);
}

#[test]
fn hosts_and_ports_that_the_manifest_does_not_ask_for_crowd_out_none_that_it_does() {
    let mut asking = Asking::new(&[]);
    asking.asks.tcp = toml::from_str::<Capabilities>(
        "tcp = [{ host = 'zz.test', ports = [5432] }, { host = '*.many.test', ports = '*' }]",
    )
    .unwrap()
    .tcp;
    let mut observed: Vec<_> = (0..300)
        .map(|n| connection(&format!("h{n}.test:1")))
        .collect();
    observed.extend((1..300).map(|port| connection(&format!("zz.test:{port}"))));
    observed.push(connection("zz.test:5432"));
    let suggestion = asking.suggest(&observed);
    let rules = &suggestion.grants[0].tcp;
    assert_eq!(rules.len(), 1, "{rules:?}");
    assert!(rules[0].matches(&crate::tcp_host("zz.test").unwrap(), 5432));
    // What is asked for is not without end either.
    observed.extend((0..300).map(|n| connection(&format!("h{n}.many.test:1"))));
    observed.extend((1..100).map(|port| connection(&format!("a.many.test:{port}"))));
    let suggestion = asking.suggest(&observed);
    assert_eq!(suggestion.grants[0].tcp.len(), 256);
    let said = |what: &str| suggestion.notes.iter().any(|note| note.contains(what));
    assert!(
        said("no rule is made for 46 of them"),
        "{:?}",
        suggestion.notes
    );
    assert!(
        said("a.many.test than 64, and 35 of them"),
        "{:?}",
        suggestion.notes
    );
    parsed(&suggestion);
}

#[test]
fn more_addresses_and_secrets_than_can_be_read_are_left_out_and_counted() {
    let mut observed = vec![request("GET", "https://a.test/")];
    observed.extend((0..100).map(|n| address("https://a.test/", &format!("10.0.0.{n}"))));
    observed
        .extend((0..300).map(|n| Observed::Secret(format!("s{n}").parse().unwrap(), Rung::Inject)));
    let suggestion = Asking::new(&[]).suggest(&observed);
    assert_eq!(suggestion.grants[0].networks.iter().count(), 64);
    assert_eq!(
        (suggestion.grants[0].secrets.len(), suggestion.unbound.len()),
        (256, 256)
    );
    let said = |what: &str| suggestion.notes.iter().any(|note| note.contains(what));
    assert!(
        said("than 64, and 36 of them") && said("than 256, and 44 of them"),
        "{:?}",
        suggestion.notes
    );
    parsed(&suggestion);
}

#[test]
fn what_is_said_of_each_place_hides_no_total() {
    let mut observed = Vec::new();
    for place in 0..300 {
        let methods = if place < 70 { 33 } else { 1 };
        observed.extend((0..methods).map(|n| {
            let letters = [n / 26, n % 26].map(|n| char::from(b'A' + n as u8));
            request(
                &letters.iter().collect::<String>(),
                &format!("https://a.test/v1/{place}"),
            )
        }));
    }
    let suggestion = Asking::new(&[]).suggest(&observed);
    let said = |what: &str| suggestion.notes.iter().any(|note| note.contains(what));
    assert!(said("6 more notes about the record"), "{suggestion:?}");
    assert!(said("no rule is made for 44 of them"), "{suggestion:?}");
}

#[test]
fn of_one_rule_is_said_once_why_it_is_wider() {
    let method = |n: usize| ["GET", "POST", "PUT"][n % 3];
    let mut observed: Vec<_> = (0..100)
        .map(|n| request(method(n), &format!("https://a.test/v1/{n}%2f..")))
        .collect();
    observed.push(request("GET", "https://z.test/%2fadmin"));
    let suggestion = Asking::new(&[]).suggest(&observed);
    let wider = suggestion
        .notes
        .iter()
        .filter(|note| note.contains("covers every path"));
    assert_eq!(wider.count(), 2, "{:?}", suggestion.notes);
}

#[test]
fn names_that_are_only_guessed_take_no_room_of_a_secret_that_is_there_or_was_sent() {
    let inject = |name: &str| Observed::Secret(name.parse().unwrap(), Rung::Inject);
    let mut observed: Vec<_> = (0..300).map(|n| inject(&format!("a{n}"))).collect();
    observed.push(Observed::Carried {
        secret: "sent".parse().unwrap(),
        method: "GET".to_owned(),
        destination: "https://b.test/".to_owned(),
    });
    observed.extend([inject("sent"), inject("token")]);
    let suggestion = Asking::new(&[]).suggest(&observed);
    let granted = &suggestion.grants[0].secrets;
    assert_eq!(granted.len(), 256);
    assert!(granted.is_sorted_by_key(|secret| &secret.name));
    for name in ["sent", "token"] {
        assert!(
            granted.iter().any(|secret| secret.name.as_str() == name),
            "{name}"
        );
    }
}

#[test]
fn names_that_are_only_guessed_hide_nothing_that_is_said_of_a_secret_that_is_there() {
    let mut asking = Asking::new(&[]);
    for ask in &mut asking.asks.secrets {
        ask.rungs = vec![Rung::Reveal];
    }
    let reveal = |name: &str| Observed::Secret(name.parse().unwrap(), Rung::Reveal);
    let mut observed: Vec<_> = (0..100).map(|n| reveal(&format!("a{n}"))).collect();
    observed.push(reveal("token"));
    let suggestion = asking.suggest(&observed);
    let said = |what: &str| suggestion.notes.iter().any(|note| note.contains(what));
    assert!(said("the value of `token`"), "{:?}", suggestion.notes);
    assert!(
        said("37 more notes about secrets"),
        "{:?}",
        suggestion.notes
    );
}
