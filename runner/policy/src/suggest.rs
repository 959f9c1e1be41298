//! The smallest grant for what was seen to be used: by a run that was allowed it, or by one that
//! was refused and so said what it wanted.
//!
//! Nothing here loosens anything: a suggestion is text for an operator to read and to paste. A run
//! is never given more in order to see what it would use; where it stops at a refusal, the next
//! suggestion goes one step further.

mod connections;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use url::Url;

use self::connections::Connections;
use crate::check::as_toml;
use crate::{
    Grant, HttpRule, Interface, Method, NamePattern, Networks, PathPrefix, Policy, Rung,
    SecretGrant, SecretName, SecretPattern, Subject, Target,
};

/// Reserved for names that never resolve (RFC 2606): a rule for it links what needs a rule, and
/// lets nothing out.
const NOWHERE: &str = "https://nowhere.invalid";

/// The longest path of a rule that is made here. A longer one would be hard to read.
const LONGEST: usize = 256;

/// One thing that was used, or wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// A request: its method, and its URL without a query as the audit record has it.
    Request {
        /// The method.
        method: String,
        /// Scheme, host, port and path.
        destination: String,
    },
    /// A TCP connection, or a name that was looked up for one.
    Connection {
        /// Host and port as the audit record has them; no port where only the name was looked up.
        destination: String,
    },
    /// An address that is not a public one.
    Address(IpAddr),
    /// A secret on a rung.
    Secret(SecretName, Rung),
}

/// A grant to read and to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The grant.
    pub grant: Grant,
    /// Secrets of it that the policy has no `[[secret]]` block for.
    pub unbound: Vec<SecretName>,
    /// What to know before pasting it.
    pub notes: Vec<String>,
}

/// The smallest grant for what was observed of one action, and for the imports of its component.
pub fn suggest(subject: &Subject<'_>, policy: &Policy, observed: &[Observed]) -> Suggestion {
    let mut notes = Vec::new();
    let mut rules = Vec::new();
    let mut connections = Connections::default();
    let mut networks = BTreeSet::new();
    let mut secrets: BTreeMap<SecretName, BTreeSet<Rung>> = BTreeMap::new();
    for seen in observed {
        match seen {
            Observed::Connection { destination } => {
                if !connections.add(destination) {
                    notes.push(format!(
                        "no rule can be made of a connection to {}",
                        destination.escape_default()
                    ));
                }
            }
            Observed::Request {
                method,
                destination,
            } => match narrowest(method, destination) {
                Some((rule, note)) => {
                    notes.extend(note);
                    rules.push(rule);
                }
                None => notes.push(format!(
                    "no rule can be made of {} {}",
                    method.escape_default(),
                    destination.escape_default()
                )),
            },
            Observed::Address(address) => {
                networks.insert(IpNet::from(*address));
            }
            Observed::Secret(name, rung) => {
                secrets.entry(name.clone()).or_default().insert(*rung);
            }
        }
    }
    for import in subject.imports {
        link(import, subject, &mut rules, &mut secrets, &mut notes);
    }
    let tcp = connections.rules(subject, &mut notes);
    notes.dedup();
    let unbound = secrets
        .keys()
        .filter(|name| policy.secret(name).is_none())
        .cloned()
        .collect();
    let secrets = secrets.into_iter().map(|(name, rungs)| SecretGrant {
        name,
        rungs: rungs.into_iter().collect(),
    });
    let grant = Grant {
        plugins: vec![NamePattern::Exactly(subject.plugin.clone())],
        actions: vec![subject.action.clone()],
        http: merged(rules),
        tcp,
        networks: Networks::new(networks.into_iter().collect()),
        secrets: secrets.collect(),
        ..Grant::default()
    };
    Suggestion {
        grant,
        unbound,
        notes,
    }
}

/// The narrowest rule that a request fits, and what is to be said where it is wider than the
/// request.
fn narrowest(method: &str, destination: &str) -> Option<(HttpRule, Option<String>)> {
    // Where the record has left something out, the path is known up to there.
    let cut = ["…", "[secret "]
        .iter()
        .filter_map(|mark| destination.find(mark))
        .min();
    let known = match cut {
        Some(at) => &destination[..destination[..at].rfind('/')? + 1],
        None => destination,
    };
    let target = Target::of(&Url::parse(known).ok()?).ok()?;
    let rule = rule_for(method, &target)?;
    let note = if rule.methods.is_empty() {
        Some(format!(
            "the rule for {known} covers all methods: no rule can name the one that was used"
        ))
    } else if cut.is_some() || rule.path.as_str() != target.path() {
        Some(format!(
            "the rule for {known} covers more than that path: no rule can name it exactly"
        ))
    } else {
        None
    };
    Some((rule, note))
}

/// The narrowest rule that covers a request. Wider than it only where no rule can name its method
/// or its path.
pub(crate) fn rule_for(method: &str, target: &Target) -> Option<HttpRule> {
    Some(HttpRule {
        origin: target.origin().parse().ok()?,
        path: path(target.path()),
        methods: Method::try_from(method.to_owned()).into_iter().collect(),
    })
}

/// The longest prefix of whole segments that a rule can name and that covers the path.
fn path(path: &str) -> PathPrefix {
    let mut prefix = path;
    loop {
        if prefix.len() <= LONGEST
            && let Ok(rule) = PathPrefix::try_from(prefix.to_owned())
            && rule.covers(path)
        {
            return rule;
        }
        match prefix.rfind('/') {
            Some(at) if at > 0 => prefix = &prefix[..at],
            _ => return PathPrefix::default(),
        }
    }
}

/// Rules for the same place become one with all their methods; what another covers goes.
fn merged(rules: Vec<HttpRule>) -> Vec<HttpRule> {
    let mut by_place: BTreeMap<(String, String), HttpRule> = BTreeMap::new();
    for rule in rules {
        let place = (rule.origin.to_string(), String::from(rule.path.clone()));
        match by_place.get_mut(&place) {
            // No methods are all methods.
            Some(known) if known.methods.is_empty() => {}
            Some(known) if rule.methods.is_empty() => known.methods.clear(),
            Some(known) => {
                known.methods.extend(rule.methods);
                known.methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
                known.methods.dedup();
            }
            None => {
                by_place.insert(place, rule);
            }
        }
    }
    let all: Vec<HttpRule> = by_place.into_values().collect();
    all.iter()
        .filter(|rule| !all.iter().any(|other| other != *rule && other.covers(rule)))
        .cloned()
        .collect()
}

/// What an import needs to be linked at all, where nothing that was observed does that.
fn link(
    import: &str,
    subject: &Subject<'_>,
    rules: &mut Vec<HttpRule>,
    secrets: &mut BTreeMap<SecretName, BTreeSet<Rung>>,
    notes: &mut Vec<String>,
) {
    let (sends, rung) = match Interface::of_import(import) {
        Some(Interface::Http | Interface::WasiHttp) => (true, None),
        Some(Interface::HttpCredentials) => (true, Some(Rung::Attach)),
        Some(Interface::SignedHttp) => (true, Some(Rung::Operate)),
        Some(Interface::Secrets) => (false, Some(Rung::Operate)),
        Some(Interface::Reveal) => (false, Some(Rung::Reveal)),
        _ => return,
    };
    if sends && rules.is_empty() {
        notes.push(format!(
            "it was not seen to send anything: the rule for {NOWHERE} only links {import}; run it again to see where it goes"
        ));
        rules.extend(narrowest("GET", NOWHERE).map(|(rule, _)| rule));
    }
    let Some(rung) = rung else { return };
    if secrets.values().any(|rungs| rungs.contains(&rung)) {
        return;
    }
    let asked = subject.asks.secrets.iter().find_map(|ask| match &ask.name {
        SecretPattern::Exactly(name) if ask.rungs.contains(&rung) => Some(name.clone()),
        _ => None,
    });
    match asked {
        Some(name) => {
            notes.push(format!("{import} needs a secret to be linked: `{name}` is the one that the manifest asks for"));
            secrets.entry(name).or_default().insert(rung);
        }
        None => notes.push(format!(
            "{import} needs a secret to be linked, and the manifest leaves to you which: grant one with rungs = [\"{rung}\"]"
        )),
    }
}

impl Suggestion {
    /// As a policy file has it, with the notes as comments.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for note in &self.notes {
            let _ = writeln!(text, "# {}", note.replace(char::is_control, " "));
        }
        for name in &self.unbound {
            let _ = writeln!(
                text,
                "# Say where the value of `{name}` is, and where it may go.\n[[secret]]\nname = \"{name}\"\nfrom = \"file:{}.secret\"\nto = [{{ origin = \"{NOWHERE}\" }}]\n",
                name.as_str().replace('/', "-")
            );
        }
        let grant = &self.grant;
        let list = |items: Vec<String>| items.join(", ");
        let quoted = |item: String| toml::Value::String(item).to_string();
        let _ = writeln!(
            text,
            "[[grant]]\nplugins = [{}]\nactions = [{}]",
            list(
                grant
                    .plugins
                    .iter()
                    .map(|p| quoted(p.to_string()))
                    .collect()
            ),
            list(
                grant
                    .actions
                    .iter()
                    .map(|a| quoted(a.to_string()))
                    .collect()
            ),
        );
        if !grant.http.is_empty() {
            let rules: String = grant
                .http
                .iter()
                .map(|rule| format!("  {},\n", as_toml(rule)))
                .collect();
            let _ = writeln!(text, "http = [\n{rules}]");
        }
        if !grant.tcp.is_empty() {
            let rules = grant.tcp.iter().map(as_toml).collect();
            let _ = writeln!(text, "tcp = [{}]", list(rules));
        }
        let networks: Vec<_> = grant
            .networks
            .iter()
            .map(|net| quoted(net.to_string()))
            .collect();
        if !networks.is_empty() {
            let _ = writeln!(text, "networks = [{}]", list(networks));
        }
        if !grant.secrets.is_empty() {
            let secrets = grant.secrets.iter().map(|secret| {
                let rungs = secret
                    .rungs
                    .iter()
                    .map(|rung| format!("\"{rung}\""))
                    .collect();
                format!(
                    "{{ name = \"{}\", rungs = [{}] }}",
                    secret.name,
                    list(rungs)
                )
            });
            let _ = writeln!(text, "secrets = [{}]", list(secrets.collect()));
        }
        text
    }
}

#[cfg(test)]
#[path = "suggest_tests.rs"]
mod tests;
