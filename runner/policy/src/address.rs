//! Which network addresses a request may reach.
//!
//! Only globally routable addresses are free; everything else needs a grant that names its
//! network. Addresses that embed an IPv4 address are judged by what they embed as well.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// What kind of address it is, with regard to reaching it by accident or by trick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressClass {
    /// Globally routable.
    Public,
    /// Needs a grant by CIDR. Carries the reason as a person would say it.
    Special(&'static str),
}

/// The networks beyond the public ones that a grant opens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// These networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether this address may be connected to.
    ///
    /// # Errors
    /// The reason why not: the class of the address.
    pub fn check(&self, address: IpAddr) -> Result<(), &'static str> {
        match classify(address) {
            AddressClass::Public => Ok(()),
            AddressClass::Special(_) if self.0.iter().any(|net| net.contains(&address)) => Ok(()),
            AddressClass::Special(why) => Err(why),
        }
    }

    /// Adds the networks of another grant.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }
}

/// Classifies an address. Sources: the IANA special-purpose registries (RFC 6890 and updates),
/// RFC 4291 (mapped), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo), and the
/// clouds' documentation for metadata addresses.
pub fn classify(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(a: Ipv4Addr) -> AddressClass {
    use AddressClass::{Public, Special};
    let [x, y, z, w] = a.octets();
    match (x, y, z, w) {
        (169, 254, 169, 254) | (168, 63, 129, 16) | (192, 0, 0, 192) | (100, 100, 100, 200) => {
            Special("a cloud metadata address")
        }
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
    let s = a.segments();
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => Special("an address of this host or network"),
        [0, 0, 0, 0, 0, 0, 0, 1] => Special("a loopback address"),
        [0, 0, 0, 0, 0, 0xffff, ..] => Special("an IPv4-mapped address"),
        [0, 0, 0, 0, 0, 0, ..] => Special("an IPv4-compatible address"),
        [0x64, 0xff9b, ..] => Special("a NAT64 address"),
        [0x100, 0, 0, _, ..] => Special("a discard-only address"),
        [0x2001, 0, ..] => Special("a Teredo address"),
        [0x2001, 0x1..=0x1ff, ..] => Special("an address reserved for protocols"),
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => Special("a documentation address"),
        [0x2002, ..] => Special("a 6to4 address"),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            Special("a cloud metadata address")
        }
        [0xfc00..=0xfdff, ..] => Special("a private address"),
        [0xfe80..=0xfebf, ..] => Special("a link-local address"),
        [0xfec0..=0xfeff, ..] => Special("a site-local address"),
        [0xff00..=0xffff, ..] => Special("a multicast address"),
        [0x2000..=0x3fff, ..] => Public,
        _ => Special("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn special(text: &str) -> bool {
        matches!(classify(text.parse().unwrap()), AddressClass::Special(_))
    }

    #[test]
    fn every_way_to_say_loopback_private_or_metadata_is_special() {
        for address in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "168.63.129.16",
            "192.0.0.192",
            "100.64.0.1",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::7f00:1",
            "2002:7f00:1::",
            "2001:0:1::1",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "255.255.255.255",
            "4000::1",
        ] {
            assert!(special(address), "{address} was taken as public");
        }
        assert!(!special("8.8.8.8"));
        assert!(!special("2606:4700::1111"));
    }

    #[test]
    fn a_grant_opens_its_network_and_no_other_form_of_it() {
        let networks = Networks::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(networks.check("127.0.0.1".parse().unwrap()).is_ok());
        assert!(networks.check("::ffff:127.0.0.1".parse().unwrap()).is_err());
        assert!(networks.check("10.0.0.1".parse().unwrap()).is_err());
    }

    /// The special blocks as a list of networks: slow and obvious.
    fn reference_v4(a: Ipv4Addr) -> bool {
        [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "168.63.129.16/32",
            "100.100.100.200/32",
        ]
        .iter()
        .any(|net| net.parse::<IpNet>().unwrap().contains(&IpAddr::V4(a)))
    }

    proptest! {
        #[test]
        fn the_ipv4_filter_agrees_with_a_list_of_networks(bits in any::<u32>()) {
            let address = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(special(&address.to_string()), reference_v4(address));
        }

        #[test]
        fn no_ipv6_form_that_embeds_ipv4_is_public(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let [a, b, c, d] = v4.octets();
            let hex = format!("{a:02x}{b:02x}:{c:02x}{d:02x}");
            for text in [format!("::ffff:{v4}"), format!("::{v4}"), format!("64:ff9b::{hex}"),
                         format!("2002:{hex}::1"), format!("2001:0:{hex}::1")] {
                prop_assert!(special(&text), "{} was taken as public", text);
            }
        }
    }
}
