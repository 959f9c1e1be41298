//! The secrets that are asked for and granted, and on which rung.

use std::collections::BTreeMap;

use super::reach::Reach;
use super::{Finding, Kind, Row, as_toml, granted_row, joined};
use crate::{
    Capabilities, Grant, HttpRule, Operation, OriginPattern, Placement, Policy, Rights, Rung,
    SecretAsk, SecretBinding, SecretPattern,
};

pub(super) fn asked(asks: &Capabilities, reach: &Reach<'_>, rights: &Rights, rows: &mut Vec<Row>) {
    // A manifest may ask for the same in many ways.
    let mut uses = BTreeMap::new();
    for ask in &asks.secrets {
        for rung in &ask.rungs {
            let has = rights.secrets();
            let (useful, useless): (Vec<_>, Vec<_>) = has
                .filter(|(binding, rungs)| rungs.contains(rung) && ask.covers(&binding.name, *rung))
                .map(|(binding, _)| binding)
                .partition(|binding| {
                    let use_of = || has_use(binding, *rung, reach);
                    *uses.entry((&binding.name, *rung)).or_insert_with(use_of)
                });
            let names = |bindings: &[&SecretBinding]| {
                joined(bindings.iter().map(|binding| binding.name.to_string()))
            };
            let (idle, lost): (Vec<_>, Vec<_>) = useless
                .iter()
                .partition(|binding| *rung == Rung::Operate && binding.operations.is_empty());
            let idle = names(&idle).map(|names| {
                format!("the [[secret]] block of {names} lists no `operations`, so nothing can be done with it")
            });
            let lost = names(&lost).map(|names| {
                format!("`to` of the [[secret]] block of {names} is for nothing that manifest and grant let the plugin reach")
            });
            let is_idle = idle.is_some();
            let nowhere = joined(idle.into_iter().chain(lost));
            let (finding, note) = match (&ask.name, useful.is_empty(), nowhere) {
                (_, false, nowhere) => (Finding::Granted, nowhere.unwrap_or_default()),
                (SecretPattern::Any, true, Some(nowhere)) => (Finding::Unused, nowhere),
                (SecretPattern::Exactly(_), true, Some(nowhere)) => {
                    // It is the only one that the ask covers.
                    let needed = match useless.first() {
                        Some(binding) if !is_idle => destination(binding, reach),
                        _ => OPERATIONS.to_owned(),
                    };
                    (Finding::Missing, format!("{nowhere}: {needed}"))
                }
                (SecretPattern::Any, true, None) => (Finding::Optional, String::new()),
                (SecretPattern::Exactly(name), true, None) => (
                    Finding::Missing,
                    format!(
                        "in a [[grant]] for this plugin secrets = [{{ name = \"{name}\", rungs = [\"{rung}\"] }}] would allow it, with a [[secret]] block of that name{}",
                        match rung {
                            Rung::Inject | Rung::Attach => " that has `to`",
                            Rung::Operate => " that has `operations`",
                            Rung::Reveal => "",
                        }
                    ),
                ),
            };
            rows.push(Row {
                kind: Kind::Secret,
                finding,
                asked: Some(format!("{rung} {}", String::from(ask.name.clone()))),
                granted: names(&useful).or_else(|| names(&useless)),
                note,
            });
        }
    }
}

const OPERATIONS: &str =
    "list there what the host may compute with it for the plugin, such as operations = [\"hmac\"]";

/// What a secret needs that goes nowhere: that the plugin may go where the secret may, rather than the
/// other way about.
fn destination(binding: &SecretBinding, reach: &Reach<'_>) -> String {
    if let Some(rule) = reach.asked_and_not_granted(&binding.to) {
        return format!(
            "in a [[grant]] for this plugin http = [{}], or the part of it that is meant, would allow it",
            as_toml(&rule)
        );
    }
    let named = |rule: &OriginPattern| {
        !rule.is_any_host() && rule.all_below().is_none() && !rule.is_nowhere()
    };
    match reach.first(named) {
        Some(rule) => format!(
            "there to = [{}], or the part of it that is meant, beside those that it has, would allow it, if the secret is for that",
            as_toml(&rule)
        ),
        None => "name in `to` what the secret is for, and grant the plugin that".to_owned(),
    }
}

/// Whether anything may be done with a secret, and where all that is for requests, whether there is
/// one that it can go onto.
fn has_use(binding: &SecretBinding, rung: Rung, reach: &Reach<'_>) -> bool {
    let onto_requests = match rung {
        Rung::Inject | Rung::Attach => true,
        Rung::Operate if binding.operations.is_empty() => return false,
        Rung::Operate => binding.operations.iter().all(|o| o.needs_destination()),
        Rung::Reveal => false,
    };
    !onto_requests || binding.to.iter().any(|to| reach.meets(to))
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
