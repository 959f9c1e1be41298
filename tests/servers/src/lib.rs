//! Servers of others, each started for one test on a free loopback port and stopped with it: real ones,
//! and fakes of those that nobody can have.
//!
//! Knows nothing of Wharf, so that every crate's tests can use it. A server whose program cannot
//! be had here makes its tests say so and be skipped; with WHARF_REQUIRE_ALL=1 it fails them.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod docker_registry;
mod fake;
mod gcp;
mod kubernetes;
mod moto;
mod openbao;
mod postgres;
mod process;
mod seaweedfs;
mod sigstore;
mod tool;

pub use docker_registry::DockerRegistry;
pub use gcp::{Gcp, IN_ERRORS};
pub use kubernetes::Kubernetes;
pub use moto::Moto;
pub use openbao::OpenBao;
pub use postgres::Postgres;
pub use process::free_port;
pub use seaweedfs::SeaweedFs;
pub use sigstore::Sigstore;
pub use tool::tool;
