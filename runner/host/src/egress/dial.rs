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
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use url::{Host, Url};
use wharf_policy::{AddressClass, Granted, Target, classify};

use super::channel::{Channel, Version};
use super::resolve::{Lookup, Resolver, Unresolved};
use super::{EgressError, literal, tls};
use crate::run::Run;
use crate::{ServicesConfig, ServicesError};

/// For a connection to be there, from the name to the version of HTTP.
const WITHIN: Duration = Duration::from_secs(10);

/// How long one address is tried alone, before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(300);
/// Addresses that are tried at a time: the first is not given up before the second packet of it,
/// which is sent after a second (RFC 6298), had its chance.
const TRIES: usize = 4;

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

    /// The addresses of a host at which it is granted. For the refusal, what was to be done there.
    pub(crate) async fn addresses(
        &self,
        run: &Run,
        host: &Host<String>,
        granted: &Granted<'_>,
        what: impl Fn() -> String,
    ) -> Result<Vec<IpAddr>, Unresolved> {
        let found = self.resolver.granted(&run.lookups, host, granted, what);
        found.await
    }

    /// A new connection to there. It is of the run's, and ends with it.
    pub(super) async fn dial(
        &self,
        run: &Run,
        target: &Target,
        granted: &Granted<'_>,
    ) -> Result<Channel, EgressError> {
        let by = Instant::now() + WITHIN;
        let what = || format!("a request to {}", target.origin());
        let found = self.addresses(run, target.host(), granted, what);
        let found = timeout_at(by, found).await;
        let found = found.map_err(|_| EgressError::not_looked_up(target))?;
        let addresses = found.map_err(|unresolved| match unresolved {
            Unresolved::Denied(denied) => EgressError::prohibited(&denied),
            Unresolved::Failed(error) => EgressError::unreachable(&error, target),
        })?;
        let stream = match connect(&addresses, target.port(), by).await {
            Ok(stream) => stream,
            Err(Some(error)) => return Err(EgressError::unreachable(&error, target)),
            Err(None) => return Err(EgressError::not_taken(target)),
        };
        let spoken = timeout_at(by, self.speak(run, target, stream)).await;
        spoken.map_err(|_| EgressError::not_taken(target))?
    }

    /// What is spoken over a new connection to there: TLS where that is asked for, and HTTP.
    async fn speak(
        &self,
        run: &Run,
        target: &Target,
        stream: TcpStream,
    ) -> Result<Channel, EgressError> {
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
}

/// Connects to whichever of these addresses takes it first, with a head start for the earlier ones
/// (as RFC 8305 has it): one that leads nowhere does not keep the next one waiting.
///
/// # Errors
/// Why one of them refused, if one did: the others may not have answered by then.
async fn connect(
    addresses: &[IpAddr],
    port: u16,
    by: Instant,
) -> Result<TcpStream, Option<io::Error>> {
    let (mut tries, mut begun) = (JoinSet::new(), VecDeque::<AbortHandle>::new());
    let mut left = addresses.iter().copied();
    let mut why = None;
    loop {
        if let Some(address) = left.next() {
            begun.retain(|one| !one.is_finished());
            if begun.len() == TRIES
                && let Some(first) = begun.pop_front()
            {
                first.abort();
            }
            begun.push_back(tries.spawn(try_one(address, port)));
        }
        let wait = match left.len() {
            0 => by,
            _ => by.min(Instant::now() + HEAD_START),
        };
        match timeout_at(wait, ended(&mut tries)).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => why = Some(error),
            Ok(None) => return Err(why),
            Err(_) if wait == by => return Err(why),
            Err(_) => {}
        }
    }
}

async fn try_one(address: IpAddr, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((address, port)).await?;
    // Requests are written whole: waiting for more would only delay them.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The next try that came to an end by itself, and was not given up for a later one.
async fn ended(tries: &mut JoinSet<io::Result<TcpStream>>) -> Option<io::Result<TcpStream>> {
    loop {
        if let Ok(ended) = tries.join_next().await? {
            return Some(ended);
        }
    }
}

fn server_name(target: &Target) -> Result<ServerName<'static>, EgressError> {
    if let Some(address) = literal(target.host()) {
        return Ok(address.into());
    }
    let name = target.host().to_string();
    ServerName::try_from(name)
        .map_err(|_| EgressError::Invalid("no certificate can be for the host".to_owned()))
}

/// The URL with exactly the host that was checked, and nothing that is not sent.
pub(super) fn destination(mut url: Url, target: &Target) -> Result<Url, EgressError> {
    url.set_host(Some(&target.host().to_string()))
        .map_err(|error| EgressError::Invalid(format!("the host cannot be used: {error}")))?;
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};
    use tokio::time::timeout;

    use super::*;

    /// An address that takes no connection and refuses none, as long as this is held.
    struct Silent {
        _listener: TcpListener,
        _taken: JoinSet<io::Result<TcpStream>>,
    }

    async fn silent(address: IpAddr, port: u16) -> Silent {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, port).into()).unwrap();
        let _listener = socket.listen(1).unwrap();
        let mut waiting = JoinSet::new();
        for _ in 0..8 {
            waiting.spawn(TcpStream::connect((address, port)));
        }
        let mut taken = JoinSet::new();
        let patience = Duration::from_millis(200);
        while let Ok(Some(stream)) = timeout(patience, waiting.join_next()).await {
            taken.spawn(std::future::ready(stream.unwrap()));
        }
        assert!(!waiting.is_empty(), "it takes every connection");
        Silent {
            _listener,
            _taken: taken,
        }
    }

    fn on(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    async fn live() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    fn by(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn an_address_that_leads_nowhere_does_not_keep_the_next_one_waiting() {
        let (_live, port) = live().await;
        let _silent = silent(on(2), port).await;
        for first in [2, 3] {
            let stream = connect(&[on(first), on(1)], port, by(3)).await;
            assert_eq!(stream.unwrap().peer_addr().unwrap().ip(), on(1), "{first}");
        }
    }

    #[tokio::test]
    async fn each_of_many_that_lead_nowhere_has_its_head_start() {
        let (_live, port) = live().await;
        let mut silent_ones = Vec::new();
        for last in 2..10 {
            silent_ones.push(silent(on(last), port).await);
        }
        let addresses: Vec<IpAddr> = (2..10).chain([1]).map(on).collect();
        let begun = Instant::now();
        let stream = connect(&addresses, port, by(10)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), on(1));
        assert!(begun.elapsed() >= HEAD_START * 8, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn one_that_is_slow_is_not_given_up_for_those_that_refuse_and_the_refusal_is_told() {
        let port = live().await.1;
        let _silent = silent(on(2), port).await;
        let addresses: Vec<IpAddr> = (2..12).map(on).collect();
        let end = by(1);
        let why = connect(&addresses, port, end).await.unwrap_err();
        assert!(Instant::now() >= end, "it was given up: {why:?}");
        assert_eq!(why.unwrap().kind(), io::ErrorKind::ConnectionRefused);
        let nobody = connect(&[on(2)], port, by(1)).await.unwrap_err();
        assert!(nobody.is_none(), "{nobody:?}");
    }
}
