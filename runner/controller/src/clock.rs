//! The time, as the state machine is told it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::Micros;

/// Wall-clock time at the start plus what has passed since: it never jumps, so a clock that is set
/// takes no lease away and gives none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    epoch: Micros,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            start: Instant::now(),
            epoch: u64::try_from(since.as_micros()).unwrap_or(0),
        }
    }

    pub(crate) fn now(&self) -> Micros {
        self.epoch + u64::try_from(self.start.elapsed().as_micros()).unwrap_or(0)
    }
}
