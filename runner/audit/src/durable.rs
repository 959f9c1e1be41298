//! Up to where a record is on disk for good, and telling that to those who must not wait for a disk.

use std::sync::{Arc, Mutex, PoisonError};

use crate::Head;
use crate::tail::Mark;

/// Up to where a record is on disk for good.
pub(crate) struct Durable {
    mark: Mark,
    head: PublicHead,
}

impl Durable {
    pub(crate) fn new(mark: Mark) -> Self {
        let head = PublicHead::default();
        head.publish(mark);
        Self { mark, head }
    }

    pub(crate) const fn mark(&self) -> Mark {
        self.mark
    }

    pub(crate) fn public(&self) -> PublicHead {
        self.head.clone()
    }

    pub(crate) fn is_now(&mut self, mark: Mark) {
        self.mark = mark;
        self.head.publish(mark);
    }
}

/// The last line that is on disk for good, with all before it: for whoever must not wait for the
/// disk, as one does who asks for the tail. Its lock is held for no longer than a copy takes.
#[derive(Clone, Default)]
pub(crate) struct PublicHead(Arc<Mutex<Option<Head>>>);

impl PublicHead {
    pub(crate) fn get(&self) -> Option<Head> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, mark: Mark) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mark.chain.head();
    }
}
