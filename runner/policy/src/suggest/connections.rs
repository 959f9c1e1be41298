//! The smallest `tcp` rules for the connections that were seen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use url::Host;

use super::notes::{About, Notes, beyond};
use crate::rights::LOOKUP;
use crate::tcp::tcp_host;
use crate::{HostRule, Ports, Subject, TcpRule};

/// A host that never resolves, for a rule that links TCP and lets nothing out.
const NOWHERE: &str = "nowhere.invalid";

/// The most rules, and the most ports of one. A run has far fewer, unless it searches.
const MOST: usize = 256;
const MOST_PORTS: usize = 64;

/// Hosts, each with the ports that were wanted of it; none where only its name was looked up.
#[derive(Debug, Default)]
pub(super) struct Connections(BTreeMap<String, BTreeSet<u16>>);

/// The host of a destination as a rule names it, and the port, if any is known.
pub(super) fn read(destination: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match destination.parse::<SocketAddr>() {
        Ok(address) => (address.ip().to_string(), Some(address.port())),
        Err(_) => match destination.rsplit_once(':') {
            // An address without a port is in brackets, and ends with one.
            Some((host, port)) if !destination.ends_with(']') => {
                (host.to_owned(), Some(port.parse().ok()?))
            }
            _ => (destination.trim_matches(['[', ']']).to_owned(), None),
        },
    };
    Some((tcp_host(&host).ok()?.to_string(), port))
}

impl Connections {
    /// Takes note of a destination. Whether a rule can be made of it.
    pub(super) fn add(&mut self, destination: &str) -> bool {
        let Some((host, port)) = read(destination) else {
            return false;
        };
        if port == Some(0) || HostRule::try_from(host.clone()).is_err() {
            return false;
        }
        self.0.entry(host).or_default().extend(port);
        true
    }

    /// Leaves out the hosts that are not to be kept, and of the others the ports.
    pub(super) fn retain(
        &mut self,
        mut keep: impl FnMut(&Host<String>, &mut BTreeSet<u16>) -> bool,
    ) {
        (self.0).retain(|host, ports| tcp_host(host).is_ok_and(|host| keep(&host, ports)));
    }

    /// A rule for each host, and what is to be said of them.
    pub(super) fn rules(mut self, subject: &Subject<'_>, notes: &mut Notes) -> Vec<TcpRule> {
        let sockets = |import: &String| import.starts_with("wasi:sockets/");
        let connects = !subject.asks.tcp.is_empty() && subject.imports.iter().any(sockets);
        if self.0.is_empty() && connects {
            notes.add(About::Import, format!(
                "it was not seen to connect: the rule for {NOWHERE} only links TCP; run it again to see where it goes"
            ));
            self.0.insert(NOWHERE.to_owned(), BTreeSet::from([LOOKUP]));
        }
        if let Some(more) = beyond(self.0.len(), MOST) {
            notes.add(
                About::LeftOut,
                format!(
                    "it connected to more hosts than {MOST}, and no rule is made for {more} of them"
                ),
            );
        }
        let rules = self.0.into_iter().take(MOST).map(|(host, mut ports)| {
            if let Some(more) = beyond(ports.len(), MOST_PORTS) {
                notes.add(About::Record, format!(
                    "it connected to more ports of {host} than {MOST_PORTS}, and {more} of them are left out: `ports = \"*\"` may be what is meant"
                ));
            }
            if ports.is_empty() {
                notes.add(About::Lookup, format!(
                    "the name {host} was looked up and its port is not known: port {LOOKUP} only lets it be looked up; run it again to see the port"
                ));
                ports.insert(LOOKUP);
            }
            let ports = Ports::these(ports.into_iter().take(MOST_PORTS))?;
            let host = HostRule::try_from(host).ok()?;
            Some(TcpRule { host, ports })
        });
        rules.flatten().collect()
    }
}
