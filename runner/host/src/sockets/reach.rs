//! What a run may connect to: addresses that are granted as they are, and addresses that names
//! have led to which are granted. Pure but for the memory of those names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use url::Host;

use crate::run::Run;

/// The names that this run has looked up, by the addresses that they led to.
#[derive(Default)]
pub(crate) struct Names(Mutex<BTreeMap<IpAddr, BTreeSet<String>>>);

impl Names {
    pub(super) fn remember(&self, name: &str, addresses: &[IpAddr]) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            names.entry(*address).or_default().insert(name.to_owned());
        }
    }

    fn of(&self, address: IpAddr) -> Vec<Host<String>> {
        let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names.get(&address).into_iter().flatten();
        names.cloned().map(Host::Domain).collect()
    }
}

/// Whether the run may connect there, and as which destination it is then told.
///
/// # Errors
/// It may not: as which destination it is told, and why not, with what would allow it.
pub(super) fn decide(run: &Run, address: SocketAddr) -> Result<String, (String, String)> {
    let (ip, port) = (address.ip(), address.port());
    if let SocketAddr::V6(v6) = address
        && (v6.scope_id() != 0 || v6.flowinfo() != 0)
    {
        let why = format!("TCP to {ip} with a zone or a flow is not allowed");
        return Err(("an address with a zone or a flow".to_owned(), why));
    }
    let literal = match ip {
        IpAddr::V4(v4) => Host::Ipv4(v4),
        IpAddr::V6(v6) => Host::Ipv6(v6),
    };
    let mut refused = None;
    let named = run.names.of(ip);
    // A name that was looked up says more about what was meant than the bare address.
    for host in named.into_iter().chain([literal]) {
        let destination = format!("{host}:{port}");
        let decided = run
            .rights
            .check_tcp(&host, Some(port))
            .and_then(|granted| granted.check(&host, ip, || format!("TCP to {destination}")));
        match decided {
            Ok(()) => return Ok(destination),
            Err(denied) => refused = refused.or(Some((destination, denied.to_string()))),
        }
    }
    Err(refused.unwrap_or_default())
}
