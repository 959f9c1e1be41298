//! Where a request may go: rules over scheme, host, port, path and method.
//!
//! A rule is compared with the parsed, normalised target, never with text. Whether the *address*
//! behind the host may be reached is decided in `address`.

mod relation;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::host::{HostPattern, parse_host};
use crate::text::text_conversions;
use crate::{ParseError, PathPrefix};

/// An HTTP method, compared as it is written: of the tokens of RFC 9110 those in capitals, with or
/// without dashes, which are all that are registered and all that a request goes out with. Without
/// those for proxies, for probes and for the protocol itself, with which none goes out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Method(String);

impl Method {
    /// The method as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Method {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        let known = |b: u8| b.is_ascii_uppercase() || b == b'-';
        if matches!(&*text, "CONNECT" | "TRACE" | "TRACK" | "PRI") {
            let why = "it is for proxies and probes, and no request goes out with it: leave it out";
            return Err(ParseError::new("method", &text, why));
        }
        if !text.is_empty() && text.len() <= 32 && text.bytes().all(known) {
            Ok(Self(text))
        } else {
            Err(ParseError::new(
                "method",
                &text,
                "write it in capitals, such as GET or VERSION-CONTROL",
            ))
        }
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        method.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "http" => Some(Self::Http),
            "https" => Some(Self::Https),
            _ => None,
        }
    }
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum PortPattern {
    Any,
    Exactly(u16),
}

/// `scheme://host[:port]`. The host is exact, `*`, or `*.example.com`; the port is exact, `*`, or
/// left out for the scheme's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OriginPattern {
    scheme: Scheme,
    host: HostPattern,
    port: PortPattern,
}

impl OriginPattern {
    /// Whether it covers every host.
    pub fn is_any_host(&self) -> bool {
        self.host == HostPattern::Any
    }

    /// The one host that it is about, if it is about one.
    pub(crate) fn exact_host(&self) -> Option<&Host<String>> {
        match &self.host {
            HostPattern::Exactly(host) => Some(host),
            HostPattern::Any | HostPattern::Below(_) => None,
        }
    }

    /// Whether it is about a name that is reserved for never leading anywhere (RFC 2606).
    pub(crate) fn is_nowhere(&self) -> bool {
        matches!(self.exact_host(), Some(Host::Domain(name)) if name.ends_with(".invalid"))
    }

    pub(crate) fn all_below(&self) -> Option<&str> {
        self.host.all_below()
    }

    pub(crate) fn matches(&self, target: &Target) -> bool {
        self.scheme == target.scheme
            && match self.port {
                PortPattern::Any => true,
                PortPattern::Exactly(port) => port == target.port,
            }
            && self.host.matches(&target.host)
    }
}

impl FromStr for OriginPattern {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let bad = |why: &str| ParseError::new("origin", text, why);
        let (scheme, rest) = text
            .split_once("://")
            .and_then(|(scheme, rest)| Some((Scheme::parse(scheme)?, rest)))
            .ok_or_else(|| bad("it must begin with http:// or https://"))?;
        if rest.contains(['/', '?', '#', '@']) {
            return Err(bad(
                "write only scheme, host and port; a path goes into `path`",
            ));
        }
        // The port is what follows the last colon outside an IPv6 literal's brackets.
        let (host, port) = match rest.rfind(':') {
            Some(at) if !rest[at..].contains(']') => (&rest[..at], Some(&rest[at + 1..])),
            _ => (rest, None),
        };
        let port = match port {
            None => PortPattern::Exactly(scheme.default_port()),
            Some("*") => PortPattern::Any,
            Some(port) => match parse_port(port) {
                Some(port) => PortPattern::Exactly(port),
                None => {
                    return Err(bad(
                        "the port must be a plain number from 1 to 65535, or `*`",
                    ));
                }
            },
        };
        let host = HostPattern::parse(host).map_err(bad)?;
        Ok(Self { scheme, host, port })
    }
}

/// A port as there is one way to write it: `str::parse` would take a sign and zeros before it.
fn parse_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| plain)
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        match self.port {
            PortPattern::Any => f.write_str(":*"),
            PortPattern::Exactly(port) if port == self.scheme.default_port() => Ok(()),
            PortPattern::Exactly(port) => write!(f, ":{port}"),
        }
    }
}

/// Where requests may go. Left out, `path` is `/` and `methods` are all.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpRule {
    /// Scheme, host and port.
    pub origin: OriginPattern,
    /// The path and everything below it.
    #[serde(default, skip_serializing_if = "is_root")]
    pub path: PathPrefix,
    /// The methods; all if left out, and then empty here.
    #[serde(
        default,
        deserialize_with = "crate::listed::methods",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub methods: Vec<Method>,
}

fn is_root(path: &PathPrefix) -> bool {
    path.is_root()
}

impl HttpRule {
    /// Whether a request with this method to this target is covered.
    pub fn matches(&self, method: &str, target: &Target) -> bool {
        (self.methods.is_empty() || self.methods.iter().any(|m| m.as_str() == method))
            && self.origin.matches(target)
            && self.path.covers(&target.path)
    }
}

/// A parsed and normalised destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    host: Host<String>,
    port: u16,
    path: String,
}

impl Target {
    /// The destination of a URL.
    ///
    /// # Errors
    /// Anything but http and https, a URL without a usable host or with port 0, or one with
    /// userinfo.
    pub fn of(url: &Url) -> Result<Self, ParseError> {
        // The message must not carry a query or userinfo, which may hold secrets.
        let shown = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
        let bad = |why: &str| ParseError::new("URL", &shown, why);
        let scheme = Scheme::parse(url.scheme()).ok_or_else(|| bad("only http and https"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "no user or password may stand in it: let the operator bind a secret",
            ));
        }
        let host = url
            .host_str()
            .and_then(parse_host)
            .ok_or_else(|| bad("it needs a host that can be looked up"))?;
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(bad("there is no port 0"));
        }
        Ok(Self {
            scheme,
            host,
            port,
            path: url.path().to_owned(),
        })
    }

    /// The host, in lower case and without a trailing dot.
    pub fn host(&self) -> &Host<String> {
        &self.host
    }

    /// The port, the scheme's own where the URL has none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, beginning with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The origin as a grant would name it, such as `http://127.0.0.1:8080`.
    pub fn origin(&self) -> String {
        OriginPattern {
            scheme: self.scheme,
            host: HostPattern::Exactly(self.host.clone()),
            port: PortPattern::Exactly(self.port),
        }
        .to_string()
    }
}

text_conversions!(OriginPattern);

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
