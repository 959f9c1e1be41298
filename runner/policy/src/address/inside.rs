//! The IPv4 addresses that IPv6 addresses carry inside, to which a gateway or the system itself may
//! send what is sent to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All that an address may carry inside, by where in it that is. What ISATAP reads out of the lower
/// half counts beside what the prefix says, for a gateway that goes by the prefix does not look
/// there.
pub(crate) fn inside(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    let v6 = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6),
    };
    v6.into_iter()
        .flat_map(|v6| by_prefix(v6).into_iter().chain([isatap(v6)]))
        .flatten()
}

/// What is inside by the first bits of the address. No two of these prefixes overlap.
fn by_prefix(v6: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let o = v6.octets();
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => [None; 4],
        [0, 0, 0, 0, 0 | 0xffff, 0 | 0xffff, ..] => [Some(last(v6)), None, None, None],
        [0x64, 0xff9b, 1, ..] => local_nat64(v6),
        [0x64, 0xff9b, ..] => [Some(last(v6)), None, None, None],
        [0x2002, ..] => [
            Some(Ipv4Addr::new(o[2], o[3], o[4], o[5])),
            None,
            None,
            None,
        ],
        // The server, and the client with every bit turned over.
        [0x2001, 0, ..] => [
            Some(Ipv4Addr::new(o[4], o[5], o[6], o[7])),
            Some(Ipv4Addr::from_bits(!last(v6).to_bits())),
            None,
            None,
        ],
        _ => [None; 4],
    }
}

/// What is inside by the interface identifier of ISATAP, whatever stands before it.
fn isatap(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    matches!(v6.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, ..]).then(|| last(v6))
}

fn last(v6: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = v6.octets();
    Ipv4Addr::new(a, b, c, d)
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
