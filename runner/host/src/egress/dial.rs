//! Opens connections: looks a name up, connects to an address that was checked, speaks TLS where the
//! scheme says so, and agrees on a version of HTTP. It uses no proxy.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use wharf_policy::{AddressClass, Granted, Target, classify};

use super::channel::{Channel, Version};
use super::resolve::{Lookup, Resolver, Unresolved};
use super::{EgressError, tls};
use crate::run::Run;
use crate::{ServicesConfig, ServicesError};

/// For a connection to be there, from the name to the version of HTTP.
const WITHIN: Duration = Duration::from_secs(10);

/// How long one address is tried alone, before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(300);
/// Addresses that are tried at a time.
const TRIES: usize = 3;

/// The way out of a runner: TLS and names.
pub(crate) struct Egress {
    tls: TlsConnector,
    resolver: Resolver,
}

impl Egress {
    pub(crate) fn new(
        config: &ServicesConfig,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, ServicesError> {
        let tls = tls::client(config.extra_ca.as_deref())?;
        Ok(Self {
            tls: Arc::new(tls).into(),
            resolver: Resolver::new(lookup),
        })
    }

    /// The addresses of a name, unchecked: whoever asks must check them.
    pub(crate) async fn lookup(&self, run: &Run, name: &str) -> io::Result<Vec<IpAddr>> {
        self.resolver.lookup(&run.lookups, name).await
    }

    /// A new connection to there. It is of the run's, and ends with it.
    pub(super) async fn dial(
        &self,
        run: &Run,
        target: &Target,
        granted: &Granted<'_>,
    ) -> Result<Channel, EgressError> {
        let opened = timeout(WITHIN, self.open(run, target, granted)).await;
        opened.unwrap_or_else(|_| Err(EgressError::not_taken(target)))
    }

    async fn open(
        &self,
        run: &Run,
        target: &Target,
        granted: &Granted<'_>,
    ) -> Result<Channel, EgressError> {
        let addresses = self.addresses(run, target, granted).await?;
        let stream = connect(&addresses, target.port())
            .await
            .map_err(|error| EgressError::unreachable(&error, target))?;
        let at = stream
            .peer_addr()
            .map_err(|error| EgressError::unreachable(&error, target))?;
        // Before anything is sent, for there may be no answer.
        if classify(at.ip()) != AddressClass::Public {
            run.reached(&target.origin(), at.ip());
        }
        let until = run.traffic.connections().until();
        let opened = if target.is_https() {
            let name = server_name(target)?;
            let stream = self.tls.connect(name, stream).await;
            let stream = stream.map_err(|error| EgressError::insecure(&error, target))?;
            let version = match stream.get_ref().1.alpn_protocol() {
                Some(b"h2") => Version::Two,
                _ => Version::One,
            };
            Channel::open(stream, version, until).await
        } else {
            Channel::open(stream, Version::One, until).await
        };
        opened.map_err(|error| EgressError::broken(&error, target))
    }

    /// Where it may be connected to: of a name the addresses that are granted.
    async fn addresses(
        &self,
        run: &Run,
        target: &Target,
        granted: &Granted<'_>,
    ) -> Result<Vec<IpAddr>, EgressError> {
        let checked = |address| {
            let what = || format!("a request to {}", target.origin());
            granted
                .check(target.host(), address, what)
                .map_err(|denied| EgressError::Prohibited(denied.to_string()))
        };
        let name = match target.host() {
            Host::Ipv4(address) => {
                let address = IpAddr::from(*address);
                return checked(address).map(|()| vec![address]);
            }
            Host::Ipv6(address) => {
                let address = IpAddr::from(*address);
                return checked(address).map(|()| vec![address]);
            }
            Host::Domain(name) => name,
        };
        let share = &run.lookups;
        let found = self.resolver.granted(share, name, granted.networks()).await;
        found.map_err(|unresolved| match unresolved {
            Unresolved::Prohibited(address) => match checked(address) {
                Err(refusal) => refusal,
                // The networks are the same.
                Ok(()) => EgressError::Prohibited(format!("{address} is not granted")),
            },
            Unresolved::Failed(error) => EgressError::unreachable(&error, target),
        })
    }
}

/// Connects to whichever of these addresses takes it first, with a head start for the earlier ones
/// (as RFC 8305 has it): one that leads nowhere does not keep the next one waiting.
async fn connect(addresses: &[IpAddr], port: u16) -> io::Result<TcpStream> {
    let (mut tries, mut begun) = (JoinSet::new(), VecDeque::new());
    let mut left = addresses.iter().copied();
    let mut why = io::Error::from(io::ErrorKind::NotFound);
    loop {
        if let Some(address) = left.next() {
            if begun.len() == TRIES {
                begun.pop_front().as_ref().map(AbortHandle::abort);
            }
            begun.push_back(tries.spawn(TcpStream::connect((address, port))));
        }
        let ended = tries.join_next();
        let ended = match left.len() {
            0 => ended.await,
            _ => match timeout(HEAD_START, ended).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
        };
        match ended {
            Some(Ok(Ok(stream))) => {
                // Requests are written whole: waiting for more would only delay them.
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Some(Ok(Err(error))) => why = error,
            // Given up for a later one.
            Some(Err(_)) => {}
            None => return Err(why),
        }
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, EgressError> {
    Ok(match target.host() {
        Host::Ipv4(address) => IpAddr::from(*address).into(),
        Host::Ipv6(address) => IpAddr::from(*address).into(),
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(|_| {
            EgressError::Invalid(format!("no certificate can be for the host {name}"))
        })?,
    })
}

/// The URL with exactly the host that was checked, and nothing that is not sent.
pub(super) fn destination(mut url: Url, target: &Target) -> Result<Url, EgressError> {
    url.set_host(Some(&target.host().to_string()))
        .map_err(|error| EgressError::Invalid(format!("the host cannot be used: {error}")))?;
    url.set_fragment(None);
    Ok(url)
}
