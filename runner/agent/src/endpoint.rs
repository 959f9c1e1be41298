//! Where the controller is, and whether it may be spoken to in the clear.

use std::net::IpAddr;

use url::{Host, Url};

use crate::AgentError;

/// A controller's address, checked.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    base: Url,
    loopback: bool,
}

impl Endpoint {
    /// Reads `https://HOST[:PORT]`. Plain `http` is for this machine only.
    pub(crate) fn parse(text: &str) -> Result<Self, AgentError> {
        let bad = |reason: &str| AgentError::Address {
            url: text.chars().take(200).collect(),
            reason: reason.to_owned(),
        };
        let mut base: Url = text
            .parse()
            .map_err(|_| bad("write https://HOST or https://HOST:PORT"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad("it must not carry a user or password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("it must have no query and no fragment"));
        }
        let loopback = match base.host() {
            None => return Err(bad("it names no host")),
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
            Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        };
        match base.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => {
                return Err(bad(
                    "plain http is only for a controller on this machine: use https",
                ));
            }
            _ => return Err(bad("write https://HOST or https://HOST:PORT")),
        }
        // So that joining keeps a path prefix of a reverse proxy.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { base, loopback })
    }

    /// The URL of a path such as `v1/runners/enrol`.
    pub(crate) fn http(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The URL of the WebSocket.
    pub(crate) fn socket(&self) -> String {
        let scheme = if self.secure() { "wss" } else { "ws" };
        let rest = self.base.as_str().split_once("://").map_or("", |(_, r)| r);
        format!("{scheme}://{rest}v1/runner/connect")
    }

    /// Whether the address is this machine's own; then no proxy is asked.
    pub(crate) const fn loopback(&self) -> bool {
        self.loopback
    }

    /// Whether TLS is spoken.
    pub(crate) fn secure(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// The host, as it is resolved.
    pub(crate) fn host(&self) -> String {
        match self.base.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => String::new(),
        }
    }

    /// The port.
    pub(crate) fn port(&self) -> u16 {
        self.base.port_or_known_default().unwrap_or(443)
    }

    /// For messages.
    pub(crate) fn shown(&self) -> &str {
        self.base.as_str()
    }
}

/// Whether a controller at this URL may be told a token: over TLS, or on this machine. The rule that runners
/// keep, for others who speak to a controller.
///
/// # Errors
/// It may not, or it is no address.
pub fn check_controller(url: &str) -> Result<(), AgentError> {
    Endpoint::parse(url).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_taken_only_for_this_machine() {
        for good in [
            "http://127.0.0.1:7070",
            "http://[::1]:7070",
            "http://localhost",
            "https://wharf.example",
        ] {
            assert!(Endpoint::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "http://wharf.example",
            "http://10.0.0.1",
            "http://localhost.example",
            "ws://127.0.0.1",
            "https://user:pw@wharf.example",
            "https://wharf.example?x",
            "wharf.example",
            "",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_socket_is_beside_the_api_even_below_a_prefix() {
        let at = Endpoint::parse("https://wharf.example/fleet").unwrap();
        assert_eq!(at.socket(), "wss://wharf.example/fleet/v1/runner/connect");
        assert_eq!(at.http("v1/x"), "https://wharf.example/fleet/v1/x");
        assert_eq!(at.port(), 443);
        let local = Endpoint::parse("http://[::1]:7070").unwrap();
        assert_eq!(local.socket(), "ws://[::1]:7070/v1/runner/connect");
        assert_eq!(local.host(), "::1");
    }
}
