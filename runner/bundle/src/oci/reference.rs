//! References: where a published plugin is. Nothing is guessed: there is no default registry and
//! no default tag.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use wharf_policy::{Digest, ParseError};

/// The longest repository and the longest host name, in bytes.
const MAX_NAME: usize = 255;
const MAX_TAG: usize = 128;

/// A host and, perhaps, a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    host: String,
    port: Option<u16>,
}

impl Authority {
    /// The host: a name in lower case, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if it is said.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Whether it is this machine: `localhost` or a loopback address.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Whether a host, with brackets around IPv6, is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// `REGISTRY/REPOSITORY:TAG`, `REGISTRY/REPOSITORY@sha256:HEX`, or both, perhaps after `oci://`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference {
    registry: Authority,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// What a reference begins with where a file could be meant as well.
    pub const SCHEME: &'static str = "oci://";

    /// The registry.
    pub fn registry(&self) -> &Authority {
        &self.registry
    }

    /// The repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag. There is a tag or a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the image manifest. It is what counts where there is a tag as well.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same place by digest alone.
    pub fn at(&self, digest: Digest) -> Self {
        Self {
            tag: None,
            digest: Some(digest),
            ..self.clone()
        }
    }

    /// The last part of the repository: what a file of it would be called.
    pub fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Reference {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).map_err(|why| ParseError {
            what: "reference",
            text: super::descriptor::shortened(text),
            why,
        })
    }
}

fn parse(text: &str) -> Result<Reference, String> {
    let rest = text.strip_prefix(Reference::SCHEME).unwrap_or(text);
    if rest.contains("://") {
        return Err("it is written without http:// or https://".to_owned());
    }
    let (authority, rest) = rest
        .split_once('/')
        .ok_or("it must be REGISTRY/REPOSITORY:TAG or REGISTRY/REPOSITORY@sha256:HEX")?;
    let registry = parse_authority(authority)?;
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => {
            let digest = digest.parse().map_err(|error: ParseError| {
                format!("after the @ must be a digest: {}", error.why)
            })?;
            (rest, Some(digest))
        }
        None => (rest, None),
    };
    let (repository, tag) = match rest.split_once(':') {
        Some((repository, tag)) => (repository, Some(parse_tag(tag)?)),
        None => (rest, None),
    };
    if repository.len() > MAX_NAME {
        return Err(format!("a repository has at most {MAX_NAME} characters"));
    }
    if !repository.split('/').all(is_component) {
        return Err(
            "the parts of a repository are lower-case letters and digits, with `.`, `_`, `__` or `-` between them"
                .to_owned(),
        );
    }
    if tag.is_none() && digest.is_none() {
        return Err("it has no tag and no digest: add `:TAG` or `@sha256:HEX`".to_owned());
    }
    Ok(Reference {
        registry,
        repository: repository.to_owned(),
        tag,
        digest,
    })
}

fn parse_authority(text: &str) -> Result<Authority, String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest
                .split_once(']')
                .ok_or("the address of the registry has no closing bracket")?;
            let address: Ipv6Addr = address
                .parse()
                .map_err(|_| "the brackets hold no IPv6 address")?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(port),
                None if rest.is_empty() => None,
                None => return Err("after the bracket comes `:PORT` or nothing".to_owned()),
            };
            (format!("[{address}]"), port)
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    if !host.starts_with('[') {
        check_host(&host)?;
        if port.is_none() && host != "localhost" && !host.contains('.') {
            return Err(format!(
                "it must begin with the registry, such as registry.example.com; `{host}` is not a host, and no registry is assumed"
            ));
        }
    }
    let port = match port {
        Some(port) => match port.parse() {
            Ok(number) if number != 0 && port.bytes().all(|b| b.is_ascii_digit()) => Some(number),
            _ => return Err("the port of the registry is not a number from 1 to 65535".to_owned()),
        },
        None => None,
    };
    Ok(Authority { host, port })
}

fn check_host(host: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    if host.len() > MAX_NAME || !host.split('.').all(label) {
        return Err(
            "the registry must be a host name in lower case or an address, perhaps with `:PORT`"
                .to_owned(),
        );
    }
    // 127.1 and 0x7f.1 are other ways to write an address that URLs understand and people do not.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.starts_with("0x") || last.bytes().all(|b| b.is_ascii_digit());
    if numeric && host.parse::<IpAddr>().is_err() {
        return Err("the registry is neither a name nor an address with four numbers".to_owned());
    }
    Ok(())
}

fn parse_tag(tag: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if tag.bytes().next().is_some_and(good)
        && tag.len() <= MAX_TAG
        && tag.bytes().all(|b| good(b) || b == b'.' || b == b'-')
    {
        Ok(tag.to_owned())
    } else {
        Err(format!(
            "a tag has at most {MAX_TAG} letters, digits, `_`, `.` and `-`, and does not begin with `.` or `-`"
        ))
    }
}

/// Letters and digits, with one `.`, one or two `_`, or any number of `-` between them.
fn is_component(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().is_some_and(|b| plain(*b)) || !bytes.last().is_some_and(|b| plain(*b)) {
        return false;
    }
    bytes.split(|b| plain(*b)).all(|between| {
        matches!(between, [] | [b'.'] | [b'_'] | [b'_', b'_']) || between.iter().all(|b| *b == b'-')
    })
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
