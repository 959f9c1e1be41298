//! Which hosts and ports a plugin may speak to in a protocol of its own, over plain TCP.
//!
//! Such a rule says more than one for HTTP: the host sees no method, no path and no credential in
//! what goes by, and searches it for nothing.

use std::num::NonZeroU16;

use serde::{Deserialize, Serialize};
use url::Host;

use crate::host::parse_host;
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

    /// Whether a port is in both.
    pub(crate) fn meet(&self, other: &Self) -> bool {
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
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<TcpRule, toml::de::Error> {
        toml::from_str(text)
    }

    fn allows(rule: &TcpRule, host: &str, port: u16) -> bool {
        rule.matches(&tcp_host(host).unwrap(), port)
    }

    #[test]
    fn host_and_port_must_both_fit() {
        let db = rule("host = 'db.internal'\nports = [5432, 6432]").unwrap();
        assert!(allows(&db, "db.internal", 5432) && allows(&db, "DB.Internal.", 6432));
        for (host, port) in [
            ("db.internal", 22),
            ("db.internal", 0),
            ("db", 5432),
            ("xdb.internal", 5432),
        ] {
            assert!(!allows(&db, host, port), "{host}:{port}");
        }
        let below = rule("host = '*.internal'\nports = '*'").unwrap();
        assert!(allows(&below, "a.internal", 1) && !allows(&below, "internal", 1));
        assert!(!allows(&below, "a.internal", 0));
        let address = rule("host = '[fd00::1]'\nports = [1]").unwrap();
        assert!(allows(&address, "fd00::1", 1) && !allows(&address, "fd00::2", 1));
        let address = rule("host = '10.0.0.1'\nports = [1]").unwrap();
        assert!(
            allows(&address, "0x0a.1", 1),
            "an address is one however it is written"
        );
    }

    #[test]
    fn a_rule_that_says_nothing_or_nonsense_is_refused() {
        for bad in [
            "host = 'a'",
            "ports = [1]",
            "host = 'a'\nports = []",
            "host = 'a'\nports = [0]",
            "host = 'a'\nports = [65536]",
            "host = 'a'\nports = 'all'",
            "host = 'a:1'\nports = [1]",
            "host = 'fd00::1'\nports = [1]",
            "host = 'а.internal'\nports = [1]",
            "host = '127.1'\nports = [1]",
            "host = 'a'\nports = [1]\nport = 2",
        ] {
            assert!(rule(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn a_rule_is_written_back_as_it_reads() {
        for text in [
            "host = \"*.a\"\nports = [1, 2]\n",
            "host = \"*\"\nports = \"*\"\n",
        ] {
            assert_eq!(toml::to_string(&rule(text).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_host_cannot_be_asked_for() {
        for bad in [
            "",
            "a b",
            "a..b",
            "*.a",
            "a/b",
            "fe80::1%eth0",
            "a@b",
            "256.1.1.1",
        ] {
            assert!(tcp_host(bad).is_err(), "{bad} was taken");
        }
    }
}
