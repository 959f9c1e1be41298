//! A store as a runner asks it: once for many, not again too soon, and with leases looked after.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::DropGuard;

use crate::lease::Keeper;
use crate::period::from_now;
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
    slots: Mutex<HashMap<Place, Slot>>,
}

/// The lock is held while the store is asked: whoever else wants the same waits for the answer.
type Slot = Arc<tokio::sync::Mutex<Known>>;

/// What is known of a place.
enum Known {
    /// Nothing that still holds.
    Nothing,
    /// What the store said, until then.
    Answer(Result<Arc<Document>, Arc<StoreError>>, Instant),
    /// What is there is lent, to each who asks by itself.
    Lent,
}

/// What a store has at a place.
pub(crate) enum Found {
    /// The same for everyone, until then.
    Static(Arc<Document>, Instant),
    /// For the one who asked, while the guard is held.
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
        let known = Arc::clone(&slot).lock_owned().await;
        let alone = match &*known {
            Known::Answer(answer, until) if Instant::now() < *until => {
                return answer
                    .clone()
                    .map(|document| Found::Static(document, *until));
            }
            Known::Lent => {
                drop(known);
                None
            }
            Known::Answer(..) | Known::Nothing => Some(known),
        };
        let (this, place, looking) = (Arc::clone(self), place.clone(), Arc::clone(keeper));
        let asked = keeper.tasks.spawn(async move {
            let answer = this.ask(&place, &looking).await;
            match alone {
                Some(known) => this.learn(&slot, known, answer),
                None => answer.map_err(Arc::new).map(Asked::at_once),
            }
        });
        asked.await.unwrap_or_else(|stopped| {
            Err(Arc::new(StoreError::Unavailable(
                self.name.to_string(),
                stopped.to_string(),
            )))
        })
    }

    async fn ask(&self, place: &Place, keeper: &Keeper) -> Result<Asked, StoreError> {
        if !keeper.has_room() {
            return Err(StoreError::Unavailable(
                self.name.to_string(),
                "too many leases are held or wait to be given back".to_owned(),
            ));
        }
        let (document, lease) = self.store.fetch(place).await?.split();
        Ok(match lease {
            None => Asked::Static(document),
            Some(lease) => {
                let (store, name) = (Arc::clone(&self.store), Arc::clone(&self.name));
                Asked::Leased(document, keeper.hold(store, name, lease))
            }
        })
    }

    /// Keeps an answer for as long as it holds, and no longer in memory.
    fn learn(
        &self,
        slot: &Slot,
        mut known: OwnedMutexGuard<Known>,
        answer: Result<Asked, StoreError>,
    ) -> Result<Found, Arc<StoreError>> {
        let (answer, holds) = match answer {
            Ok(Asked::Leased(document, guard)) => {
                *known = Known::Lent;
                return Ok(Found::Leased(document, guard));
            }
            Ok(Asked::Static(document)) => (Ok(Arc::new(document)), self.ttl),
            Err(error) if error.trouble() == Trouble::Outage => (Err(Arc::new(error)), OUTAGE),
            Err(error) => (Err(Arc::new(error)), REFUSAL.min(self.ttl)),
        };
        let until = from_now(holds);
        *known = Known::Answer(answer.clone(), until);
        forget_later(slot, until);
        answer.map(|document| Found::Static(document, until))
    }

    fn slot(&self, place: &Place) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots
            .entry(place.clone())
            .or_insert_with(|| Arc::new(tokio::sync::Mutex::new(Known::Nothing)));
        Arc::clone(slot)
    }
}

/// What a store gave, before it is decided who else may have it.
enum Asked {
    Static(Document),
    Leased(Document, DropGuard),
}

impl Asked {
    /// For the one who asked, and for nobody after.
    fn at_once(self) -> Found {
        match self {
            Self::Static(document) => Found::Static(Arc::new(document), Instant::now()),
            Self::Leased(document, guard) => Found::Leased(document, guard),
        }
    }
}

/// Wipes an answer when its time is over, whether or not anyone asks again.
fn forget_later(slot: &Slot, until: Instant) {
    let slot: Weak<_> = Arc::downgrade(slot);
    tokio::spawn(async move {
        sleep_until(until).await;
        let Some(slot) = slot.upgrade() else { return };
        let mut known = slot.lock().await;
        if matches!(&*known, Known::Answer(_, until) if *until <= Instant::now()) {
            *known = Known::Nothing;
        }
    });
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
