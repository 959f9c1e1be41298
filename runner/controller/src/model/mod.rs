//! What the controller knows about: values without behaviour beyond themselves.
//!
//! Everything between the parts travels as these types. Nothing here does I/O or reads a clock.

mod change;
mod execution;
mod fleet;
mod log;
mod plugin;
mod token;

pub(crate) use change::{Change, Snapshot};
pub(crate) use execution::{
    CancelAsk, DeadLetter, Ending, Keyed, LiveRecord, MAX_LOSSES, Micros, Order, Past, Run, Stage,
    View, Waiting,
};
pub(crate) use fleet::{Group, GroupKind, RunnerRecord, RunnerState, RunnerView};
pub(crate) use log::{AttemptLog, StoredLine};
pub(crate) use plugin::BundleRecord;
pub(crate) use token::{Role, TokenHash, TokenKind, TokenRecord};
