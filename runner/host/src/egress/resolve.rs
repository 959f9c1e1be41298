//! Looking up names, and refusing addresses that are not granted.
//!
//! The client asks [`Checked`] for every name and connects only to what it gives, so the address
//! that is checked is the address that is connected to. Address literals never get here: they
//! are checked before the client sees them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;
use wharf_policy::{Networks, Target};

/// Looks up the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name, in the order to try them.
    ///
    /// # Errors
    /// The name does not resolve.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Looks up names as the system does.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Every address of a name is one that is not granted.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Prohibited(String);

/// Gives the client only addresses that these networks allow.
pub(super) struct Checked {
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) networks: Arc<Networks>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, networks) = (self.lookup.clone(), self.networks.clone());
        Box::pin(async move {
            let name = name.as_str();
            let found = lookup.lookup(name).await?;
            let mut refused = None;
            let mut allowed = Vec::with_capacity(found.len());
            for address in found {
                match networks.check(address) {
                    Ok(()) => allowed.push(SocketAddr::new(address, 0)),
                    Err(why) => refused = refused.or(Some((address, why))),
                }
            }
            match (allowed.is_empty(), refused) {
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
                (true, Some((address, why))) => Err(Prohibited(sentence(
                    &format!("a request to {name}"),
                    &format!("{name} resolves to {address}, which is {why}"),
                    address,
                ))
                .into()),
                (true, None) => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
            }
        })
    }
}

/// Says why an address is refused, and what would allow it.
pub(super) fn refusal(what: &str, target: &Target, address: IpAddr, why: &str) -> String {
    let reason = match target.host() {
        Host::Domain(name) => format!("{name} resolves to {address}, which is {why}"),
        Host::Ipv4(_) | Host::Ipv6(_) => format!("{address} is {why}"),
    };
    sentence(what, &reason, address)
}

/// A refusal of an address, with the line that would allow it.
pub(crate) fn sentence(what: &str, reason: &str, address: IpAddr) -> String {
    let bits = if address.is_ipv4() { 32 } else { 128 };
    format!(
        "{what} is not allowed: {reason}; in a [[grant]] for this plugin networks = [\"{address}/{bits}\"] would allow the address"
    )
}
