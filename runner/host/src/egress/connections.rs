//! The connections of one run: those that are in use, and those that are kept for its next
//! request to the same origin.
//!
//! Each has a client of its own, which keeps one idle connection to one origin. So they can be
//! counted and closed one by one: those in use, those that are kept and the TCP sockets of a run
//! are never more than its `connections`. No connection is kept for another run, and none for
//! longer than its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wharf_policy::{Networks, Target};

use super::EgressError;

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
    kept: Mutex<Kept>,
}

/// What is kept for the next request, the one that was used last at the end.
#[derive(Default)]
struct Kept {
    clients: VecDeque<(To, reqwest::Client)>,
    is_over: bool,
}

/// A place among the connections. It is free again when this is dropped.
pub(crate) struct Open(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Connections {
    pub(super) fn new(most: u32) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most as usize)),
            kept: Mutex::default(),
        }
    }

    /// A place for a request, if there is one. Who has it asks for a connection with [`take`]: the
    /// place may be that of one which is kept.
    ///
    /// [`take`]: Self::take
    pub(super) fn open(&self) -> Option<Open> {
        let place = self.places.clone().try_acquire_owned();
        place.ok().map(Open)
    }

    /// A place for a socket, if there is one, with nothing kept in it any more.
    pub(super) fn open_bare(&self) -> Option<Open> {
        let place = self.open()?;
        self.make_room();
        Some(place)
    }

    /// A connection to there: one that is kept, or a new one.
    ///
    /// # Errors
    /// There is none, and no client can be built.
    pub(super) fn take(
        self: &Arc<Self>,
        place: Arc<Open>,
        to: To,
        build: impl FnOnce() -> Result<reqwest::Client, EgressError>,
    ) -> Result<Connection, EgressError> {
        let client = match self.kept_to(&to) {
            Some(client) => client,
            None => {
                self.make_room();
                build()?
            }
        };
        Ok(Connection {
            of: self.clone(),
            to,
            client,
            _place: place,
        })
    }

    fn kept_to(&self, to: &To) -> Option<reqwest::Client> {
        let mut kept = self.kept();
        let at = kept.clients.iter().rposition(|(other, _)| other == to)?;
        kept.clients.remove(at).map(|(_, client)| client)
    }

    /// Closes what is kept in places that are taken, those first that were used longest ago.
    fn make_room(&self) {
        let mut kept = self.kept();
        let too_many = kept
            .clients
            .len()
            .saturating_sub(self.places.available_permits());
        kept.clients.drain(..too_many);
    }

    fn keep(&self, to: &To, client: &reqwest::Client) {
        let mut kept = self.kept();
        if !kept.is_over {
            kept.clients.push_back((to.clone(), client.clone()));
        }
    }

    /// Closes what is kept, for good.
    pub(super) fn end(&self) {
        let mut kept = self.kept();
        kept.is_over = true;
        kept.clients.clear();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn are_kept(&self) -> Vec<String> {
        let kept = self.kept();
        kept.clients
            .iter()
            .map(|(to, _)| to.origin.clone())
            .collect()
    }
}

/// A connection in use. It is kept when this is dropped, if it can be used again.
pub(crate) struct Connection {
    of: Arc<Connections>,
    to: To,
    client: reqwest::Client,
    // After the rest: the place is free once the connection counts as one that is kept, and what is
    // still being sent over it has ended.
    _place: Arc<Open>,
}

impl Connection {
    pub(super) fn client(&self) -> &reqwest::Client {
        &self.client
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.of.keep(&self.to, &self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(origin: &str) -> To {
        To {
            origin: origin.to_owned(),
            networks: Networks::default(),
        }
    }

    fn taken(connections: &Arc<Connections>, origin: &str) -> (Connection, bool) {
        let mut is_new = false;
        let place = Arc::new(connections.open().unwrap());
        let connection = connections.take(place, to(origin), || {
            is_new = true;
            Ok(reqwest::Client::new())
        });
        (connection.unwrap_or_else(|error| panic!("{error}")), is_new)
    }

    #[test]
    fn one_that_is_kept_is_used_for_the_same_origin_and_networks_and_for_no_other() {
        let connections = Arc::new(Connections::new(4));
        assert!(taken(&connections, "a").1);
        assert!(!taken(&connections, "a").1);
        assert!(taken(&connections, "b").1);
        let other = To {
            networks: Networks::try_from(vec!["10.0.0.0/8".parse().unwrap()]).unwrap(),
            ..to("a")
        };
        let place = Arc::new(connections.open().unwrap());
        let mut is_new = false;
        let taken = connections.take(place, other, || {
            is_new = true;
            Ok(reqwest::Client::new())
        });
        assert!(taken.is_ok() && is_new);
    }

    #[test]
    fn those_in_use_and_those_that_are_kept_are_never_more_than_there_are_places() {
        let connections = Arc::new(Connections::new(3));
        for origin in ["a", "b", "c", "d"] {
            drop(taken(&connections, origin));
        }
        assert_eq!(connections.are_kept(), ["b", "c", "d"]);
        let (first, _) = taken(&connections, "e");
        assert_eq!(connections.are_kept(), ["c", "d"]);
        let socket = connections.open_bare().unwrap();
        assert_eq!(connections.are_kept(), ["d"]);
        let (second, is_new) = taken(&connections, "d");
        assert!(!is_new, "its place was the one that was free");
        assert!(connections.open().is_none());
        drop((first, second, socket));
        assert_eq!(connections.are_kept(), ["e", "d"]);
    }

    #[test]
    fn nothing_is_kept_once_the_run_is_over() {
        let connections = Arc::new(Connections::new(3));
        let (late, _) = taken(&connections, "a");
        drop(taken(&connections, "b"));
        connections.end();
        drop(late);
        assert_eq!(connections.are_kept(), Vec::<String>::new());
    }
}
