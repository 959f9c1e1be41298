//! What actions write while they run: kept apart from everything else, in a database, a connection
//! and a thread of its own, so that logs never delay a result.
//!
//! Lines are numbered by the runner. A line that comes twice is kept once, a line that never came
//! is counted, and an attempt that writes too much is cut.

mod hub;
mod table;
mod writer;

pub(crate) use hub::{Hub, Subscription};
pub(crate) use table::{LogReader, LogTable};
pub(crate) use writer::{LogHandle, start};
