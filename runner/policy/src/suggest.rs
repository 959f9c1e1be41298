//! The smallest grants for what was seen to be used: by a run that was allowed it, or by one that
//! was refused and so said what it wanted.
//!
//! Nothing here loosens anything: a suggestion is text for an operator to read and to paste. A run
//! is never given more in order to see what it would use; where it stops at a refusal, the next
//! suggestion goes one step further. A metadata service is never suggested, only told of.

mod addresses;
mod connections;
mod notes;
mod requests;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use self::addresses::{Addresses, Place};
use self::connections::Connections;
use self::notes::Notes;
pub(crate) use self::requests::rule_for;
use self::requests::{merged, narrowest};
use crate::{
    Grant, HttpRule, Interface, NamePattern, Networks, Policy, Rung, SecretGrant, SecretName,
    SecretPattern, Subject, TcpRule,
};

/// Reserved for names that never resolve (RFC 2606): a rule for it links what needs a rule, and
/// lets nothing out.
const NOWHERE: &str = "https://nowhere.invalid";

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
    Address {
        /// What led to it: the destination of a request, or `tcp://` and that of a connection.
        destination: String,
        /// The address.
        address: IpAddr,
    },
    /// A secret on a rung.
    Secret(SecretName, Rung),
}

/// Grants to read and to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The grants: one for each set of addresses that are not public, because the networks of a
    /// grant are open to all of its destinations.
    pub grants: Vec<Grant>,
    /// Secrets of them that the policy has no `[[secret]]` block for.
    pub unbound: Vec<SecretName>,
    /// What to know before pasting it.
    pub notes: Vec<String>,
}

/// The smallest grants for what was observed of one action, and for the imports of its component.
pub fn suggest(subject: &Subject<'_>, policy: &Policy, observed: &[Observed]) -> Suggestion {
    let mut notes = Notes::default();
    let mut rules = Vec::new();
    let mut connections = Connections::default();
    let mut addresses = Addresses::default();
    let mut secrets: BTreeMap<SecretName, BTreeSet<Rung>> = BTreeMap::new();
    for seen in observed {
        match seen {
            Observed::Connection { destination } => {
                if !connections.add(destination) {
                    notes.add(format!(
                        "no rule can be made of a connection to {}",
                        destination.escape_default()
                    ));
                }
            }
            Observed::Request {
                method,
                destination,
            } => match narrowest(method, destination) {
                Ok((rule, note)) => rules.push((rule, note)),
                Err(none) => notes.add(none),
            },
            Observed::Address {
                destination,
                address,
            } => {
                if !addresses.add(destination, *address) {
                    notes.add(format!(
                        "no line can be made for {address}, for what led to it is no destination: {}",
                        destination.escape_default()
                    ));
                }
            }
            Observed::Secret(name, rung) => {
                secrets.entry(name.clone()).or_default().insert(*rung);
            }
        }
    }
    let mut rules = allowed(rules, &addresses, &mut notes);
    for import in subject.imports {
        link(import, subject, &mut rules, &mut secrets, &mut notes);
    }
    connections.retain(|host| {
        let forbidden = addresses.forbidden(&Place::of_host(host), host);
        let keep = forbidden.is_none();
        forbidden.into_iter().for_each(|why| notes.add(why));
        keep
    });
    let tcp = connections.rules(subject, &mut notes);
    let unbound = secrets
        .keys()
        .filter(|name| policy.secret(name).is_none())
        .cloned()
        .collect();
    let mut grants = by_addresses(merged(rules), tcp, &addresses, &mut notes);
    for (at, grant) in grants.iter_mut().enumerate() {
        grant.plugins = vec![NamePattern::Exactly(subject.plugin.clone())];
        grant.actions = vec![subject.action.clone()];
        if at == 0 {
            let secret = |(name, rungs): (&SecretName, &BTreeSet<Rung>)| SecretGrant {
                name: name.clone(),
                rungs: rungs.iter().copied().collect(),
            };
            grant.secrets = secrets.iter().map(secret).collect();
        }
    }
    Suggestion {
        grants,
        unbound,
        notes: notes.all(),
    }
}

/// The rules without those for metadata services, of which is told instead.
fn allowed(
    rules: Vec<(HttpRule, Option<String>)>,
    addresses: &Addresses,
    notes: &mut Notes,
) -> Vec<HttpRule> {
    let mut allowed = Vec::new();
    for (rule, note) in rules {
        // Rules that are made of what was seen are about one host.
        let host = rule.origin.exact_host();
        match host.and_then(|host| addresses.forbidden(&Place::of_http(&rule), host)) {
            Some(why) => notes.add(why),
            None => {
                note.into_iter().for_each(|note| notes.add(note));
                allowed.push(rule);
            }
        }
    }
    allowed
}

/// One grant for each set of addresses, with the rules that need exactly those. There is always
/// one; what needs none is first.
fn by_addresses(
    http: Vec<HttpRule>,
    tcp: Vec<TcpRule>,
    addresses: &Addresses,
    notes: &mut Notes,
) -> Vec<Grant> {
    let mut grants: BTreeMap<BTreeSet<IpNet>, Grant> = BTreeMap::new();
    let mut of = |place: Place| {
        addresses.gateways(&place).for_each(|note| notes.add(note));
        addresses.networks(&place)
    };
    for rule in http {
        let networks = of(Place::of_http(&rule));
        grants.entry(networks).or_default().http.push(rule);
    }
    for rule in tcp {
        let networks = of(Place::Host(rule.host.to_string()));
        grants.entry(networks).or_default().tcp.push(rule);
    }
    if grants.is_empty() {
        grants.insert(BTreeSet::new(), Grant::default());
    }
    let with = |(networks, grant): (BTreeSet<IpNet>, Grant)| Grant {
        networks: Networks::new(networks.into_iter().collect()),
        ..grant
    };
    grants.into_iter().map(with).collect()
}

/// What an import needs to be linked at all, where nothing that was observed does that.
fn link(
    import: &str,
    subject: &Subject<'_>,
    rules: &mut Vec<HttpRule>,
    secrets: &mut BTreeMap<SecretName, BTreeSet<Rung>>,
    notes: &mut Notes,
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
        notes.add(format!(
            "it was not seen to send anything that can be suggested: the rule for {NOWHERE} only links {import}; run it again to see where it goes"
        ));
        rules.extend(narrowest("GET", NOWHERE).map(|(rule, _)| rule).ok());
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
            notes.add(format!("{import} needs a secret to be linked: `{name}` is the one that the manifest asks for"));
            secrets.entry(name).or_default().insert(rung);
        }
        None => notes.add(format!(
            "{import} needs a secret to be linked, and the manifest leaves to you which: grant one with rungs = [\"{rung}\"]"
        )),
    }
}

#[cfg(test)]
#[path = "suggest_tests.rs"]
mod tests;
