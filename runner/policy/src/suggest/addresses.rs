//! The addresses that destinations led to, and the one kind that is never suggested.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use url::Host;

use super::connections;
use super::requests::read;
use crate::{AddressClass, HttpRule, Nature, classify};

/// What a rule is about: addresses of one place say nothing of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// An origin, for HTTP.
    Origin(String),
    /// A host, for TCP: a name is looked up for any port.
    Host(String),
}

impl Place {
    /// Of a destination as the audit record has it, with `tcp://` before those of TCP; and its host.
    fn of(destination: &str) -> Option<(Self, String)> {
        match destination.strip_prefix("tcp://") {
            Some(tcp) => connections::read(tcp).map(|(host, _)| (Self::Host(host.clone()), host)),
            None => read(destination)
                .map(|(_, target)| (Self::Origin(target.origin()), target.host().to_string())),
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
pub(super) struct Addresses {
    by_place: BTreeMap<Place, BTreeSet<IpAddr>>,
    /// Hosts that led to a metadata service, or to a gateway to one, by whatever port or protocol.
    forbidden: BTreeMap<String, IpAddr>,
}

/// The address that a host is, where it is one and no name.
fn literal(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(v4) => Some(IpAddr::V4(*v4)),
        Host::Ipv6(v6) => Some(IpAddr::V6(*v6)),
        Host::Domain(_) => None,
    }
}

impl Addresses {
    /// Takes note of an address. Whether it is known what led to it.
    pub(super) fn add(&mut self, destination: &str, address: IpAddr) -> bool {
        let Some((place, host)) = Place::of(destination) else {
            return false;
        };
        if Nature::of(address).metadata().is_some() {
            self.forbidden.entry(host).or_insert(address);
        }
        self.by_place.entry(place).or_default().insert(address);
        true
    }

    /// Takes note of a host that is itself an address which is not public: it leads there.
    pub(super) fn add_literal(&mut self, place: Place, host: &Host<String>) {
        if let Some(address) = literal(host)
            && classify(address) != AddressClass::Public
        {
            self.by_place.entry(place).or_default().insert(address);
        }
    }

    /// Networks of exactly the addresses that a place led to, but not more than that; and how many
    /// are left out.
    pub(super) fn networks(&self, place: &Place, most: usize) -> (BTreeSet<IpNet>, usize) {
        let networks = self.of(place).take(most).map(IpNet::from).collect();
        (networks, self.of(place).count().saturating_sub(most))
    }

    /// What is to be said of the addresses of a place that carry others inside.
    pub(super) fn gateways(&self, place: &Place) -> impl Iterator<Item = String> {
        let natures = self.of(place).map(|ip| (ip, Nature::of(ip)));
        let gateways = natures.filter(|(_, nature)| nature.is_gateway());
        gateways.map(move |(ip, nature)| format!("{place} led to {ip}, {nature}"))
    }

    /// Why nothing is suggested for a place: it is a metadata service, or its host has led to one.
    /// What leads there once may do so again, whatever else it leads to and by whatever port.
    pub(super) fn forbidden(&self, place: &Place, host: &Host<String>) -> Option<String> {
        let is = literal(host).map(|address| (address, Nature::of(address)));
        let way = match is.filter(|(_, nature)| nature.metadata().is_some()) {
            Some((_, nature)) => format!("it tried {place}, which is {nature}"),
            None => {
                let address = *self.forbidden.get(&host.to_string())?;
                let nature = Nature::of(address);
                format!("it tried {place}, and {host} led to {address}, {nature}")
            }
        };
        Some(format!(
            "{way}: what is there gives credentials to whoever asks, and nothing here opens it"
        ))
    }

    fn of(&self, place: &Place) -> impl Iterator<Item = IpAddr> {
        self.by_place.get(place).into_iter().flatten().copied()
    }
}
