//! Hosts and ports, as rules name them and as URLs do.
//!
//! A rule is written in the one way that is compared: lower case or upper, but no escapes, no
//! letters beyond ASCII (which look like others) and no odd spelling of an address. What a URL
//! says is normalised first, so that every spelling of a host is one host.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Host;

use crate::ParseError;

/// The longest name (RFC 1035, 2.3.4) and the longest label of one.
const NAME: usize = 253;
const LABEL: usize = 63;

/// Which hosts a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum HostPattern {
    Any,
    /// `*.example.com`: one or more labels before the suffix, never the suffix itself.
    Below(String),
    Exactly(Host<String>),
}

impl HostPattern {
    /// Reads `name`, an address, `*` or `*.name`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "*" {
            return Ok(Self::Any);
        }
        if let Some(suffix) = text.strip_prefix("*.") {
            return match canonical(suffix)? {
                Host::Domain(name) => Ok(Self::Below(name)),
                Host::Ipv4(_) | Host::Ipv6(_) => Err("`*.` must be followed by a domain name"),
            };
        }
        canonical(text).map(Self::Exactly)
    }

    /// The one label behind `*.`, where there is only one: nobody has all names below it, and
    /// below a public one most are others'.
    pub(crate) fn all_below(&self) -> Option<&str> {
        match self {
            Self::Below(suffix) if !suffix.contains('.') => Some(suffix),
            _ => None,
        }
    }

    pub(crate) fn matches(&self, host: &Host<String>) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Exactly(exact), host) => exact == host,
            (Self::Below(suffix), Host::Domain(name)) => is_below(suffix, name),
            (Self::Below(_), Host::Ipv4(_) | Host::Ipv6(_)) => false,
        }
    }

    /// Whether it is about all hosts that the other is about.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Below(suffix), Self::Below(other)) => suffix == other || is_below(suffix, other),
            (_, Self::Exactly(host)) => self.matches(host),
            (Self::Below(_) | Self::Exactly(_), _) => false,
        }
    }

    /// Whether any host is one that both are about.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        // Two sets of names are disjoint, or one holds the other.
        self.covers(other) || other.covers(self)
    }
}

/// Whether a name has one or more labels before the suffix.
fn is_below(suffix: &str, name: &str) -> bool {
    name.strip_suffix(suffix)
        .is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(suffix) => write!(f, "*.{suffix}"),
            Self::Exactly(host) => write!(f, "{host}"),
        }
    }
}

/// The host of a rule: what it is normalised to must be what is written.
fn canonical(text: &str) -> Result<Host<String>, &'static str> {
    if !text.is_ascii() {
        return Err(
            "letters beyond ASCII look like others: write the `xn--` form of the name, which is what is looked up",
        );
    }
    let host = parse_host(text).ok_or("the host must be a name, an address, `*` or `*.name`")?;
    let written = text.strip_suffix('.').unwrap_or(text);
    if host.to_string().eq_ignore_ascii_case(written) {
        Ok(host)
    } else {
        Err(
            "write the host as it is compared: without escapes, and addresses as 10.0.0.1 or [fd00::1]",
        )
    }
}

/// Parses and normalises a host; a trailing dot is not part of a name's identity.
pub(crate) fn parse_host(text: &str) -> Option<Host<String>> {
    match Host::parse(text).ok()? {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            is_name(name).then(|| Host::Domain(name.to_owned()))
        }
        address => Some(address),
    }
}

/// Whether it can be looked up: labels of letters, digits, `-` and `_`, none empty. The URL
/// standard lets more through, such as `*` and empty labels.
fn is_name(name: &str) -> bool {
    let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    name.len() <= NAME
        && name
            .split('.')
            .all(|label| (1..=LABEL).contains(&label.len()) && label.bytes().all(known))
}

/// A host in a rule: exact, `*`, or `*.example.com`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostRule(pub(crate) HostPattern);

impl HostRule {
    /// Whether it is about that host.
    pub fn matches(&self, host: &Host<String>) -> bool {
        self.0.matches(host)
    }

    pub(crate) fn all_below(&self) -> Option<&str> {
        self.0.all_below()
    }
}

impl TryFrom<String> for HostRule {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        HostPattern::parse(&text)
            .map(Self)
            .map_err(|why| ParseError::new("host", &text, why))
    }
}

impl From<HostRule> for String {
    fn from(rule: HostRule) -> Self {
        rule.0.to_string()
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
