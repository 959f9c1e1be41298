//! Looking up names, and refusing addresses that are not granted.
//!
//! What [`Resolver::granted`] gives is connected to as it is, so the address that is checked is the
//! address that is connected to.
//!
//! The system's lookup holds a thread until it is done, and is not done sooner because nobody
//! waits for it any more. So lookups are counted until they really end, those of each run and
//! those of all.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use url::Host;
use wharf_policy::{Denied, Granted};

use super::literal;

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
pub(crate) struct Share(Arc<Semaphore>);

impl Default for Share {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SHARE)))
    }
}

/// Why there is no address to connect to.
pub(crate) enum Unresolved {
    /// There are some, and none is granted: why the first one is not.
    Denied(Denied),
    /// The name leads nowhere, or nobody says where.
    Failed(io::Error),
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
    async fn lookup(&self, share: &Share, name: &str) -> io::Result<Vec<IpAddr>> {
        // The run's own first, so that one run never has more than its share of those who wait.
        let mine = share.0.clone().acquire_owned().await;
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

    /// The addresses of a host at which it is granted, in the order to try them. For the refusal,
    /// what was to be done there.
    pub(super) async fn granted(
        &self,
        share: &Share,
        host: &Host<String>,
        granted: &Granted<'_>,
        what: impl Fn() -> String,
    ) -> Result<Vec<IpAddr>, Unresolved> {
        let found = match (literal(host), host) {
            (Some(address), _) => vec![address],
            (None, name) => {
                let found = self.lookup(share, &name.to_string()).await;
                found.map_err(Unresolved::Failed)?
            }
        };
        let mut refused = None;
        let mut allowed = Vec::with_capacity(found.len().min(MOST_ADDRESSES));
        for address in found {
            match granted.check(host, address, &what) {
                Ok(()) => allowed.push(address),
                Err(denied) => refused = refused.or(Some(denied)),
            }
        }
        allowed.truncate(MOST_ADDRESSES);
        match (allowed.is_empty(), refused) {
            (false, _) => Ok(allowed),
            (true, Some(denied)) => Err(Unresolved::Denied(denied)),
            (true, None) => Err(Unresolved::Failed(io::Error::new(
                io::ErrorKind::NotFound,
                "the name has no address",
            ))),
        }
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
