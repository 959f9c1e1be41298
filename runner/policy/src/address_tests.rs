//! The filter, by example and against lists of networks: slow and obvious.

use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

fn class(text: &str) -> AddressClass {
    classify(text.parse().unwrap())
}

fn networks(list: &[&str]) -> Networks {
    let nets: Vec<IpNet> = list.iter().map(|net| net.parse().unwrap()).collect();
    nets.try_into().unwrap()
}

fn allows(list: &[&str], address: &str) -> bool {
    networks(list).check(address.parse().unwrap()).is_ok()
}

const METADATA: [&str; 19] = [
    "169.254.169.254",
    "169.254.169.252",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.23",
    "169.254.42.42",
    "168.63.129.16",
    "192.0.0.192",
    "100.100.100.200",
    "100.96.0.96",
    "100.80.80.80",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:a9fe:a9fe::1",
    "fd00:100::100:200",
    "fd00:42::42",
    "fe80::a9fe:a9fe",
];
/// How many of them are IPv4.
const METADATA_V4: usize = 11;

#[test]
fn every_way_to_say_loopback_private_or_reserved_is_special() {
    for address in [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.0.1",
        "100.64.0.1",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:1::1",
        "2606:4700::5efe:7f00:1",
        "2606:4700::200:5efe:7f00:1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "255.255.255.255",
        "4000::1",
        "5f00::1",
    ] {
        assert!(
            matches!(class(address), AddressClass::Special(_)),
            "{address} is {:?}",
            class(address)
        );
    }
    assert_eq!(class("8.8.8.8"), AddressClass::Public);
    assert_eq!(class("2606:4700::1111"), AddressClass::Public);
}

#[test]
fn a_metadata_address_is_opened_by_its_name_and_by_no_network_however_wide() {
    for address in METADATA {
        assert_eq!(class(address), AddressClass::Metadata, "{address}");
        let wide = [
            "0.0.0.0/0",
            "::/0",
            "169.254.0.0/16",
            "169.254.169.252/30",
            "100.64.0.0/10",
            "fd00::/8",
            "fe80::/10",
            "fd00:ec2::/127",
            "fc00::/7",
        ];
        assert!(!allows(&wide, address), "{address}");
        let bits = if address.contains(':') { 128 } else { 32 };
        assert!(
            allows(&[&format!("{address}/{bits}")], address),
            "{address}"
        );
    }
}

#[test]
fn every_metadata_address_is_in_the_documentation() {
    let page = include_str!("../../../docs/policy.md");
    let named: Vec<IpAddr> = page
        .split(|c: char| !(c.is_ascii_hexdigit() || ".:".contains(c)))
        .filter_map(|word| word.trim_end_matches('.').parse().ok())
        .collect();
    for address in metadata::METADATA {
        assert!(named.contains(&address), "{address}");
    }
}

#[test]
fn no_gateway_leads_to_a_metadata_or_private_address_that_is_not_granted_itself() {
    let gateways = [
        "::/0",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
    ];
    for inside in [
        "::ffff:169.254.169.254",
        "::ffff:0:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "64:ff9b:1:a9:fe:a9fe::",
        "64:ff9b:1:0:a9:fea9:fe00:0",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:808:808::5601:5601",
        "2606:4700::5efe:a9fe:a9fe",
        // Two forms in one, of which the other leads to a public address.
        "2002:a9fe:a9fe::5efe:808:808",
        "2002:808:808::200:5efe:a9fe:a9fe",
        "2001:0:a9fe:a9fe:0:5efe:808:808",
        "2001:0:808:808:0:5efe:5601:5601",
        "64:ff9b:1:808:0:5efe:a9fe:a9fe",
    ] {
        assert!(!allows(&gateways, inside), "{inside}");
        let mut all = gateways.to_vec();
        all.push("0.0.0.0/0");
        assert!(!allows(&all, inside), "{inside} with all of IPv4");
    }
    assert!(!allows(&gateways, "64:ff9b::a00:1"), "a private address");
    for private in ["64:ff9b:1:a00:0:5efe:808:808", "64:ff9b:1:a00:0:5e00::"] {
        assert!(!allows(&gateways, private), "{private}");
        assert!(
            allows(&["64:ff9b:1::/48", "10.0.0.0/8"], private),
            "{private}"
        );
    }
    assert!(allows(&["64:ff9b::/96", "10.0.0.0/8"], "64:ff9b::a00:1"));
    assert!(
        allows(&["64:ff9b::/96"], "64:ff9b::808:808"),
        "a public one"
    );
    assert!(allows(&["64:ff9b::a9fe:a9fe/128"], "64:ff9b::a9fe:a9fe"));
}

#[test]
fn a_refused_address_says_what_it_is_and_what_it_may_lead_to() {
    let refused = |list: &[&str], address: &str| {
        let nature = networks(list).check(address.parse().unwrap()).unwrap_err();
        (
            nature.to_string(),
            nature.metadata().map(|ip| ip.to_string()),
        )
    };
    let metadata = || Some("169.254.169.254".to_owned());
    let plain = |why: &str| (why.to_owned(), None);
    assert_eq!(
        refused(&[], "169.254.169.254"),
        ("a cloud metadata address".to_owned(), metadata())
    );
    assert_eq!(refused(&[], "fd00::1"), plain("a private address"));
    for (address, what) in [
        ("::ffff:a9fe:a9fe", "an IPv4-mapped address"),
        ("64:ff9b::a9fe:a9fe", "a NAT64 address"),
        ("64:ff9b:1:a9fe:a9:fe00::", "a NAT64 address"),
        ("2002:a9fe:a9fe::1", "a 6to4 address"),
        ("2001:0:808:808::5601:5601", "a Teredo address"),
        ("2606:4700::5efe:a9fe:a9fe", "an ISATAP address"),
    ] {
        let why = format!("{what} that may lead to 169.254.169.254, a cloud metadata address");
        assert_eq!(refused(&["64:ff9b::/96"], address), (why, metadata()));
    }
    assert_eq!(
        refused(&["64:ff9b::/96"], "64:ff9b::a00:1"),
        plain("a NAT64 address that may lead to 10.0.0.1, a private address")
    );
}

#[test]
fn a_grant_opens_its_network_and_no_other_form_of_it() {
    let loopback = ["127.0.0.0/8"];
    assert!(allows(&loopback, "127.0.0.1"));
    assert!(!allows(&loopback, "::ffff:127.0.0.1"));
    assert!(!allows(&loopback, "10.0.0.1"));
    assert!(!allows(&["::ffff:0:0/96"], "127.0.0.1"));
}

#[test]
fn a_network_with_bits_beyond_its_prefix_is_refused_and_both_meanings_are_named() {
    let net: IpNet = "10.1.2.3/8".parse().unwrap();
    let error = Networks::try_from(vec![net]).unwrap_err().to_string();
    assert!(
        error.contains("10.0.0.0/8") && error.contains("10.1.2.3/32"),
        "{error}"
    );
}

/// The special blocks as lists of networks.
const SPECIAL_V4: [&str; 17] = [
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
];

/// Of IPv6, only 2000::/3 is in use, and of that not these.
const SPECIAL_V6: [&str; 5] = [
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "::/0",
];

fn holds(list: &[&str], address: IpAddr) -> bool {
    list.iter()
        .any(|net| net.parse::<IpNet>().unwrap().contains(&address))
}

fn reference(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => holds(&SPECIAL_V4, address),
        IpAddr::V6(v6) => {
            let isatap = format!("{:032x}", v6.to_bits());
            let isatap = ["00005efe", "02005efe"].contains(&&isatap[16..24]);
            isatap || !holds(&["2000::/3"], address) || holds(&SPECIAL_V6[..4], address)
        }
    }
}

/// Where IPv4 addresses are inside of IPv6 addresses: below which network, or with which digits in
/// the middle; at which bytes; and whether those are turned over, or count only if not `0.x.x.x`.
const CARRIERS: [(&str, [usize; 4], bool, bool); 13] = [
    ("::ffff:0:0/96", [12, 13, 14, 15], false, false),
    ("::ffff:0:0:0/96", [12, 13, 14, 15], false, false),
    ("::/96", [12, 13, 14, 15], false, false),
    ("64:ff9b::/96", [12, 13, 14, 15], false, false),
    ("64:ff9b:1::/48", [6, 7, 9, 10], false, true),
    ("64:ff9b:1::/48", [7, 9, 10, 11], false, true),
    ("64:ff9b:1::/48", [9, 10, 11, 12], false, true),
    ("64:ff9b:1::/48", [12, 13, 14, 15], false, true),
    ("2002::/16", [2, 3, 4, 5], false, false),
    ("2001::/32", [4, 5, 6, 7], false, false),
    ("2001::/32", [12, 13, 14, 15], true, false),
    ("00005efe", [12, 13, 14, 15], false, false),
    ("02005efe", [12, 13, 14, 15], false, false),
];

fn carried(v6: Ipv6Addr) -> Vec<Ipv4Addr> {
    let digits = format!("{:032x}", v6.to_bits());
    let byte = |at: usize| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap();
    CARRIERS
        .iter()
        .filter(|(by, ..)| match by.parse::<IpNet>() {
            Ok(net) => net.contains(&IpAddr::V6(v6)),
            Err(_) => digits[16..24] == **by,
        })
        .map(|(_, at, turned, delivered)| {
            let bytes = at.map(|at| if *turned { !byte(at) } else { byte(at) });
            (Ipv4Addr::from(bytes), *delivered)
        })
        .filter(|(v4, delivered)| !delivered || v4.octets()[0] != 0)
        .map(|(v4, _)| v4)
        .collect()
}

/// Addresses of every form, half of them of a second form at the same time.
fn carrier() -> impl Strategy<Value = Ipv6Addr> {
    let prefixes = [
        (0xffff_u128 << 32, 96),
        (0xffff << 48, 96),
        (0, 96),
        (0x64_ff9b << 96, 96),
        (0x64_ff9b_0001 << 80, 48),
        (0x2002 << 112, 16),
        (0x2001 << 112, 32),
        (0x2606_4700 << 96, 32),
    ];
    let v4 = || {
        prop_oneof![
            any::<u32>(),
            Just(0xa9fe_a9fe),
            Just(0x0808_0808),
            Just(0x0a00_0001)
        ]
    };
    (0..prefixes.len(), any::<u128>(), v4(), v4(), 0..4_u8).prop_map(
        move |(at, bits, first, second, id)| {
            let (prefix, length) = prefixes[at];
            let free = u128::MAX >> length;
            // The first right behind the prefix, the second in the last bits.
            let behind = (u128::from(first) << 96) >> length;
            let low = u128::from(u32::MAX);
            let filled = (bits & !low & !((low << 96) >> length)) | behind;
            let with_id = match id {
                0 => filled & !(low << 32) | (0x5efe << 32),
                1 => filled & !(low << 32) | (0x0200_5efe << 32),
                _ => filled,
            };
            Ipv6Addr::from_bits(prefix | ((with_id & !low | u128::from(second)) & free))
        },
    )
}

/// Addresses near the borders of the blocks, where a filter is wrong if it is wrong.
fn near_a_block(blocks: &'static [&'static str]) -> impl Strategy<Value = IpAddr> {
    (0..blocks.len(), any::<bool>(), 0..4_u8, any::<u16>()).prop_map(|(at, end, by, low)| {
        let net: IpNet = blocks[at].parse().unwrap();
        let edge = if end { net.broadcast() } else { net.network() };
        match edge {
            IpAddr::V4(v4) => {
                let bits = v4.to_bits().wrapping_add(by.into()).wrapping_sub(2);
                IpAddr::V4(Ipv4Addr::from_bits(bits))
            }
            IpAddr::V6(v6) => {
                let bits = v6.to_bits().wrapping_add(by.into()).wrapping_sub(2);
                IpAddr::V6(Ipv6Addr::from_bits(bits ^ u128::from(low)))
            }
        }
    })
}

fn any_v6() -> impl Strategy<Value = Ipv6Addr> {
    prop_oneof![
        any::<u128>().prop_map(Ipv6Addr::from_bits),
        // In the part that is in use, and where most of the exceptions are.
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits((bits >> 3) | (1 << 125))),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits((bits >> 16) | (0x2001 << 112))),
        (any::<u64>(), any::<u32>(), any::<bool>()).prop_map(|(prefix, v4, bit)| {
            let id = if bit { 0x0200_5efe_u64 } else { 0x5efe };
            Ipv6Addr::from_bits((u128::from(prefix) << 64) | u128::from((id << 32) | u64::from(v4)))
        }),
    ]
}

proptest! {
    #[test]
    fn the_ipv4_filter_agrees_with_a_list_of_networks(
        address in prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
            near_a_block(&SPECIAL_V4),
        ],
    ) {
        prop_assert_eq!(classify(address) != AddressClass::Public, reference(address));
    }

    #[test]
    fn the_ipv6_filter_agrees_with_a_list_of_networks(
        address in prop_oneof![any_v6().prop_map(IpAddr::V6), near_a_block(&SPECIAL_V6)],
    ) {
        prop_assert_eq!(classify(address) != AddressClass::Public, reference(address), "{}", address);
    }

    #[test]
    fn no_ipv6_form_of_an_ipv4_address_opens_what_the_address_does_not(
        bits in any::<u32>(),
        metadata in proptest::option::of(0..METADATA_V4),
        granted in proptest::collection::vec(0..SPECIAL_V4.len(), 0..4),
    ) {
        let v4 = match metadata {
            Some(at) => METADATA[at].parse().unwrap(),
            None => Ipv4Addr::from_bits(bits),
        };
        let [a, b, c, d] = v4.octets();
        let (hex, not) = (format!("{a:02x}{b:02x}:{c:02x}{d:02x}"), Ipv4Addr::from_bits(!v4.to_bits()));
        let [na, nb, nc, nd] = not.octets();
        let mut list = vec!["::/0"];
        list.extend(granted.iter().map(|at| SPECIAL_V4[*at]).filter(|net| !net.ends_with("/32")));
        let plain = allows(&list, &v4.to_string());
        for text in [
            format!("::ffff:{v4}"),
            format!("::ffff:0:{v4}"),
            format!("64:ff9b::{hex}"),
            format!("2002:{hex}::1"),
            format!("2001:0:808:808::{na:02x}{nb:02x}:{nc:02x}{nd:02x}"),
            format!("2606:4700::5efe:{hex}"),
        ] {
            prop_assert!(class(&text) != AddressClass::Public, "{} was taken as public", text);
            prop_assert_eq!(allows(&list, &text), plain, "{}", text);
        }
    }

    #[test]
    fn an_address_is_open_only_if_all_that_any_form_reads_out_of_it_is_open(
        address in carrier(),
        granted in proptest::collection::vec(0..SPECIAL_V4.len(), 0..6),
    ) {
        let mut list = vec!["::/0"];
        list.extend(granted.iter().map(|at| SPECIAL_V4[*at]).filter(|net| !net.ends_with("/32")));
        let loopback_or_none = address.to_bits() <= 1;
        let expected = match classify(address.into()) {
            AddressClass::Public => true,
            AddressClass::Metadata => false,
            AddressClass::Special(_) => {
                loopback_or_none || carried(address).iter().all(|v4| allows(&list, &v4.to_string()))
            }
        };
        prop_assert_eq!(allows(&list, &address.to_string()), expected, "{}", address);
    }

    #[test]
    fn a_grant_opens_exactly_the_special_addresses_that_it_holds(
        bits in any::<u32>(), net in any::<u32>(), length in 0..=32_u8,
    ) {
        let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
        let net = IpNet::new(IpAddr::V4(Ipv4Addr::from_bits(net)), length).unwrap().trunc();
        let expected = match classify(address) {
            AddressClass::Public => true,
            AddressClass::Special(_) => net.contains(&address),
            AddressClass::Metadata => length == 32 && net.contains(&address),
        };
        prop_assert_eq!(Networks::new(vec![net]).check(address).is_ok(), expected);
    }
}
