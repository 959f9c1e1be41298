//! The secrets that are asked for and granted, and on which rung.

use super::{Finding, Kind, Row, granted_row, joined};
use crate::{
    Capabilities, Grant, HttpRule, Operation, Placement, Policy, Rights, Rung, SecretAsk,
    SecretBinding, SecretPattern,
};

pub(super) fn asked(asks: &Capabilities, rights: &Rights, rows: &mut Vec<Row>) {
    for ask in &asks.secrets {
        for rung in &ask.rungs {
            let granted: Vec<String> = rights
                .secrets()
                .filter(|(binding, rungs)| rungs.contains(rung) && ask.covers(&binding.name, *rung))
                .map(|(binding, _)| binding.name.to_string())
                .collect();
            let (finding, note) = match (&ask.name, granted.is_empty()) {
                (_, false) => (Finding::Granted, String::new()),
                (SecretPattern::Any, true) => (Finding::Optional, String::new()),
                (SecretPattern::Exactly(name), true) => (
                    Finding::Missing,
                    format!(
                        "in a [[grant]] for this plugin secrets = [{{ name = \"{name}\", rungs = [\"{rung}\"] }}] would allow it, with a [[secret]] block of that name"
                    ),
                ),
            };
            rows.push(Row {
                kind: Kind::Secret,
                finding,
                asked: Some(format!("{rung} {}", String::from(ask.name.clone()))),
                granted: joined(granted.into_iter()),
                note,
            });
        }
    }
}

pub(super) fn granted(
    asks: &Capabilities,
    policy: &Policy,
    grants: &[&Grant],
    rows: &mut Vec<Row>,
) {
    for secret in grants.iter().flat_map(|grant| &grant.secrets) {
        for rung in &secret.rungs {
            let asked = |ask: &SecretAsk| ask.covers(&secret.name, *rung);
            let what = format!("{rung} {}", secret.name);
            if !asks.secrets.iter().any(asked) {
                let note = "the manifest does not ask for it";
                rows.push(granted_row(Kind::Secret, Finding::Unused, what, note));
            } else if *rung == Rung::Reveal {
                let note = "the plugin gets the value, and can do with it what it likes";
                rows.push(granted_row(Kind::Secret, Finding::Wider, what, note));
            } else if let Some(note) = policy.secret(&secret.name).and_then(|s| exposed(s, *rung)) {
                rows.push(granted_row(Kind::Secret, Finding::Wider, what, note));
            }
        }
    }
}

/// What of a secret goes over plain http when it is used so.
fn exposed(binding: &SecretBinding, rung: Rung) -> Option<&'static str> {
    if !binding.to.iter().any(HttpRule::is_plain) {
        return None;
    }
    let does = |operation| binding.operations.contains(&operation);
    let (value, signature) = match (rung, &binding.placement) {
        (Rung::Inject | Rung::Attach, Placement::AwsSigv4(_)) => (false, true),
        (Rung::Inject | Rung::Attach, _) => (true, false),
        (Rung::Operate, _) => (
            does(Operation::Bearer) || does(Operation::Basic),
            does(Operation::AwsSigv4),
        ),
        (Rung::Reveal, _) => (false, false),
    };
    if value {
        Some("its [[secret]] block lets it go over plain http, where anyone on the way reads it")
    } else if signature {
        Some(
            "its [[secret]] block lets what it signs go over plain http, where anyone on the way reads that and the answer",
        )
    } else {
        None
    }
}
