//! What the end-to-end tests share: the real binary, real bundles, real processes.
//!
//! Nothing here reaches into a crate of Wharf: a test sees what a user sees, which is the command
//! line, the API and the files.

#![allow(clippy::unwrap_used, missing_docs)]

mod bundles;
mod canary;
mod front;
mod memory;
mod others;
mod process;
mod reflect;
mod service;
mod tap;
mod wharf;
mod world;

pub use bundles::{Bundles, bundles};
pub use canary::{Places, Search, files, forms, holds};
pub use front::TlsFront;
pub use memory::Memory;
pub use others::{check_made, cosign_major, version, word};
pub use process::Process;
pub use reflect::{REFLECTED, broken};
pub use service::Service;
pub use tap::WireTap;
pub use wharf::{Answer, Build, built, cosign, on_terminal, source, wharf, wharf_in};
pub use world::{DECOY, World, until};
