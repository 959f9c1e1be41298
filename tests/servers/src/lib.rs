//! Real servers of others, each started for one test on a free loopback port and stopped with it.
//!
//! Knows nothing of Wharf, so that every crate's tests can use it. A server whose program cannot
//! be had here makes its tests say so and be skipped; with WHARF_REQUIRE_ALL=1 it fails them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod docker_registry;
mod moto;
mod openbao;
mod postgres;
mod process;
mod sigstore;
mod tool;

pub use docker_registry::DockerRegistry;
pub use moto::Moto;
pub use openbao::OpenBao;
pub use postgres::Postgres;
pub use sigstore::Sigstore;
pub use tool::tool;
