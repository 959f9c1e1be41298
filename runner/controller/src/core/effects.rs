//! What a call to the state machine asks the outside to do.

use wharf_protocol::ToRunner;

use crate::model::{Change, View};

/// One connection of a runner; a number that is used once in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) u64);

/// First the changes are made durable; only then the rest happens, and not at all if that failed.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// What to keep, in order.
    pub(crate) changes: Vec<Change>,
    /// What to send, in order.
    pub(crate) frames: Vec<(LinkId, ToRunner)>,
    /// Connections to end, and why; whether the runner may come again.
    pub(crate) hangups: Vec<(LinkId, &'static str, bool)>,
    /// Executions that are over now: whoever waits for them is to be told.
    pub(crate) finished: Vec<View>,
}

impl Effects {
    pub(crate) fn clear(&mut self) {
        self.changes.clear();
        self.frames.clear();
        self.hangups.clear();
        self.finished.clear();
    }
}
