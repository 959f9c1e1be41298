//! Which hosts and ports a plugin may speak to in a protocol of its own, over plain TCP.
//!
//! Such a rule says more than one for HTTP: the host sees no method, no path and no credential in
//! what goes by, and searches it for nothing.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use url::Host;

use crate::host::{HostPattern, parse_host};
use crate::{HostRule, ParseError};

/// Where connections may go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TcpRule {
    /// The host: exact, `*`, or `*.example.com`.
    pub host: HostRule,
    /// The ports: a list of numbers, or `"*"`.
    pub ports: Ports,
}

impl TcpRule {
    /// Whether a connection to that port of that host is covered.
    pub fn matches(&self, host: &Host<String>, port: u16) -> bool {
        self.host.matches(host) && self.ports.hold(port)
    }

    /// Whether everything that `other` allows is allowed by this rule alone.
    pub fn covers(&self, other: &Self) -> bool {
        self.host.0.covers(&other.host.0) && self.ports.cover(&other.ports)
    }

    /// Whether anything is allowed by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.host.0.overlaps(&other.host.0) && self.ports.meet(&other.ports)
    }

    /// The same in rules of one port each, where it lists ports.
    pub(crate) fn by_port(&self) -> Vec<Self> {
        let Ports::These(list) = &self.ports else {
            return vec![self.clone()];
        };
        let alone = |port: &NonZeroU16| Self {
            host: self.host.clone(),
            ports: Ports::These(PortList(vec![*port])),
        };
        list.0.iter().map(alone).collect()
    }

    /// Whether it is about any host at all.
    pub fn is_any_host(&self) -> bool {
        self.host.0 == HostPattern::Any
    }

    pub(crate) fn is_any_port(&self) -> bool {
        matches!(self.ports, Ports::Any(_))
    }
}

/// Some ports, or all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ports {
    /// These.
    These(PortList),
    /// Every port, written `"*"`.
    Any(Star),
}

impl Ports {
    /// These ports; none if there are none, or one is 0.
    pub(crate) fn these(ports: impl IntoIterator<Item = u16>) -> Option<Self> {
        let ports: Option<Vec<_>> = ports.into_iter().map(NonZeroU16::new).collect();
        PortList::try_from(ports?).ok().map(Self::These)
    }

    /// How many are listed; all of them are one.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::These(list) => list.0.len(),
            Self::Any(Star::Star) => 1,
        }
    }

    /// Whether all ports of the other are in it, in whatever order they are listed.
    fn cover(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any(Star::Star), _) => true,
            (Self::These(_), Self::Any(Star::Star)) => false,
            (Self::These(_), Self::These(list)) => list.0.iter().all(|one| self.hold(one.get())),
        }
    }

    /// Whether a port is in both.
    fn meet(&self, other: &Self) -> bool {
        match self {
            Self::These(list) => list.0.iter().any(|one| other.hold(one.get())),
            Self::Any(Star::Star) => true,
        }
    }

    fn hold(&self, port: u16) -> bool {
        match self {
            Self::These(list) => list.0.iter().any(|one| one.get() == port),
            Self::Any(Star::Star) => port != 0,
        }
    }
}

/// At least one port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<NonZeroU16>")]
pub struct PortList(Vec<NonZeroU16>);

impl TryFrom<Vec<NonZeroU16>> for PortList {
    type Error = ParseError;
    fn try_from(ports: Vec<NonZeroU16>) -> Result<Self, ParseError> {
        if ports.is_empty() {
            Err(ParseError::new("list of ports", "[]", "name at least one"))
        } else {
            Ok(Self(ports))
        }
    }
}

/// The text `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Star {
    /// The text `*`.
    #[serde(rename = "*")]
    Star,
}

/// Reads the host of a connection as a guest names it: a name, or an address in any spelling.
///
/// # Errors
/// It is neither.
pub fn tcp_host(text: &str) -> Result<Host<String>, ParseError> {
    // The URL standard writes IPv6 addresses in brackets; whoever opens sockets does not.
    if let Ok(address) = text.parse() {
        return Ok(Host::Ipv6(address));
    }
    parse_host(text).ok_or_else(|| ParseError::new("host", text, "write a name or an address"))
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
