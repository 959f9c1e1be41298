//! The connections of one run: those that are in use, and those that are kept for its next
//! request to the same origin.
//!
//! Those in use, those that are kept and the TCP sockets of a run are never more than its
//! `connections`; one that is being opened may try a few addresses in its place. No connection is kept
//! for another run, and none outlives its own: what is still being sent or read is cut off when the run
//! is over.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wharf_policy::{Networks, Target};

use super::EgressError;
use super::channel::Channel;

/// How long one that is kept is used again. Whatever is on the way forgets those that are idle.
const IDLE: Duration = Duration::from_secs(30);

/// Where a connection leads, and the networks that its address had to be in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct To {
    origin: String,
    networks: Networks,
}

impl To {
    pub(super) fn new(target: &Target, networks: &Networks) -> Self {
        Self {
            origin: target.origin(),
            networks: networks.clone(),
        }
    }
}

/// The connections of a run.
pub(crate) struct Connections {
    places: Arc<Semaphore>,
    kept: Mutex<VecDeque<Kept>>,
    over: CancellationToken,
}

/// What is kept for the next request, the one that was used last at the end.
struct Kept {
    to: To,
    channel: Channel,
    since: Instant,
}

/// A place among the connections. It is free again when this is dropped.
pub(crate) struct Open(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Connections {
    pub(super) fn new(most: u32) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most as usize)),
            kept: Mutex::default(),
            over: CancellationToken::new(),
        }
    }

    /// A place for a request, when there is one. Who has it looks for a connection that is kept: the
    /// place may be that one's.
    pub(super) async fn open(&self) -> Open {
        let place = self.places.clone().acquire_owned().await;
        Open(place.expect("the semaphore is never closed"))
    }

    /// A place for a connection, if there is one, with nothing kept in it any more.
    pub(super) fn open_bare(&self) -> Option<Open> {
        let place = self.places.clone().try_acquire_owned().ok()?;
        self.make_room();
        Some(Open(place))
    }

    /// What ends a new connection with the run.
    pub(super) fn until(&self) -> CancellationToken {
        self.over.child_token()
    }

    /// A connection that is kept, the one to there that was used last.
    fn kept_to(&self, to: &To, now: Instant) -> Option<Channel> {
        let mut kept = self.kept();
        kept.retain(|kept| now.duration_since(kept.since) < IDLE);
        let at = kept.iter().rposition(|kept| kept.to == *to)?;
        kept.remove(at).map(|kept| kept.channel)
    }

    /// Closes what is kept in places that are taken, those first that were used longest ago.
    fn make_room(&self) {
        let mut kept = self.kept();
        let too_many = (kept.len()).saturating_sub(self.places.available_permits());
        kept.drain(..too_many);
    }

    fn keep(&self, to: To, channel: Channel) {
        let mut kept = self.kept();
        if !self.over.is_cancelled() {
            let since = Instant::now();
            kept.push_back(Kept { to, channel, since });
        }
    }

    /// Closes all of them, for good.
    pub(super) fn end(&self) {
        self.over.cancel();
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn are_kept(&self) -> Vec<String> {
        let kept = self.kept();
        kept.iter().map(|kept| kept.to.origin.clone()).collect()
    }
}

/// A request and its answer, and the connection that they go over. Who drops it before the answer
/// has come to its end breaks it off, with what is still being sent.
pub(crate) struct Exchange(Arc<Shared>);

/// The sending of a request's body. A server may answer before it has read all of it, and then the
/// connection is in use until this is dropped as well.
pub(super) struct Sending(Arc<Shared>);

struct Shared {
    of: Arc<Connections>,
    to: To,
    over: OnceLock<Channel>,
    is_whole: AtomicBool,
    broken: OnceLock<EgressError>,
    // After the rest: the place is free once the connection counts as one that is kept.
    place: Mutex<Option<Open>>,
}

impl Exchange {
    pub(super) fn new(of: &Arc<Connections>, place: Open, to: To) -> Self {
        Self(Arc::new(Shared {
            of: of.clone(),
            to,
            over: OnceLock::new(),
            is_whole: AtomicBool::new(false),
            broken: OnceLock::new(),
            place: Mutex::new(Some(place)),
        }))
    }

    /// For the body, as long as it is being sent.
    pub(super) fn sending(&self) -> Sending {
        Sending(self.0.clone())
    }

    /// A connection that is kept and leads there, if there is one.
    pub(super) fn kept(&self) -> Option<Channel> {
        self.0.of.kept_to(&self.0.to, Instant::now())
    }

    /// Closes what is kept where there is no room for it beside a new connection.
    pub(super) fn make_room(&self) {
        self.0.of.make_room();
    }

    /// The answer began, and comes over this connection.
    pub(super) fn goes_over(&self, channel: Channel) {
        // There is one answer, so this is set once.
        let _ = self.0.over.set(channel);
    }

    /// The answer came to its end, so that the connection can be used again.
    pub(super) fn is_whole(&self) {
        self.0.is_whole.store(true, Ordering::SeqCst);
    }

    /// Why the request's own body broke off, if it did: a connection only tells that it did.
    pub(super) fn broken(&self) -> Option<&EgressError> {
        self.0.broken.get()
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.0.is_whole.load(Ordering::SeqCst) {
            return;
        }
        if let Some(channel) = self.0.over.get() {
            channel.close();
        }
        // Not when whatever sends the body has noticed: the next request may come before that.
        let mut place = self.0.place.lock().unwrap_or_else(PoisonError::into_inner);
        *place = None;
    }
}

impl Sending {
    /// The body breaks off. Gives back why, and whether whoever asked has had all of the answer, and
    /// so does not hear of it.
    pub(super) fn breaks_off(&self, error: EgressError) -> (&EgressError, bool) {
        let error = self.0.broken.get_or_init(|| error);
        (error, self.0.is_whole.load(Ordering::SeqCst))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(channel) = self.over.take()
            && *self.is_whole.get_mut()
            && channel.is_reusable()
        {
            self.of.keep(self.to.clone(), channel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::Version;
    use super::*;

    fn to(origin: &str) -> To {
        To {
            origin: origin.to_owned(),
            networks: Networks::default(),
        }
    }

    /// In use, and whether its connection is a new one.
    async fn taken(connections: &Arc<Connections>, to: To) -> (Exchange, bool) {
        let exchange = Exchange::new(connections, connections.open().await, to);
        let kept = exchange.kept();
        let is_new = kept.is_none();
        let channel = match kept {
            Some(channel) => channel,
            None => {
                exchange.make_room();
                let (stream, _) = tokio::io::duplex(64);
                let opened = Channel::open(stream, Version::One, connections.until());
                opened.await.unwrap_or_else(|error| panic!("{error}"))
            }
        };
        exchange.goes_over(channel);
        exchange.is_whole();
        (exchange, is_new)
    }

    #[tokio::test]
    async fn one_that_is_kept_is_used_for_the_same_origin_and_networks_and_for_no_other() {
        let connections = Arc::new(Connections::new(4));
        assert!(taken(&connections, to("a")).await.1);
        assert!(!taken(&connections, to("a")).await.1);
        assert!(taken(&connections, to("b")).await.1);
        let other = To {
            networks: Networks::try_from(vec!["10.0.0.0/8".parse().unwrap()]).unwrap(),
            ..to("a")
        };
        assert!(taken(&connections, other).await.1);
    }

    #[tokio::test]
    async fn those_in_use_and_those_that_are_kept_are_never_more_than_there_are_places() {
        let connections = Arc::new(Connections::new(3));
        for origin in ["a", "b", "c", "d"] {
            drop(taken(&connections, to(origin)).await);
        }
        assert_eq!(connections.are_kept(), ["b", "c", "d"]);
        let (first, _) = taken(&connections, to("e")).await;
        assert_eq!(connections.are_kept(), ["c", "d"]);
        let socket = connections.open_bare().unwrap();
        assert_eq!(connections.are_kept(), ["d"]);
        let (second, is_new) = taken(&connections, to("d")).await;
        assert!(!is_new, "its place was the one that was free");
        assert_eq!(connections.places.available_permits(), 0);
        drop((first, second, socket));
        assert_eq!(connections.are_kept(), ["e", "d"]);
    }

    #[tokio::test]
    async fn one_whose_answer_broke_off_is_not_kept() {
        let connections = Arc::new(Connections::new(3));
        let (exchange, _) = taken(&connections, to("a")).await;
        exchange.0.is_whole.store(false, Ordering::SeqCst);
        drop(exchange);
        assert_eq!(connections.are_kept(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn one_that_was_idle_for_long_is_not_used_again() {
        let connections = Arc::new(Connections::new(3));
        drop(taken(&connections, to("a")).await);
        let later = Instant::now() + IDLE;
        assert!(connections.kept_to(&to("a"), later).is_none());
        assert_eq!(connections.are_kept(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn nothing_is_kept_once_the_run_is_over() {
        let connections = Arc::new(Connections::new(3));
        let (late, _) = taken(&connections, to("a")).await;
        drop(taken(&connections, to("b")).await);
        connections.end();
        drop(late);
        assert_eq!(connections.are_kept(), Vec::<String>::new());
    }
}
