//! Where a plugin may go, by `http` and by `tcp`: two kinds of rule that are compared alike.

use serde::Serialize;

use super::{Finding, Kind, Row, as_toml, granted_row, joined};
use crate::{Capabilities, Grant, HttpRule, TcpRule};

/// A rule that allows destinations.
pub(super) trait Destination: Serialize + Sized {
    /// Whether it allows all that the other does.
    fn covers(&self, other: &Self) -> bool;
    /// Whether both allow anything.
    fn overlaps(&self, other: &Self) -> bool;
    /// The same in rules of one method or port each, where it lists them: such a part is allowed
    /// by one rule, where the whole may be allowed by several.
    fn parts(&self) -> Vec<Self>;
    fn is_any_host(&self) -> bool;
    /// Whether both are for the same but for the scheme.
    fn differs_in_scheme_alone(&self, other: &Self) -> bool;
    /// Why it is wider than is wise, whoever asks for it.
    fn unwise(&self) -> Option<String>;
}

impl Destination for HttpRule {
    fn covers(&self, other: &Self) -> bool {
        Self::covers(self, other)
    }
    fn overlaps(&self, other: &Self) -> bool {
        Self::overlaps(self, other)
    }
    fn parts(&self) -> Vec<Self> {
        self.by_method()
    }
    fn is_any_host(&self) -> bool {
        self.origin.is_any_host()
    }
    fn differs_in_scheme_alone(&self, other: &Self) -> bool {
        self.is_twin_of(other)
    }
    fn unwise(&self) -> Option<String> {
        let any = self.is_any_host().then(|| ANY_HOST.to_owned());
        any.or_else(|| self.origin.all_below().map(all_below))
    }
}

impl Destination for TcpRule {
    fn covers(&self, other: &Self) -> bool {
        Self::covers(self, other)
    }
    fn overlaps(&self, other: &Self) -> bool {
        Self::overlaps(self, other)
    }
    fn parts(&self) -> Vec<Self> {
        self.by_port()
    }
    fn is_any_host(&self) -> bool {
        Self::is_any_host(self)
    }
    fn differs_in_scheme_alone(&self, _: &Self) -> bool {
        false
    }
    fn unwise(&self) -> Option<String> {
        let any = self.is_any_host().then(|| ANY_HOST.to_owned());
        any.or_else(|| self.host.all_below().map(all_below))
            .or_else(|| self.is_any_port().then(|| ANY_PORT.to_owned()))
    }
}

const ANY_HOST: &str = "any host: name the hosts that are meant";
const ANY_PORT: &str = "any port: name the ports that are meant";

fn all_below(label: &str) -> String {
    format!("every name below `{label}`: name the hosts that are meant, or a name below it")
}

pub(super) fn http(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    let granted: Vec<&HttpRule> = grants.iter().flat_map(|grant| &grant.http).collect();
    let example =
        "name the origins that it is for, as in http = [{ origin = \"https://api.example\" }]";
    compare(Kind::Http, ("http", example), &asks.http, &granted, rows);
}

pub(super) fn tcp(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    let granted: Vec<&TcpRule> = grants.iter().flat_map(|grant| &grant.tcp).collect();
    let example =
        "name the hosts that it is for, as in tcp = [{ host = \"db.example\", ports = [5432] }]";
    compare(Kind::Tcp, ("tcp", example), &asks.tcp, &granted, rows);
}

/// What of a rule is not allowed by one of these as a whole, method by method or port by port.
fn uncovered<'r, R: Destination + 'r>(
    rules: impl Iterator<Item = &'r R> + Clone,
    rule: &R,
) -> Vec<R> {
    let mut parts = rule.parts();
    parts.retain(|part| !rules.clone().any(|one| one.covers(part)));
    parts
}

/// The most rules that are told of one ask.
const MOST: usize = 32;

/// Rules as they are told, if there are any.
fn told<R: Destination>(rules: &[&R]) -> Option<String> {
    let more = rules.len().saturating_sub(MOST);
    let more = (more > 0).then(|| format!("and {more} more"));
    joined(rules.iter().take(MOST).map(as_toml).chain(more))
}

fn compare<R: Destination>(
    kind: Kind,
    (member, example): (&str, &str),
    asks: &[R],
    granted: &[&R],
    rows: &mut Vec<Row>,
) {
    let within = |ask: &R| -> Vec<&R> {
        let rules = granted.iter().copied();
        rules.filter(|rule| rule.overlaps(ask)).collect()
    };
    for ask in asks {
        let within_it = within(ask);
        let (finding, note) = if within_it.is_empty() {
            // "Anywhere" by two schemes is met by one.
            let mut twins = asks
                .iter()
                .filter(|other| ask.differs_in_scheme_alone(other));
            match ask.is_any_host() {
                true if twins.any(|twin| !within(twin).is_empty()) => {
                    (Finding::Optional, String::new())
                }
                true => (
                    Finding::Missing,
                    format!("it goes where the operator lets it: {example}"),
                ),
                false => (
                    Finding::Missing,
                    format!(
                        "in a [[grant]] for this plugin {member} = [{}] would allow it",
                        as_toml(ask)
                    ),
                ),
            }
        } else {
            let rest = uncovered(within_it.iter().copied(), ask);
            match (rest.is_empty(), ask.unwise()) {
                (true, _) => (Finding::Granted, String::new()),
                (false, Some(_)) => (Finding::Partly, "the rest is refused".to_owned()),
                (false, None) => {
                    let rest: Vec<String> = rest.iter().map(as_toml).collect();
                    let note = format!(
                        "the rest is refused: in a [[grant]] for this plugin {member} = [{}] would allow it",
                        rest.join(", ")
                    );
                    (Finding::Partly, note)
                }
            }
        };
        rows.push(Row {
            kind,
            finding,
            asked: Some(as_toml(ask)),
            granted: told(&within_it),
            note,
        });
    }
    for rule in granted {
        let (finding, note) = if !asks.iter().any(|ask| ask.overlaps(rule)) {
            (
                Finding::Unused,
                "the manifest does not ask for it".to_owned(),
            )
        } else if let Some(why) = rule.unwise() {
            (Finding::Wider, why)
        } else if !uncovered(asks.iter(), *rule).is_empty() {
            let note = "more than the manifest asks for; the rest has no effect";
            (Finding::Wider, note.to_owned())
        } else {
            continue;
        };
        rows.push(granted_row(kind, finding, as_toml(rule), &note));
    }
}
