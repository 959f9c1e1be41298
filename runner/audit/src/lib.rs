//! The audit record: an append-only file of events, each line carrying the hash of the one before.
//!
//! [`Audit`] writes, [`verify`] checks, [`read`] gives the events back. A line that was changed,
//! taken out or put in breaks the chain; a line that was torn by a crash is kept and told of.
//! Whoever can write the files can write all of them anew, so a head ([`Head`]) that is known
//! elsewhere is what shows that. This crate knows no event by meaning but its own, and must never
//! lose a line silently, or say that one is written before it is.

#![forbid(unsafe_code)]

mod chain;
mod durable;
mod error;
mod files;
mod follow;
mod line;
mod open;
mod own;
mod read;
mod record_file;
mod repair;
mod rotate;
mod tail;
mod verify;
mod walk;
mod writer;

pub use chain::{Head, LineHash};
pub use error::{AuditError, Fault};
pub use read::{Record, read};
pub use verify::{Verified, verify};
pub use writer::{Audit, Keep};

#[cfg(test)]
mod tests;
