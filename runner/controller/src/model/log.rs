//! Lines of log as they are kept.

use wharf_protocol::LogEntry;

/// A line and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredLine {
    /// Its number in the attempt's log, from 0.
    pub(crate) number: u64,
    /// The line.
    pub(crate) entry: LogEntry,
}

/// How much of an attempt's log is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AttemptLog {
    /// The number of the next line that is expected.
    pub(crate) next: u64,
    /// Bytes that are kept.
    pub(crate) bytes: u64,
    /// Lines that were sent and not kept, because the log was full, or never came.
    pub(crate) dropped: u64,
}
