//! What an address is, and what is behind it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::inside::inside;
use super::metadata::is_metadata;

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

    const fn danger(self) -> u8 {
        match self {
            Self::Public => 0,
            Self::Special(_) => 1,
            Self::Metadata => 2,
        }
    }
}

/// An address, what it is, and the worst that it carries inside. Shown, it says both, so that
/// nobody opens a gateway's address without being told what is behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nature {
    address: IpAddr,
    class: AddressClass,
    behind: Option<(Ipv4Addr, AddressClass)>,
}

impl Nature {
    /// Of that address.
    pub fn of(address: IpAddr) -> Self {
        let behind = inside(address).map(|v4| (v4, classify(v4.into())));
        Self {
            address,
            class: classify(address),
            behind: behind.max_by_key(|(_, class)| class.danger()),
        }
    }

    /// The metadata service that it is, or may lead to.
    pub fn metadata(&self) -> Option<IpAddr> {
        match (self.class, self.behind) {
            (AddressClass::Metadata, _) => Some(self.address),
            (_, Some((v4, AddressClass::Metadata))) => Some(v4.into()),
            _ => None,
        }
    }

    /// Whether it carries another address inside.
    pub fn is_gateway(&self) -> bool {
        self.behind.is_some()
    }

    /// The line of a `[[grant]]` that opens it, and nothing else of its network.
    pub fn line(&self) -> String {
        format!("networks = [\"{}\"]", ipnet::IpNet::from(self.address))
    }
}

impl fmt::Display for Nature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class.reason())?;
        match self.behind {
            Some((v4, class)) => write!(f, " that may lead to {v4}, {}", class.reason()),
            None => Ok(()),
        }
    }
}

/// Classifies an address. Sources: the IANA special-purpose registries (RFC 6890 and updates),
/// RFC 4291 (mapped), RFC 2765 (translated), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380
/// (Teredo), RFC 5214 (ISATAP), and the clouds' documentation for metadata addresses.
pub fn classify(address: IpAddr) -> AddressClass {
    if is_metadata(address) {
        return AddressClass::Metadata;
    }
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(a: Ipv4Addr) -> AddressClass {
    use AddressClass::{Public, Special};
    let [x, y, z, w] = a.octets();
    match (x, y, z, w) {
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
    use AddressClass::{Public, Special};
    match a.segments() {
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
