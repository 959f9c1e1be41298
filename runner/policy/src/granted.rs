//! A destination that is granted, and the addresses that it may be at.
//!
//! Networks serve the rules of their own `[[grant]]` and of no other, so a refused address has to
//! name the one block in which a line for it has an effect: the one with the rule that let the
//! destination through.

use std::net::IpAddr;

use url::Host;

use crate::check::as_toml;
use crate::{Denied, HttpRule, Nature, Networks, TcpRule};

/// A rule of a grant that lets a destination through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule<'r> {
    Http(&'r HttpRule),
    Tcp(&'r TcpRule),
}

/// A destination that manifest, grant and call let through, as far as its name tells.
#[derive(Debug, Clone)]
pub struct Granted<'r> {
    networks: Networks,
    rule: Rule<'r>,
    /// Whether the grant with that rule has networks.
    has_networks: bool,
}

impl<'r> Granted<'r> {
    /// By a rule of a grant that has those networks.
    pub(crate) fn by(rule: Rule<'r>, networks: &Networks) -> Self {
        Self {
            networks: networks.clone(),
            rule,
            has_networks: !networks.is_empty(),
        }
    }

    /// By another grant as well, which has those networks.
    pub(crate) fn and(mut self, networks: &Networks) -> Self {
        self.networks.extend(networks);
        self
    }

    /// The networks that its address may be in, beyond the public ones: those of the grants that
    /// let it through.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// Whether that host, which is the destination's, may be connected to at that address. For the
    /// message, what was to be done.
    ///
    /// # Errors
    /// It may not: what the address is, and in which grant which line would allow it.
    pub fn check(
        &self,
        host: &Host<String>,
        address: IpAddr,
        what: impl FnOnce() -> String,
    ) -> Result<(), Denied> {
        self.networks
            .check(address)
            .map_err(|nature| self.denied(what(), host, address, &nature))
    }

    fn denied(
        &self,
        what: String,
        host: &Host<String>,
        address: IpAddr,
        nature: &Nature,
    ) -> Denied {
        let why = match host {
            Host::Domain(name) => format!("{name} resolves to {address}, which is {nature}"),
            Host::Ipv4(_) | Host::Ipv6(_) => format!("{address} is {nature}"),
        };
        let rule = match self.rule {
            Rule::Http(rule) => format!("http = [{}]", as_toml(rule)),
            Rule::Tcp(rule) => format!("tcp = [{}]", as_toml(rule)),
        };
        let opens = match nature.metadata() {
            Some(service) if service == address => {
                ", which gives credentials to whoever asks".to_owned()
            }
            Some(service) => format!(
                ", and with it the metadata service at {service}, which gives credentials to whoever asks"
            ),
            None => String::new(),
        };
        let beside = if self.has_networks {
            ", beside those that it has,"
        } else {
            ""
        };
        Denied {
            what,
            why,
            hint: format!(
                "in the [[grant]] for this plugin that has {rule} the line {}{beside} would allow the address{opens}",
                nature.line()
            ),
            address: Some(address),
        }
    }
}
