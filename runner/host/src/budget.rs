//! The log budget of a run: so many lines, so many bytes, and a count of what was dropped.

use std::sync::{Mutex, PoisonError};

use wharf_policy::Limits;

/// Counts lines and bytes. Shared by the `log` interface and both standard streams.
pub(crate) struct LogBudget {
    entries: u32,
    bytes: u64,
    used: Mutex<LogUsed>,
}

/// What has been used of a budget.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LogUsed {
    pub(crate) entries: u32,
    pub(crate) bytes: u64,
    pub(crate) dropped: u32,
}

impl LogBudget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            entries: limits.log_entries,
            bytes: limits.log_bytes.get(),
            used: Mutex::default(),
        }
    }

    /// Whether a line of so many bytes is within the budget; counts it either way.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = used.entries < self.entries && bytes <= self.bytes - used.bytes;
        if fits {
            used.entries += 1;
            used.bytes += bytes;
        } else {
            used.dropped = used.dropped.saturating_add(1);
        }
        fits
    }

    /// Counts a line that is not even tried.
    pub(crate) fn drop_line(&self) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.dropped = used.dropped.saturating_add(1);
    }

    pub(crate) fn used(&self) -> LogUsed {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
