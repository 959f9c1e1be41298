//! What is known of one place in a store, and whose turn it is to find out more.
//!
//! What a store lends is never kept here, only that it lends. What it says when it does not is kept
//! like any other answer: those who come while it is down are told so, and do not each wait as long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep_until};

use crate::source::Found;
use crate::{Document, StoreError};

/// What a store has at a place that is not lent, or why it gives nothing.
type Answer = Result<Arc<Document>, Arc<StoreError>>;

/// One place in a store.
#[derive(Default)]
pub(crate) struct Slot {
    /// Never locked while something is awaited.
    known: Mutex<Known>,
    /// Had by the one who asks for all.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
enum Known {
    /// Nothing that still holds.
    #[default]
    Nothing,
    /// What the store said, until then.
    Answer(Answer, Instant),
    /// What is there is lent, to each who asks by itself: it was, last, at that time.
    Lent(Instant),
}

/// The turn to ask for all who want to know.
pub(crate) type Turn = OwnedMutexGuard<()>;

/// What someone has to do who wants to know what is at a place.
pub(crate) enum Next {
    /// Nothing: this is it.
    Told(Result<Found, Arc<StoreError>>),
    /// Ask, with the turn to do so.
    AskForAll,
    /// Ask, however many others do.
    AskForOneself,
}

impl Slot {
    pub(crate) fn next(&self) -> Next {
        match &*self.known() {
            Known::Answer(answer, until) if Instant::now() < *until => {
                let found = answer.clone();
                Next::Told(found.map(|document| Found::Static(document, *until)))
            }
            Known::Lent(_) => Next::AskForOneself,
            Known::Answer(..) | Known::Nothing => Next::AskForAll,
        }
    }

    /// Waits for the turn. Then look again what is known.
    pub(crate) async fn turn(&self) -> Turn {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// The store lends what is here.
    pub(crate) fn lends(&self) {
        *self.known() = Known::Lent(Instant::now());
    }

    /// Keeps an answer until then, for which the store was asked at `begun`. Nothing is kept of one
    /// who asked before the store lent something to another, and was refused: it knows no better now.
    pub(crate) fn keep(self: &Arc<Self>, begun: Instant, answer: Answer, until: Instant) {
        let mut known = self.known();
        if matches!(&*known, Known::Lent(last) if *last > begun && answer.is_err()) {
            return;
        }
        *known = Known::Answer(answer, until);
        drop(known);
        self.forget_later(until);
    }

    /// Wipes an answer when its time is over, whether or not anyone asks again.
    fn forget_later(self: &Arc<Self>, until: Instant) {
        let slot = Arc::downgrade(self);
        tokio::spawn(async move {
            sleep_until(until).await;
            let Some(slot) = slot.upgrade() else { return };
            let mut known = slot.known();
            if matches!(&*known, Known::Answer(_, until) if *until <= Instant::now()) {
                *known = Known::Nothing;
            }
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused() -> Answer {
        Err(Arc::new(StoreError::Absent("db/creds/app".to_owned())))
    }

    #[tokio::test]
    async fn a_refusal_of_one_who_asked_before_another_was_lent_something_is_not_believed() {
        let slot = Arc::new(Slot::default());
        let until = Instant::now() + Duration::from_secs(60);
        let early = Instant::now();
        while Instant::now() == early {}
        slot.lends();
        slot.keep(early, refused(), until);
        assert!(matches!(slot.next(), Next::AskForOneself));

        let late = Instant::now() + Duration::from_secs(1);
        slot.keep(late, refused(), until);
        assert!(matches!(slot.next(), Next::Told(Err(_))));
        // Someone was lent something all the same: it is there.
        slot.lends();
        assert!(matches!(slot.next(), Next::AskForOneself));
    }
}
