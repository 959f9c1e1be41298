//! The addresses that destinations led to, and the one kind that is never suggested.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use super::connections;
use super::requests::read;
use crate::{HttpRule, Nature};

/// What a rule is about: addresses of one place say nothing of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// An origin, for HTTP.
    Origin(String),
    /// A host, for TCP: a name is looked up for any port.
    Host(String),
}

impl Place {
    /// Of a destination as the audit record has it, with `tcp://` before those of TCP.
    fn of(destination: &str) -> Option<Self> {
        match destination.strip_prefix("tcp://") {
            Some(tcp) => connections::read(tcp).map(|(host, _)| Self::Host(host)),
            None => read(destination).map(|(_, target)| Self::Origin(target.origin())),
        }
    }

    pub(super) fn of_http(rule: &HttpRule) -> Self {
        Self::Origin(rule.origin.to_string())
    }

    pub(super) fn of_host(host: &Host<String>) -> Self {
        Self::Host(host.to_string())
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Origin(origin) => f.write_str(origin),
            Self::Host(host) => write!(f, "TCP to {host}"),
        }
    }
}

/// Addresses that are not public, by what led to them.
#[derive(Debug, Default)]
pub(super) struct Addresses(BTreeMap<Place, BTreeSet<IpAddr>>);

impl Addresses {
    /// Takes note of an address. Whether it is known what led to it.
    pub(super) fn add(&mut self, destination: &str, address: IpAddr) -> bool {
        let place = Place::of(destination);
        let known = place.is_some();
        if let Some(place) = place {
            self.0.entry(place).or_default().insert(address);
        }
        known
    }

    /// Networks of exactly the addresses that a place led to.
    pub(super) fn networks(&self, place: &Place) -> BTreeSet<IpNet> {
        self.of(place).map(IpNet::from).collect()
    }

    /// What is to be said of the addresses of a place that carry others inside.
    pub(super) fn gateways(&self, place: &Place) -> impl Iterator<Item = String> {
        let natures = self.of(place).map(|ip| (ip, Nature::of(ip)));
        let gateways = natures.filter(|(_, nature)| nature.is_gateway());
        gateways.map(move |(ip, nature)| format!("{place} led to {ip}, {nature}"))
    }

    /// Why nothing is suggested for a place: it is a metadata service, or has led to one. What
    /// leads there once may do so again, whatever else it leads to.
    pub(super) fn forbidden(&self, place: &Place, host: &Host<String>) -> Option<String> {
        let literal = match host {
            Host::Ipv4(v4) => Some(IpAddr::V4(*v4)),
            Host::Ipv6(v6) => Some(IpAddr::V6(*v6)),
            Host::Domain(_) => None,
        };
        let all = literal.into_iter().chain(self.of(place));
        let (address, nature) = all
            .map(|ip| (ip, Nature::of(ip)))
            .find(|(_, nature)| nature.metadata().is_some())?;
        let way = match literal {
            Some(_) => format!("it tried {place}, which is {nature}"),
            None => format!("it tried {place}, which led to {address}, {nature}"),
        };
        Some(format!(
            "{way}: what is there gives credentials to whoever asks, and nothing here opens it"
        ))
    }

    fn of(&self, place: &Place) -> impl Iterator<Item = IpAddr> {
        self.0.get(place).into_iter().flatten().copied()
    }
}
