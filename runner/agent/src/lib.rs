//! The runner process: it dials out, promises room, runs what it is handed, and delivers results.
//!
//! A result is on this runner's disk before it is on the wire, and stays there until the
//! controller says that it has it. The runner's own policy bounds everything; nothing that the
//! controller sends can widen it. This crate must never listen on a socket, and never run bytes
//! that were not verified in the buffer that is loaded.

#![forbid(unsafe_code)]

mod agent;
mod attempts;
mod audit;
mod backoff;
mod bundle_files;
mod bundles;
mod cancel;
mod config;
mod connection;
mod control;
mod controller;
mod core;
mod dial;
mod endpoint;
mod enrol;
mod error;
mod execute;
mod identity;
mod journal;
mod journal_file;
mod log_pipe;
mod logs;
mod metrics;
mod newest;
mod outbox;
mod over;
mod papers;
mod payloads;
mod policy;
mod private_file;
mod real;
mod redial;
mod refusals;
mod report;
mod sealed;
mod secrets;
mod signals;
mod state_file;
mod status;
mod tally;
mod task;
mod tls;
mod verdict;
mod versions;

#[cfg(test)]
mod tests;

pub use agent::{Agent, Left, Running};
pub use audit::{Asked, By, RunAudit, Who};
pub use bundle_files::kept_manifest;
pub use config::AgentConfig;
pub use endpoint::check_controller;
pub use enrol::{EnrolRequest, Enrolled, enrol};
pub use error::AgentError;
pub use identity::is_enrolled;
pub use policy::RunnerPolicy;
pub use refusals::{RecentRefusal, RefusalKind};
pub use report::verdict_of;
pub use status::{Link, Status};
