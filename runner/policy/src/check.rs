//! What a plugin asks for against what a policy grants it: what is there, what is missing, what is
//! wider than it need be. For people to read before they let something run.
//!
//! This decides nothing: what a run may do is [`Rights`], and where a row says that something is
//! missing or has no effect, it is because the rights of the run say so.

use serde::Serialize;

use crate::host::HostPattern;
use crate::{
    ActionName, CallRights, Capabilities, Grant, HttpRule, Interface, LimitRequest, PluginName,
    Policy, Ports, Rights, Rung, SecretAsk, SecretPattern, TcpRule,
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
    /// Granted, and without effect because it was not asked for.
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
    http(subject.asks, &grants, &mut rows);
    tcp(subject.asks, &grants, &mut rows);
    networks(&grants, &mut rows);
    asked_secrets(subject.asks, &rights, &mut rows);
    granted_secrets(subject.asks, policy, &grants, &mut rows);
    config(subject.asks, &grants, &mut rows);
    limits(&grants, &mut rows);
    patterns(&grants, &mut rows);
    rows.sort_by_key(|row| row.kind);
    rows
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
                "this host offers it to no plugin: no grant can allow it".to_owned(),
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

fn http(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    let granted: Vec<&HttpRule> = grants.iter().flat_map(|grant| &grant.http).collect();
    let somewhere = granted
        .iter()
        .any(|rule| asks.http.iter().any(|ask| ask.overlaps(rule)));
    for ask in &asks.http {
        let within: Vec<_> = granted.iter().filter(|rule| rule.overlaps(ask)).collect();
        let whole = within.iter().any(|rule| rule.covers(ask));
        let line = format!("in a [[grant]] for this plugin http = [{}]", as_toml(ask));
        let (finding, note) = match (whole, within.is_empty()) {
            (true, _) => (Finding::Granted, String::new()),
            (false, false) => (Finding::Partly, "the rest is refused".to_owned()),
            // "Anywhere" by two schemes is met by one.
            (false, true) if ask.is_any_host() && somewhere => (Finding::Optional, String::new()),
            (false, true) if ask.is_any_host() => (
                Finding::Missing,
                "it goes where the operator lets it: name the origins that it is for, as in http = [{ origin = \"https://api.example\" }]".to_owned(),
            ),
            (false, true) => (Finding::Missing, format!("{line} would allow it")),
        };
        rows.push(Row {
            kind: Kind::Http,
            finding,
            asked: Some(as_toml(ask)),
            granted: joined(within.iter().map(as_toml)),
            note,
        });
    }
    for rule in granted {
        let (finding, note) = if !asks.http.iter().any(|ask| ask.overlaps(rule)) {
            (Finding::Unused, "the manifest does not ask for it")
        } else if rule.is_any_host() {
            (Finding::Wider, "any host: name the hosts that are meant")
        } else if !asks.http.iter().any(|ask| ask.covers(rule)) {
            (
                Finding::Wider,
                "more than the manifest asks for; the rest has no effect",
            )
        } else {
            continue;
        };
        rows.push(granted_row(Kind::Http, finding, as_toml(rule), note));
    }
}

fn tcp(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    let granted: Vec<&TcpRule> = grants.iter().flat_map(|grant| &grant.tcp).collect();
    let meets = |a: &TcpRule, b: &TcpRule| {
        (a.host.0.covers(&b.host.0) || b.host.0.covers(&a.host.0)) && a.ports.meet(&b.ports)
    };
    for ask in &asks.tcp {
        let within: Vec<_> = granted.iter().filter(|rule| meets(rule, ask)).collect();
        let (finding, note) = if within.is_empty() {
            let line = format!("in a [[grant]] for this plugin tcp = [{}]", as_toml(ask));
            (Finding::Missing, format!("{line} would allow it"))
        } else if within.iter().any(|rule| **rule == ask) {
            (Finding::Granted, String::new())
        } else {
            (Finding::Partly, "what both name is allowed".to_owned())
        };
        rows.push(Row {
            kind: Kind::Tcp,
            finding,
            asked: Some(as_toml(ask)),
            granted: joined(within.iter().map(as_toml)),
            note,
        });
    }
    for rule in granted {
        let (finding, note) = if !asks.tcp.iter().any(|ask| meets(rule, ask)) {
            (Finding::Unused, "the manifest does not ask for it")
        } else if rule.host.0 == HostPattern::Any || matches!(rule.ports, Ports::Any(_)) {
            (Finding::Wider, "any host or any port: name what is meant")
        } else {
            continue;
        };
        rows.push(granted_row(Kind::Tcp, finding, as_toml(rule), note));
    }
}

fn networks(grants: &[&Grant], rows: &mut Vec<Row>) {
    let any_way_out = grants
        .iter()
        .any(|grant| !(grant.http.is_empty() && grant.tcp.is_empty()));
    for network in grants.iter().flat_map(|grant| grant.networks.iter()) {
        let (finding, note) = if !any_way_out {
            (Finding::Unused, "nothing is granted that could reach it")
        } else if network.prefix_len() == 0 {
            (Finding::Wider, "every address there is")
        } else if let Some(what) = METADATA.iter().find(|address| {
            address
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| network.contains(&ip))
        }) {
            rows.push(granted_row(
                Kind::Network,
                Finding::Wider,
                network.to_string(),
                &format!("{what} is in it, where clouds hand out credentials"),
            ));
            continue;
        } else if wide(network) {
            (
                Finding::Wider,
                "a large network: name the part that is meant",
            )
        } else {
            (Finding::Granted, "")
        };
        rows.push(granted_row(
            Kind::Network,
            finding,
            network.to_string(),
            note,
        ));
    }
}

/// Addresses at which clouds give their credentials to whoever asks.
const METADATA: [&str; 6] = [
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "100.100.100.200",
    "fd00:ec2::254",
    "fd20:ce::254",
];

/// Larger than one private network of a usual kind (10.0.0.0/8, fd00::/48).
fn wide(network: &ipnet::IpNet) -> bool {
    match network {
        ipnet::IpNet::V4(net) => net.prefix_len() < 8,
        ipnet::IpNet::V6(net) => net.prefix_len() < 48,
    }
}

fn asked_secrets(asks: &Capabilities, rights: &Rights, rows: &mut Vec<Row>) {
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

fn granted_secrets(asks: &Capabilities, policy: &Policy, grants: &[&Grant], rows: &mut Vec<Row>) {
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
            } else if matches!(rung, Rung::Inject | Rung::Attach)
                && let Some(binding) = policy.secret(&secret.name)
                && let Some(rule) = binding
                    .to
                    .iter()
                    .find(|rule| rule.is_plain() || rule.is_any_host())
            {
                let note = if rule.is_any_host() {
                    "its [[secret]] block lets it go to any host"
                } else {
                    "its [[secret]] block lets it go over plain http, where anyone on the way reads it"
                };
                rows.push(granted_row(Kind::Secret, Finding::Wider, what, note));
            }
        }
    }
}

fn config(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    let names: Vec<&str> = grants
        .iter()
        .flat_map(|grant| grant.config.keys().map(String::as_str))
        .collect();
    let (finding, note) = match (asks.config, names.is_empty()) {
        (false, true) => return,
        (false, false) => (Finding::Unused, "the manifest does not ask for it"),
        (true, true) => (Finding::Optional, ""),
        (true, false) => (Finding::Granted, ""),
    };
    rows.push(Row {
        kind: Kind::Config,
        finding,
        asked: asks.config.then(|| "settings".to_owned()),
        granted: joined(names.into_iter().map(str::to_owned)),
        note: note.to_owned(),
    });
}

/// Limits that are above the defaults.
fn limits(grants: &[&Grant], rows: &mut Vec<Row>) {
    let granted = grants.iter().fold(LimitRequest::default(), |all, grant| {
        all.widest(grant.limits)
    });
    let defaults = crate::Limits::default();
    let table = |limits: &crate::Limits| serde_json::to_value(limits).unwrap_or_default();
    let (ours, usual) = (table(&granted.over_defaults()), table(&defaults));
    // What is lowered by this has been raised by the grant.
    let capped = table(&granted.over_defaults().lowered_by(&as_request(&defaults)));
    for (name, value) in ours.as_object().into_iter().flatten() {
        if capped[name] != *value {
            let what = format!("{name} = {value}");
            let note = format!("above the default of {}", usual[name]);
            rows.push(granted_row(Kind::Limit, Finding::Wider, what, &note));
        }
    }
}

/// Limits as a request that names every one of them.
fn as_request(limits: &crate::Limits) -> LimitRequest {
    // Both have the same members with the same forms.
    serde_json::to_value(limits)
        .and_then(serde_json::from_value)
        .unwrap_or_default()
}

/// Grants for every plugin that give more than limits.
fn patterns(grants: &[&Grant], rows: &mut Vec<Row>) {
    for grant in grants {
        let everyone = grant.plugins.contains(&crate::NamePattern::Any);
        if everyone && !(grant.http.is_empty() && grant.secrets.is_empty()) {
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
