//! A store as a runner asks it: once for many, not again too soon, and with leases looked after.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;
use tokio_util::sync::DropGuard;

use crate::lease::Keeper;
use crate::period::from_now;
use crate::slot::{Next, Slot};
use crate::{Document, Place, SecretStore, StoreError, Trouble};

/// For how long a store that does not answer is not asked again. Long enough that all who wait
/// for the same answer are told at once.
const OUTAGE: Duration = Duration::from_secs(1);
/// For how long any other refusal is believed; a shorter time to live holds for it as well.
const REFUSAL: Duration = Duration::from_secs(5);

/// One store with what is known of its places. There are only as many places as the policy file
/// has references, so nothing has to be forgotten to stay small.
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) store: Arc<dyn SecretStore>,
    ttl: Duration,
    slots: Mutex<HashMap<Place, Arc<Slot>>>,
}

/// What a store has at a place.
pub(crate) enum Found {
    /// The same for everyone, until then.
    Static(Arc<Document>, Instant),
    /// For the one who asked, while the guard is held.
    Leased(Document, DropGuard),
}

/// What a store gave, before it is decided who else may have it.
enum Asked {
    Static(Document),
    Leased(Document, DropGuard),
}

impl Source {
    pub(crate) fn new(name: &str, store: Arc<dyn SecretStore>, ttl: Duration) -> Self {
        Self {
            name: name.into(),
            store,
            ttl,
            slots: Mutex::default(),
        }
    }

    /// What is at a place. Goes on to the end even if this is dropped, so that nothing is lent
    /// that nobody gives back.
    pub(crate) async fn get(
        self: &Arc<Self>,
        place: &Place,
        keeper: &Arc<Keeper>,
    ) -> Result<Found, Arc<StoreError>> {
        let slot = self.slot(place);
        let turn = {
            // Given up with this block by those who ask for themselves, or they would ask one after
            // the other.
            let mut turn = None;
            loop {
                match slot.next() {
                    Next::Told(answer) => return answer,
                    // One beside the other: nobody gets what another one asked for.
                    Next::AskForOneself => break None,
                    // Nor is anything kept that whoever waited could be told.
                    Next::AskForAll if self.ttl.is_zero() => break None,
                    Next::AskForAll if turn.is_some() => break turn,
                    // Whoever has the turn may find out what this one wants to know.
                    Next::AskForAll => turn = Some(slot.turn().await),
                }
            }
        };
        let (this, place, looking) = (Arc::clone(self), place.clone(), Arc::clone(keeper));
        let asked = keeper.tasks.spawn(async move {
            let begun = Instant::now();
            let answer = this.ask(&place, &looking).await;
            let found = this.learn(&slot, begun, answer);
            drop(turn);
            found
        });
        asked
            .await
            .unwrap_or_else(|_| Err(Arc::new(self.outage("the runner ends"))))
    }

    async fn ask(&self, place: &Place, keeper: &Keeper) -> Result<Asked, StoreError> {
        if !keeper.has_room() {
            return Err(self.outage("too many leases are held or wait to be given back"));
        }
        // One store's fault is an outage of that store. What it said when it fell is not repeated.
        let fetched = AssertUnwindSafe(self.store.fetch(place))
            .catch_unwind()
            .await;
        let (document, lease) = fetched
            .unwrap_or_else(|_| Err(self.outage("asking it ended in a panic, which is a bug")))?
            .split();
        let Some(lease) = lease else {
            return document.map(Asked::Static);
        };
        let (store, name) = (Arc::clone(&self.store), Arc::clone(&self.name));
        let guard = keeper.hold(store, name, lease);
        // Without a document, the guard is dropped here, and the lease given back.
        document.map(|document| Asked::Leased(document, guard))
    }

    /// Keeps an answer for as long as it holds, and no longer in memory.
    fn learn(
        &self,
        slot: &Arc<Slot>,
        begun: Instant,
        answer: Result<Asked, StoreError>,
    ) -> Result<Found, Arc<StoreError>> {
        let (answer, holds) = match answer {
            Ok(Asked::Leased(document, guard)) => {
                slot.lends();
                return Ok(Found::Leased(document, guard));
            }
            Ok(Asked::Static(document)) => (Ok(Arc::new(document)), self.ttl),
            Err(error) if error.trouble() == Trouble::Outage => (Err(Arc::new(error)), OUTAGE),
            Err(error) => (Err(Arc::new(error)), REFUSAL.min(self.ttl)),
        };
        let until = from_now(holds);
        // What holds for no time changes nothing that is known.
        if !holds.is_zero() {
            slot.keep(begun, answer.clone(), until);
        }
        answer.map(|document| Found::Static(document, until))
    }

    fn outage(&self, why: &str) -> StoreError {
        StoreError::Unavailable(self.name.to_string(), why.to_owned())
    }

    fn slot(&self, place: &Place) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(place.clone()).or_default())
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
