//! Which network addresses a run may reach.
//!
//! Only globally routable addresses are free; everything else needs a grant that names its
//! network, and a metadata service needs one that names the very address. An address that carries
//! an IPv4 address inside is judged by that one too, so that no spelling opens what the plain
//! address does not.

mod class;
mod inside;
pub(crate) mod metadata;

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::class::{AddressClass, Nature, classify};
pub(crate) use self::inside::inside;
use crate::ParseError;

/// The networks beyond the public ones that a grant opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<IpNet>")]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// These networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// It may not. Says what it is, and what it carries inside.
    pub fn check(&self, address: IpAddr) -> Result<(), Nature> {
        if self.open(address) {
            Ok(())
        } else {
            Err(Nature::of(address))
        }
    }

    fn open(&self, address: IpAddr) -> bool {
        self.names(address)
            || match classify(address) {
                AddressClass::Public => true,
                AddressClass::Metadata => false,
                AddressClass::Special(_) => {
                    self.hold(address) && inside(address).all(|v4| self.open(v4.into()))
                }
            }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks.
    pub fn iter(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }

    /// Adds the networks of another grant.
    pub fn extend(&mut self, other: &Self) {
        for net in &other.0 {
            if !self.0.contains(net) {
                self.0.push(*net);
            }
        }
    }

    /// Whether one of them is this address and no other.
    fn names(&self, address: IpAddr) -> bool {
        self.0.contains(&IpNet::from(address))
    }

    fn hold(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

impl TryFrom<Vec<IpNet>> for Networks {
    type Error = ParseError;
    fn try_from(networks: Vec<IpNet>) -> Result<Self, ParseError> {
        match networks.iter().find(|net| net.trunc() != **net) {
            // `10.1.2.3/8` is either one address or all of `10.0.0.0/8`: not for us to guess.
            Some(net) => Err(ParseError::new(
                "network",
                &net.to_string(),
                format!(
                    "it has bits beyond its prefix: write {} for all of it, or {} for the one address",
                    net.trunc(),
                    IpNet::from(net.addr())
                ),
            )),
            None => Ok(Self(networks)),
        }
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
