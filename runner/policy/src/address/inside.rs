//! The IPv4 addresses that IPv6 addresses carry inside, to which a gateway or the system itself may
//! send what is sent to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// All that an address may carry inside, by where in it that is.
pub(super) fn inside(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    places(address).into_iter().flatten()
}

fn places(address: IpAddr) -> [Option<Ipv4Addr>; 4] {
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
