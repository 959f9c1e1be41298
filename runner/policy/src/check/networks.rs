//! The networks of each grant: whether they have an effect, and how wide they are.

use ipnet::IpNet;

use super::{Finding, Kind, Row, granted_row};
use crate::address::{inside, metadata};
use crate::{Capabilities, Grant, Nature, classify};

pub(super) fn rows(asks: &Capabilities, grants: &[&Grant], rows: &mut Vec<Row>) {
    for grant in grants {
        // Networks serve the rules of their own grant and of no other.
        let unused = if !grant.goes_out() {
            Some("networks serve the http and tcp of their own [[grant]], and it has none")
        } else if !is_asked_for(asks, grant) {
            Some("the manifest asks for nothing that the http and tcp of its [[grant]] allow")
        } else {
            None
        };
        for network in grant.networks.iter() {
            let (finding, note) = match unused {
                Some(why) => (Finding::Unused, why.to_owned()),
                None => judge(network),
            };
            rows.push(granted_row(
                Kind::Network,
                finding,
                network.to_string(),
                &note,
            ));
        }
    }
}

fn is_asked_for(asks: &Capabilities, grant: &Grant) -> bool {
    let http = |rule| asks.http.iter().any(|ask| ask.overlaps(rule));
    let tcp = |rule| asks.tcp.iter().any(|ask| ask.overlaps(rule));
    grant.http.iter().any(http) || grant.tcp.iter().any(tcp)
}

fn judge(network: &IpNet) -> (Finding, String) {
    // Only a network of the one address opens a metadata service, so only that is warned of.
    if network.prefix_len() == network.max_prefix_len() {
        let nature = Nature::of(network.addr());
        return match nature.metadata() {
            Some(_) => (
                Finding::Wider,
                format!("{nature}: what is there gives credentials to whoever asks"),
            ),
            None => (Finding::Granted, String::new()),
        };
    }
    let note = if network.prefix_len() == 0 {
        "every address there is but metadata services"
    } else if is_of_gateways(network) {
        let note = "its addresses lead to IPv4 addresses: each of those must be open as well, public or in a network of the grant";
        return (Finding::Granted, note.to_owned());
    } else if is_wide(network) {
        "a large network: name the part that is meant"
    } else if metadata::is_any_in(network) {
        let note = "metadata services in it stay closed: each needs a network of its one address";
        return (Finding::Granted, note.to_owned());
    } else {
        return (Finding::Granted, String::new());
    };
    (Finding::Wider, note.to_owned())
}

/// Whether all of its addresses carry another inside, by a prefix that all have.
fn is_of_gateways(network: &IpNet) -> bool {
    let (first, last) = (network.network(), network.broadcast());
    classify(first) == classify(last) && inside(last).next().is_some()
}

/// Larger than one private network of a usual kind (10.0.0.0/8, fd00::/48).
fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(net) => net.prefix_len() < 8,
        IpNet::V6(net) => net.prefix_len() < 48,
    }
}
