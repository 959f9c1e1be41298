//! OCI registries: push and pull.
//!
//! What it never does: send a credential over plain http except on this machine, or to a host that
//! does not belong to the registry; follow a redirect with a credential; read an answer without a
//! limit; ask for a tag twice. What it received is compared by `oci`, and trusted by nobody until
//! `oci::Trust` said so.

mod answer;
mod auth;
mod challenge;
mod client;
mod credentials;
mod docker_config;
mod error;
mod helper;
mod origin;
mod progress;
mod pull;
mod push;
mod referrers;
mod retry;
mod transfer;

pub use client::{Access, Client, Options};
pub use error::{RegistryError, Verdict};
pub use progress::{Progress, Silent};
pub use pull::Pulled;
pub use push::Pushed;
