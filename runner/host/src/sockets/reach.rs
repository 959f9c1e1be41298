//! What a run may connect to: addresses that are granted as they are, and addresses that names
//! have led to which are granted. Pure but for the memory of those names.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use url::Host;
use wharf_policy::Denied;

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
/// It may not: as which destination that is told, and why.
pub(super) fn decide(run: &Run, address: SocketAddr) -> Result<String, (String, Denied)> {
    let (ip, port) = (address.ip(), address.port());
    if let SocketAddr::V6(v6) = address
        && (v6.scope_id() != 0 || v6.flowinfo() != 0)
    {
        let denied = Denied {
            what: format!("TCP to {ip} with a zone or a flow"),
            why: "no rule can name one".to_owned(),
            hint: "connect to the address alone".to_owned(),
            address: None,
        };
        return Err(("an address with a zone or a flow".to_owned(), denied));
    }
    let literal = match ip {
        IpAddr::V4(v4) => Host::Ipv4(v4),
        IpAddr::V6(v6) => Host::Ipv6(v6),
    };
    let judge = |host: &Host<String>| {
        let destination = format!("{host}:{port}");
        let granted = run.rights.check_tcp(host, Some(port));
        let what = || format!("TCP to {destination}");
        match granted.and_then(|granted| granted.check(host, ip, what)) {
            Ok(()) => Ok(destination),
            Err(denied) => Err((destination, denied)),
        }
    };
    // A name that was looked up says more about what was meant than the bare address.
    let mut first = None;
    for name in run.names.of(ip) {
        match judge(&name) {
            Ok(destination) => return Ok(destination),
            Err(refused) => first = first.or(Some(refused)),
        }
    }
    judge(&literal).map_err(|refused| first.unwrap_or(refused))
}
