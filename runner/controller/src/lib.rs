//! The controller: accepts work, keeps it durably, hands it to runners, records what came of it.
//!
//! It never dials a runner and never runs or verifies a plugin.
//!
//! ```text
//! api ──┐                      ┌── core    pure state machine
//!       ├── driver (one thread)┤
//! link ─┘                      └── store   SQLite, files
//! ```
//!
//! Arrows point one way. The driver applies commands to the core, commits the changes, and only
//! then lets answers and frames out.

#![forbid(unsafe_code)]

mod api;
mod catalog;
mod clock;
mod config;
mod controller;
mod core;
mod data_dir;
mod directory;
mod driver;
mod link;
mod logs;
mod model;
mod secret;
mod serve;
mod store;

pub use config::Config;
pub use controller::{Controller, ControllerError, Running};
pub use data_dir::DataDirError;
pub use secret::NoRandomness;
pub use serve::{Tls, TlsError};
pub use store::{BlobError, StoreError};
