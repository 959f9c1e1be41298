//! What a plugin asks for against what a policy grants it: what is there, what is missing, what is
//! wider than it need be. For people to read before they let something run.
//!
//! This decides nothing: what a run may do is [`Rights`], and where a row says that something is
//! missing or has no effect, it is because the rights of the run say so, or because no request that
//! they allow is one that a secret may go onto.

mod destinations;
mod limits;
mod networks;
mod reach;
mod secrets;
mod shared;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::reach::Reach;
use crate::{
    ActionName, CallRights, Capabilities, Grant, Interface, LimitRequest, PluginName, Policy,
    Rights,
};

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The plugin, by its signed manifest.
    pub plugin: &'a PluginName,
    /// One of its actions.
    pub action: &'a ActionName,
    /// What it asks for.
    pub asks: &'a Capabilities,
    /// The limits it asks for.
    pub needs: &'a LimitRequest,
    /// What its component imports.
    pub imports: &'a [String],
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An import of the component.
    Import,
    /// Where requests may go.
    Http,
    /// Where connections may go.
    Tcp,
    /// Addresses that are not public.
    Network,
    /// A secret and a rung.
    Secret,
    /// The operator's settings.
    Config,
    /// A limit.
    Limit,
    /// A `[[grant]]` block as a whole.
    Grant,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Asked for, needed, and not granted: it cannot run, or not do its work.
    Missing,
    /// Granted, and more than was asked for or more than is wise.
    Wider,
    /// Granted, and without effect: it was not asked for, or nothing else lets it be used.
    Unused,
    /// A part of what is asked for is granted.
    Partly,
    /// Asked for and granted.
    Granted,
    /// Asked for in case it is granted, and it is not.
    Optional,
}

/// One thing that is asked for or granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What it is about.
    pub kind: Kind,
    /// How it stands.
    pub finding: Finding,
    /// What the manifest or the component asks for.
    pub asked: Option<String>,
    /// What is granted of it.
    pub granted: Option<String>,
    /// What there is to know, and for what is missing the line that would allow it.
    pub note: String,
}

/// Compares one action of a plugin with a policy.
pub fn check(subject: &Subject<'_>, policy: &Policy) -> Vec<Row> {
    let rights = Rights::effective(
        subject.plugin,
        subject.action,
        subject.asks,
        subject.needs,
        policy,
        &CallRights::default(),
    );
    let grants: Vec<&Grant> = policy
        .grants
        .iter()
        .filter(|grant| grant.covers(subject.plugin, subject.action))
        .collect();
    let mut rows = Vec::new();
    imports(subject, &rights, &mut rows);
    destinations::http(subject.asks, &grants, &mut rows);
    destinations::tcp(subject.asks, &grants, &mut rows);
    networks::rows(subject.asks, &grants, &mut rows);
    let reach = Reach::new(subject.asks, &grants);
    secrets::asked(subject.asks, &reach, &rights, &mut rows);
    secrets::granted(subject.asks, policy, &grants, &mut rows);
    shared::rows(&rights, &reach, &mut rows);
    config(subject.asks, &grants, &mut rows);
    limits::raised(&grants, &mut rows);
    limits::capped(subject.needs, &rights, &mut rows);
    patterns(&grants, &mut rows);
    rows.sort_by_key(|row| row.kind);
    rows
}

/// Compares actions of a plugin with a policy: those that the same grants cover once, for they stand
/// alike. The subject's own action is not looked at.
pub fn check_each<'a>(
    subject: &Subject<'_>,
    actions: impl IntoIterator<Item = &'a ActionName>,
    policy: &Policy,
) -> Vec<(Vec<&'a ActionName>, Vec<Row>)> {
    let mut alike: BTreeMap<Vec<usize>, Vec<&ActionName>> = BTreeMap::new();
    for action in actions {
        let grants = policy.grants.iter().enumerate();
        let covering = grants.filter(|(_, grant)| grant.covers(subject.plugin, action));
        let covering = covering.map(|(at, _)| at).collect();
        alike.entry(covering).or_default().push(action);
    }
    let rows = |actions: Vec<&'a ActionName>| {
        let rows = match actions.first() {
            Some(action) => check(&Subject { action, ..*subject }, policy),
            None => Vec::new(),
        };
        (actions, rows)
    };
    alike.into_values().map(rows).collect()
}

/// Whether nothing is missing that it needs.
pub fn can_run(rows: &[Row]) -> bool {
    rows.iter().all(|row| row.finding != Finding::Missing)
}

fn imports(subject: &Subject<'_>, rights: &Rights, rows: &mut Vec<Row>) {
    for import in subject.imports {
        let (finding, note) = match Interface::of_import(import) {
            None => (
                Finding::Missing,
                "this host offers it to no plugin, or not in that version: no grant links it"
                    .to_owned(),
            ),
            Some(interface) => match interface.grant_hint() {
                // What every plugin has is not worth a row.
                None => continue,
                Some(_) if rights.allows(interface) => (Finding::Granted, String::new()),
                Some(hint) => (Finding::Missing, format!("{hint} would allow it")),
            },
        };
        rows.push(Row {
            kind: Kind::Import,
            finding,
            asked: Some(import.clone()),
            granted: (finding == Finding::Granted).then(|| "linked".to_owned()),
            note,
        });
    }
}

/// A rule as a policy file has it.
pub(crate) fn as_toml(rule: &impl Serialize) -> String {
    let mut text = String::new();
    // A rule is texts in a table, which TOML can always write.
    let written = rule.serialize(toml::ser::ValueSerializer::new(&mut text));
    debug_assert!(written.is_ok(), "{written:?}");
    text
}

fn config(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    let mut settings: BTreeMap<&str, &str> = BTreeMap::new();
    let mut several = BTreeSet::new();
    for (name, value) in grants.iter().flat_map(|grant| &grant.config) {
        if settings
            .insert(name, value)
            .is_some_and(|before| before != value)
        {
            several.insert(format!("`{name}`"));
        }
    }
    let (finding, note) = match (asks.config, settings.is_empty()) {
        (false, true) => return,
        (false, false) => (
            Finding::Unused,
            "the manifest does not ask for it".to_owned(),
        ),
        (true, true) => (Finding::Optional, String::new()),
        (true, false) => {
            let last =
                |names| format!("several grants set {names}: the last of them in the file counts");
            let note = joined(several.into_iter()).map_or_else(String::new, last);
            (Finding::Granted, note)
        }
    };
    rows.push(Row {
        kind: Kind::Config,
        finding,
        asked: asks.config.then(|| "settings".to_owned()),
        granted: joined(settings.into_keys().map(str::to_owned)),
        note,
    });
}

/// Grants for every plugin that give more than limits.
fn patterns(grants: &[&Grant], rows: &mut Vec<Row>) {
    for grant in grants {
        let everyone = grant.plugins.contains(&crate::NamePattern::Any);
        if everyone && (grant.goes_out() || !grant.secrets.is_empty()) {
            let note = "every plugin has it, also those that are trusted later";
            rows.push(granted_row(
                Kind::Grant,
                Finding::Wider,
                "plugins = [\"*\"]".to_owned(),
                note,
            ));
        }
    }
}

fn granted_row(kind: Kind, finding: Finding, granted: String, note: &str) -> Row {
    Row {
        kind,
        finding,
        asked: None,
        granted: Some(granted),
        note: note.to_owned(),
    }
}

fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let texts: Vec<_> = texts.collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
