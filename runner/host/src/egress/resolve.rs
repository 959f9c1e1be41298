//! Looking up names, and refusing addresses that are not granted.
//!
//! The client asks [`Checked`] for every name and connects only to what it gives, so the address
//! that is checked is the address that is connected to. Address literals never get here: they
//! are checked before the client sees them.
//!
//! The system's lookup holds a thread until it is done, and is not done sooner because nobody
//! waits for it any more. So lookups are counted until they really end, those of each run and
//! those of all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;
use wharf_policy::{AddressClass, Networks, classify};

/// Lookups of a runner at a time. The threads are those that read files as well, of which tokio
/// has 512.
const LOOKUPS: usize = 64;
/// Lookups of a run at a time.
const SHARE: usize = 4;
/// Addresses of one name that are tried: its server says how many there are.
const MOST_ADDRESSES: usize = 16;

/// Looks up the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of a name, in the order to try them.
    ///
    /// # Errors
    /// The name does not resolve.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Looks up names as the system does.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Looks up names for all runs of a runner, so many at a time.
pub(super) struct Resolver {
    lookup: Arc<dyn Lookup>,
    places: Arc<Semaphore>,
}

/// The lookups of one run: so many at a time.
#[derive(Clone)]
pub(crate) struct Share {
    places: Arc<Semaphore>,
    /// Where the client was led that is no public place, by name.
    led: Arc<Mutex<BTreeMap<String, BTreeSet<IpAddr>>>>,
}

impl Default for Share {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(SHARE)),
            led: Arc::default(),
        }
    }
}

impl Share {
    /// The addresses of a name that are not public ones and that the client may have connected to.
    pub(super) fn led_to(&self, name: &str) -> BTreeSet<IpAddr> {
        self.led().get(name).cloned().unwrap_or_default()
    }

    /// Remembers those of these addresses, which were granted, that are not public ones.
    fn leads_to(&self, name: &str, addresses: &[SocketAddr]) {
        let special = addresses.iter().map(SocketAddr::ip);
        let special = special.filter(|address| classify(*address) != AddressClass::Public);
        let special: Vec<IpAddr> = special.collect();
        if !special.is_empty() {
            let mut led = self.led();
            led.entry(name.to_owned()).or_default().extend(special);
        }
    }

    fn led(&self) -> MutexGuard<'_, BTreeMap<String, BTreeSet<IpAddr>>> {
        self.led.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolver {
    pub(super) fn new(lookup: Arc<dyn Lookup>) -> Self {
        Self {
            lookup,
            places: Arc::new(Semaphore::new(LOOKUPS)),
        }
    }

    /// The addresses of a name, when there is room to look it up. The place is taken until the
    /// lookup has ended, whether or not anyone still waits for it.
    pub(super) async fn lookup(&self, share: &Share, name: &str) -> io::Result<Vec<IpAddr>> {
        // The run's own first, so that one run never has more than its share of those who wait.
        let mine = share.places.clone().acquire_owned().await;
        let mine = mine.map_err(io::Error::other)?;
        let place = self.places.clone().acquire_owned().await;
        let place = place.map_err(io::Error::other)?;
        let (lookup, name) = (self.lookup.clone(), name.to_owned());
        let looked_up = tokio::spawn(async move {
            let found = lookup.lookup(&name).await;
            drop((mine, place));
            found
        });
        looked_up.await.map_err(io::Error::other)?
    }
}

/// Every address of a name is one that is not granted; this is the first. Whoever asked knows by
/// which grant it went, and says what would allow it.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not granted")]
pub(super) struct Prohibited(pub(super) IpAddr);

/// Gives the client only addresses that these networks allow.
pub(super) struct Checked {
    pub(super) resolver: Arc<Resolver>,
    pub(super) share: Share,
    pub(super) networks: Arc<Networks>,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, share) = (self.resolver.clone(), self.share.clone());
        let networks = self.networks.clone();
        Box::pin(async move {
            let name = name.as_str();
            let found = resolver.lookup(&share, name).await?;
            let mut refused = None;
            let mut allowed = Vec::with_capacity(found.len());
            for address in found {
                match networks.check(address) {
                    Ok(()) => allowed.push(SocketAddr::new(address, 0)),
                    Err(_) => refused = refused.or(Some(address)),
                }
            }
            allowed.truncate(MOST_ADDRESSES);
            share.leads_to(name, &allowed);
            match (allowed.is_empty(), refused) {
                (false, _) => Ok(Box::new(allowed.into_iter()) as Addrs),
                (true, Some(address)) => Err(Prohibited(address).into()),
                (true, None) => {
                    Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into())
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    /// Answers nobody, until it is told to.
    #[derive(Default)]
    struct Stuck {
        begun: AtomicUsize,
        released: Notify,
    }

    #[async_trait]
    impl Lookup for Stuck {
        async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            self.begun.fetch_add(1, Ordering::SeqCst);
            self.released.notified().await;
            Ok(vec![IpAddr::from([192, 0, 2, 1])])
        }
    }

    impl Stuck {
        /// Lets everything happen that can happen by now.
        async fn begun(&self) -> usize {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            self.begun.load(Ordering::SeqCst)
        }
    }

    /// Asks, and waits for the answer as long as nothing else happens.
    async fn ask_and_leave(resolver: &Resolver, share: &Share) {
        let mut asked = Box::pin(resolver.lookup(share, "slow.test"));
        for _ in 0..10 {
            tokio::select! {
                biased;
                _ = &mut asked => panic!("it was answered"),
                () = tokio::task::yield_now() => {}
            }
        }
    }

    #[tokio::test]
    async fn lookups_that_nobody_waits_for_take_their_places_until_they_end() {
        let stuck = Arc::new(Stuck::default());
        let resolver = Resolver::new(stuck.clone());
        let shares: Vec<Share> = (0..LOOKUPS / SHARE + 3).map(|_| Share::default()).collect();
        for _ in 0..SHARE + 2 {
            ask_and_leave(&resolver, &shares[0]).await;
        }
        assert_eq!(stuck.begun().await, SHARE, "of one run");
        for share in &shares[1..] {
            for _ in 0..SHARE + 2 {
                ask_and_leave(&resolver, share).await;
            }
        }
        assert_eq!(stuck.begun().await, LOOKUPS, "of the runner");

        // One that ends makes room for one.
        let late = Share::default();
        let waits = resolver.lookup(&late, "late.test");
        tokio::pin!(waits);
        tokio::select! {
            biased;
            _ = &mut waits => panic!("there was room"),
            () = tokio::task::yield_now() => {}
        }
        stuck.released.notify_one();
        tokio::select! {
            biased;
            _ = &mut waits => panic!("it is stuck as well"),
            begun = stuck.begun() => assert_eq!(begun, LOOKUPS + 1),
        }
        stuck.released.notify_waiters();
        assert_eq!(waits.await.unwrap(), [IpAddr::from([192, 0, 2, 1])]);
    }

    #[tokio::test]
    async fn the_system_knows_where_localhost_is() {
        let resolver = Resolver::new(Arc::new(SystemLookup));
        let found = resolver.lookup(&Share::default(), "localhost").await;
        let found = found.unwrap();
        assert!(
            !found.is_empty() && found.iter().all(IpAddr::is_loopback),
            "{found:?}"
        );
        let unknown = resolver.lookup(&Share::default(), "nothing.invalid").await;
        assert!(unknown.is_err(), "{unknown:?}");
    }
}
