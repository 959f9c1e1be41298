//! Where clouds keep their metadata services, which give credentials to whoever asks.
//!
//! The one list of them: what opens such an address, what warns of it and what never suggests it
//! all go by this one. Each is the documented address of its cloud.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

const fn v6(s: [u16; 8]) -> IpAddr {
    let [a, b, c, d, e, f, g, h] = s;
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

pub(super) const METADATA: [IpAddr; 19] = [
    // Most clouds.
    v4(169, 254, 169, 254),
    // Google's GKE: where its nodes send on what is meant for the one above.
    v4(169, 254, 169, 252),
    // AWS: credentials of containers and of pods.
    v4(169, 254, 170, 2),
    v4(169, 254, 170, 23),
    // Tencent.
    v4(169, 254, 0, 23),
    // Scaleway.
    v4(169, 254, 42, 42),
    // Azure's wire server, which is in public space.
    v4(168, 63, 129, 16),
    // Oracle.
    v4(192, 0, 0, 192),
    // Alibaba, Volcano Engine and UCloud, in the space of carrier-grade NAT.
    v4(100, 100, 100, 200),
    v4(100, 96, 0, 96),
    v4(100, 80, 80, 80),
    // AWS: instances and pods.
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),
    // Google.
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),
    // Oracle.
    v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
    // Akamai (Linode).
    v6([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1]),
    // Alibaba.
    v6([0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200]),
    // Scaleway.
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]),
    // OpenStack, which Akamai has as well.
    v6([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),
];

/// Whether a metadata service has this very address.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address)
}

/// Whether any metadata service is in this network.
pub(crate) fn is_any_in(network: &ipnet::IpNet) -> bool {
    METADATA.iter().any(|address| network.contains(address))
}
