//! The smallest grants for what was seen to be used: by a run that was allowed it, or by one that
//! was refused and so said what it wanted.
//!
//! Nothing here loosens anything: a suggestion is text for an operator to read and to paste. A run
//! is never given more in order to see what it would use; where it stops at a refusal, the next
//! suggestion goes one step further. A metadata service is never suggested, only told of.

mod addresses;
mod connections;
mod imports;
mod notes;
mod requests;
mod secrets;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use self::addresses::{Addresses, Place};
use self::connections::Connections;
use self::notes::{About, Notes};
pub(crate) use self::requests::rule_for;
use self::requests::{Wanted, merged, narrowest};
use self::secrets::Secrets;
pub use self::secrets::Unbound;
use crate::check::as_toml;
use crate::{
    Capabilities, Grant, HttpRule, NamePattern, Networks, Policy, Rung, SecretAsk, SecretName,
    Subject, TcpRule,
};

/// Reserved for names that never resolve (RFC 2606): a rule for it links what needs a rule, and
/// lets nothing out.
const NOWHERE: &str = "https://nowhere.invalid";

/// The most networks of one destination. One that leads to more of them is looked at by a person.
const MOST_NETWORKS: usize = 64;

/// One thing that was used, or wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
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
    /// A request that carried a secret.
    Carried {
        /// The secret.
        secret: SecretName,
        /// The method.
        method: String,
        /// Scheme, host, port and path.
        destination: String,
    },
    /// Refusals that the record has only a number of.
    Untold,
}

/// Grants to read and to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// The grants: one for each set of addresses that are not public, because the networks of a
    /// grant are open to all of its destinations.
    pub grants: Vec<Grant>,
    /// Secrets of them that the policy has no `[[secret]]` block for.
    pub unbound: Vec<Unbound>,
    /// What to know before pasting it.
    pub notes: Vec<String>,
}

/// The smallest grants for what was observed of one action, and for the imports of its component.
pub fn suggest(subject: &Subject<'_>, policy: &Policy, observed: &[Observed]) -> Suggestion {
    let mut notes = Notes::default();
    let mut wanted = Vec::new();
    let mut connections = Connections::default();
    let mut addresses = Addresses::default();
    let mut secrets = Secrets::default();
    for seen in observed {
        match seen {
            Observed::Connection { destination } => {
                if !connections.add(destination) {
                    notes.add(
                        About::Unruly,
                        format!(
                            "no rule can be made of a connection to {}",
                            destination.escape_default()
                        ),
                    );
                }
            }
            Observed::Request {
                method,
                destination,
            } => match narrowest(method, destination) {
                Ok(rule) => wanted.push(rule),
                Err(none) => notes.add(About::Unruly, none),
            },
            Observed::Address {
                destination,
                address,
            } => {
                if !addresses.add(destination, *address) {
                    notes.add(About::Unruly, format!(
                        "no line can be made for {address}, for what led to it is no destination: {}",
                        destination.escape_default()
                    ));
                }
            }
            Observed::Secret(name, rung) => {
                let asked = |ask: &SecretAsk| ask.covers(name, *rung);
                if subject.asks.secrets.iter().any(asked) {
                    secrets.add(name, *rung);
                } else {
                    notes.add(About::Unasked, unasked(format_args!("to {rung} the secret `{name}`")));
                }
            }
            Observed::Carried {
                secret,
                method,
                destination,
            } => {
                // Of one that is no rule it is told where the request is.
                if let Ok(request) = narrowest(method, destination) {
                    secrets.carried_by(secret, request);
                }
            }
            Observed::Untold => notes.add(
                About::Record,
                "the record has no lines about some of what was refused: run it again with this, and see what it wants then".to_owned(),
            ),
        }
    }
    let mut rules = allowed(wanted, subject.asks, &mut addresses, &mut notes);
    for import in subject.imports {
        imports::link(
            import,
            subject,
            policy,
            &mut rules,
            &mut secrets,
            &mut notes,
        );
    }
    connections.retain(|host, ports| {
        let place = Place::of_host(host);
        if let Some(why) = addresses.forbidden(&place, host) {
            notes.add(About::Metadata, why);
            return false;
        }
        addresses.add_literal(place, host);
        is_asked_for(host, ports, subject.asks, &mut notes)
    });
    let tcp = connections.rules(subject, &mut notes);
    let rules = merged(rules, "it", &mut notes);
    let carried =
        |carried, notes: &mut Notes| allowed(carried, subject.asks, &mut addresses, notes);
    let (granted, unbound) = secrets.settle(policy, carried, &mut notes);
    let mut grants = by_addresses(rules, tcp, &addresses, &mut notes);
    for (at, grant) in grants.iter_mut().enumerate() {
        grant.plugins = vec![NamePattern::Exactly(subject.plugin.clone())];
        grant.actions = vec![subject.action.clone()];
        if at == 0 {
            grant.secrets.clone_from(&granted);
        }
    }
    Suggestion {
        grants,
        unbound,
        notes: notes.all(),
    }
}

/// That no grant allows what the manifest does not ask for.
fn unasked(what: impl std::fmt::Display) -> String {
    format!("the manifest does not ask {what}: no grant allows it")
}

/// The rules that can have an effect and are for no metadata service; of the others is told instead.
fn allowed(
    wanted: Vec<Wanted>,
    asks: &Capabilities,
    addresses: &mut Addresses,
    notes: &mut Notes,
) -> Vec<HttpRule> {
    let mut allowed = Vec::new();
    for Wanted { rule, note, target } in wanted {
        // Rules that are made of what was seen are about one host, and one method.
        let (Some(host), [method]) = (rule.origin.exact_host(), &rule.methods[..]) else {
            continue;
        };
        let asked = asks.http.iter().any(|ask| match &target {
            Some(target) => ask.matches(method.as_str(), target),
            None => ask.overlaps(&rule),
        });
        let place = Place::of_http(&rule);
        if let Some(why) = addresses.forbidden(&place, host) {
            notes.add(About::Metadata, why);
        } else if asked {
            if let Some(note) = note {
                notes.add_of_rule(format!("{}{}", rule.origin, rule.path.as_str()), note);
            }
            addresses.add_literal(place, host);
            allowed.push(rule);
        } else {
            notes.add(
                About::Unasked,
                unasked(format_args!("for http = [{}]", as_toml(&rule))),
            );
        }
    }
    allowed
}

/// Whether a host can be looked up, or connected to at one of these ports, as far as the manifest
/// goes. Keeps the ports that can be, and tells of the rest.
fn is_asked_for(
    host: &Host<String>,
    ports: &mut BTreeSet<u16>,
    asks: &Capabilities,
    notes: &mut Notes,
) -> bool {
    let looked_up_alone = ports.is_empty();
    ports.retain(|port| {
        let asked = asks.tcp.iter().any(|ask| ask.matches(host, *port));
        if !asked {
            notes.add(
                About::Unasked,
                unasked(format_args!("for TCP to {host}:{port}")),
            );
        }
        asked
    });
    if !looked_up_alone {
        return !ports.is_empty();
    }
    let asked = asks.tcp.iter().any(|ask| ask.host.matches(host));
    if !asked {
        notes.add(About::Unasked, unasked(format_args!("for TCP to {host}")));
    }
    asked
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
        let (networks, more) = addresses.networks(&place, MOST_NETWORKS);
        if more > 0 {
            notes.add(
                About::Gateway,
                format!(
                    "{place} led to more addresses than {MOST_NETWORKS}, and {more} of them are left out: a network may be what is meant"
                ),
            );
        }
        addresses
            .gateways(&place)
            .for_each(|note| notes.add(About::Gateway, note));
        networks
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

#[cfg(test)]
#[path = "suggest_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "suggest_limits_tests.rs"]
mod limits_tests;

#[cfg(test)]
#[path = "suggest_secrets_tests.rs"]
mod secrets_tests;
