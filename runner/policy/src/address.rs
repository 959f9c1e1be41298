//! Which network addresses a run may reach.
//!
//! Only globally routable addresses are free; everything else needs a grant that names its
//! network, and a metadata service needs one that names the very address. An address that carries
//! an IPv4 address inside is judged by that one too, so that no spelling opens what the plain
//! address does not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::ParseError;

/// What kind of address it is, with regard to reaching it by accident or by trick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// Globally routable.
    Public,
    /// Needs a grant by CIDR. Carries the reason as a person would say it.
    Special(&'static str),
    /// Gives credentials to whoever asks. Needs a grant of exactly this address.
    Metadata,
}

impl AddressClass {
    /// The class as a person would say it.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Special(why) => why,
            Self::Metadata => "a cloud metadata address",
        }
    }
}

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
    /// The reason why not: the class of the address, or of the one that it carries inside.
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        if self.names(address) {
            return Ok(());
        }
        match classify(address) {
            AddressClass::Public => Ok(()),
            AddressClass::Metadata => Err(AddressClass::Metadata.reason()),
            AddressClass::Special(why) if !self.hold(address) => Err(why),
            AddressClass::Special(_) => inside(address)
                .into_iter()
                .flatten()
                .try_for_each(|v4| self.check(IpAddr::V4(v4))),
        }
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

/// Classifies an address. Sources: the IANA special-purpose registries (RFC 6890 and updates),
/// RFC 4291 (mapped), RFC 2765 (translated), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380
/// (Teredo), RFC 5214 (ISATAP), and the clouds' documentation for metadata addresses.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(a: Ipv4Addr) -> AddressClass {
    use AddressClass::{Metadata, Public, Special};
    let [x, y, z, w] = a.octets();
    match (x, y, z, w) {
        // Most clouds; container and pod credentials of AWS; Tencent; Scaleway.
        (169, 254, 169, 254)
        | (169, 254, 170, 2 | 23)
        | (169, 254, 0, 23)
        | (169, 254, 42, 42)
        // Azure's wire server; Oracle; Alibaba.
        | (168, 63, 129, 16)
        | (192, 0, 0, 192)
        | (100, 100, 100, 200) => Metadata,
        (0, ..) => Special("an address of this host or network"),
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => Special("a private address"),
        (100, 64..=127, ..) => Special("a carrier-grade NAT address"),
        (127, ..) => Special("a loopback address"),
        (169, 254, ..) => Special("a link-local address"),
        (192, 0, 0, _) => Special("an address reserved for protocols"),
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => Special("a documentation address"),
        (192, 88, 99, _) => Special("a 6to4 relay address"),
        (198, 18..=19, ..) => Special("a benchmarking address"),
        (224..=239, ..) => Special("a multicast address"),
        (240..=255, ..) => Special("a reserved address"),
        _ => Public,
    }
}

fn classify_v6(a: Ipv6Addr) -> AddressClass {
    use AddressClass::{Metadata, Public, Special};
    match a.segments() {
        // AWS instances and pods, Google, Scaleway, OpenStack.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        | [0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe] => Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0] => Special("an address of this host or network"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Special("a loopback address"),
        [0, 0, 0, 0, 0, 0xffff, ..] => Special("an IPv4-mapped address"),
        [0, 0, 0, 0, 0xffff, 0, ..] => Special("an IPv4-translated address"),
        [0, 0, 0, 0, 0, 0, ..] => Special("an IPv4-compatible address"),
        [0x64, 0xff9b, ..] => Special("a NAT64 address"),
        [0x100, 0, 0, _, ..] => Special("a discard-only address"),
        [0x2001, 0, ..] => Special("a Teredo address"),
        [0x2001, 0x1..=0x1ff, ..] => Special("an address reserved for protocols"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Special("a documentation address"),
        [0x2002, ..] => Special("a 6to4 address"),
        [0xfc00..=0xfdff, ..] => Special("a private address"),
        [0xfe80..=0xfebf, ..] => Special("a link-local address"),
        [0xfec0..=0xfeff, ..] => Special("a site-local address"),
        [0xff00..=0xffff, ..] => Special("a multicast address"),
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => Special("an ISATAP address"),
        [0x2000..=0x3fff, ..] => Public,
        _ => Special("a reserved address"),
    }
}

/// The IPv4 addresses that an address carries inside, to which a gateway or the system itself may
/// send what is sent to it.
fn inside(address: IpAddr) -> [Option<Ipv4Addr>; 4] {
    let IpAddr::V6(v6) = address else {
        return [None; 4];
    };
    let o = v6.octets();
    let at = |a: usize, b: usize, c: usize, d: usize| Some(Ipv4Addr::new(o[a], o[b], o[c], o[d]));
    let last = at(12, 13, 14, 15);
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        [0, 0, 0, 0, 0 | 0xffff, 0 | 0xffff, ..] | [_, _, _, _, 0 | 0x200, 0x5efe, ..] => {
            [last, None, None, None]
        }
        [0x64, 0xff9b, 1, ..] => local_nat64(v6),
        [0x64, 0xff9b, ..] => [last, None, None, None],
        [0x2002, ..] => [at(2, 3, 4, 5), None, None, None],
        // The server, and the client with every bit turned over.
        [0x2001, 0, ..] => [
            at(4, 5, 6, 7),
            last.map(|client| Ipv4Addr::from_bits(!client.to_bits())),
            None,
            None,
        ],
        _ => [None; 4],
    }
}

/// Where a site's own NAT64 (RFC 8215) carries the IPv4 address depends on the length of its
/// prefix, which is not to be seen from here: every place of RFC 6052 counts that does not hold
/// `0.x.x.x`, which no gateway delivers to.
fn local_nat64(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let o = address.octets();
    [
        [6, 7, 9, 10],
        [7, 9, 10, 11],
        [9, 10, 11, 12],
        [12, 13, 14, 15],
    ]
    .map(|[a, b, c, d]| Ipv4Addr::new(o[a], o[b], o[c], o[d]))
    .map(|v4| (v4.octets()[0] != 0).then_some(v4))
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
