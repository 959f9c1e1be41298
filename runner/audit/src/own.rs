//! The events that the record tells of itself.

use serde::Serialize;

use crate::chain::Head;

/// The layout of the lines.
pub(crate) const FORMAT: &str = "wharf-audit/1";
/// The name of the event that every file begins with.
pub(crate) const BEGINS: &str = "file-opened";
/// The name of the event that every file but the last ends with.
pub(crate) const ENDS: &str = "file-closed";

/// The name of the event that tells of a file that the writer removed.
pub(crate) const REMOVED: &str = "file-removed";

/// The name of the event with which a writer ends in order.
pub(crate) const STOPPED: &str = "writer-stopped";

#[derive(Debug, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub(crate) enum Own {
    /// The first line of a file.
    FileOpened {
        format: &'static str,
        file: String,
        /// Made up anew for each chain: two chains are never taken for one.
        chain: String,
    },
    /// The last line of a file. The next file is `next`.
    FileClosed { next: String },
    /// A process writes here from now on.
    WriterStarted { version: &'static str, pid: u32 },
    /// A process that ends in order has written its last line.
    WriterStopped {},
    /// A crash left a part of a line, which this line took the place of.
    TornLineRepaired {
        bytes: u64,
        sha256: String,
        /// The beginning of it, as hexadecimal digits.
        beginning: String,
    },
    /// So many events could not be written, and what they were about was refused.
    WritingResumed { refused: u64, why: String },
    /// The oldest file is removed to keep within the room that there is. Its last line was `last`.
    FileRemoved { file: String, last: Option<Head> },
}
