//! The runner against a controller that the test plays.

mod attestations;
mod beside;
mod controller;
mod delivery;
mod drain;
mod enrolment;
mod executor;
mod hostile;
mod links;
mod monitoring;
mod real;
mod signatures;
mod tls;
mod versions;

use std::time::Duration;

use ulid::Ulid;
use wharf_protocol::{AttemptKey, ExecutionId};

/// The first attempt at some execution.
pub(crate) fn key(execution: u128) -> AttemptKey {
    AttemptKey {
        execution: ExecutionId::from_ulid(Ulid::from(execution)),
        attempt: 1,
    }
}

/// Waits for something that must happen, and fails the test if it does not.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), event).await {
        Ok(value) => value,
        Err(_) => panic!("{what} did not happen"),
    }
}
