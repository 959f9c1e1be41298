//! What a run sends and receives, counted against its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;
use wharf_policy::{ByteSize, Limits, Raise, raise};

use super::EgressError;
use super::connections::{Connections, Open};
use crate::Usage;

/// How long a connection whose server broke off may take to notice that.
const GIVEN_BACK: Duration = Duration::from_millis(100);

/// Counts requests, bytes each way, and what is open.
pub(crate) struct Traffic {
    requests: AtomicU32,
    most_requests: u32,
    request_bytes: Meter,
    response_bytes: Meter,
    connections: Arc<Connections>,
    most_connections: u32,
}

struct Meter {
    used: AtomicU64,
    most: u64,
}

impl Meter {
    fn new(most: ByteSize) -> Self {
        Self {
            used: AtomicU64::new(0),
            most: most.get(),
        }
    }

    /// Counts so many more bytes; what does not fit is not counted.
    fn take(&self, bytes: u64) -> bool {
        self.used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|total| *total <= self.most)
            })
            .is_ok()
    }
}

fn exhausted(what: impl std::fmt::Display, key: &str, most: impl Raise) -> EgressError {
    EgressError::Exhausted(format!(
        "this execution may have {what}: {}",
        raise(key, most)
    ))
}

impl Traffic {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            requests: AtomicU32::new(0),
            most_requests: limits.requests,
            request_bytes: Meter::new(limits.request_bytes),
            response_bytes: Meter::new(limits.response_bytes),
            connections: Arc::new(Connections::new(limits.connections)),
            most_connections: limits.connections,
        }
    }

    /// Counts a request, whatever becomes of it.
    pub(crate) fn request(&self) -> Result<(), EgressError> {
        self.requests
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                (used < self.most_requests).then_some(used + 1)
            })
            .map(drop)
            .map_err(|_| {
                exhausted(
                    format!("{} requests", self.most_requests),
                    "requests",
                    self.most_requests,
                )
            })
    }

    /// Takes a place for a request. Waits for one that is just being given back, and not longer: a
    /// guest that holds them all would wait for itself.
    pub(super) async fn open(&self) -> Result<Open, EgressError> {
        let place = timeout(GIVEN_BACK, self.connections.open()).await;
        place.map_err(|_| self.all_taken())
    }

    /// Takes a place for a socket, if there is one.
    pub(crate) fn open_socket(&self) -> Result<Open, EgressError> {
        self.connections.open_bare().ok_or_else(|| self.all_taken())
    }

    fn all_taken(&self) -> EgressError {
        exhausted(
            format!(
                "{} requests and TCP connections open at a time",
                self.most_connections
            ),
            "connections",
            self.most_connections,
        )
    }

    /// The connections of requests.
    pub(super) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Closes what is kept for further requests: there will be none.
    pub(crate) fn end(&self) {
        self.connections.end();
    }

    /// Counts bytes of requests.
    pub(crate) fn sent(&self, bytes: u64) -> Result<(), EgressError> {
        if self.request_bytes.take(bytes) {
            return Ok(());
        }
        let most = ByteSize::bytes(self.request_bytes.most);
        Err(exhausted(
            format!("{most} of requests"),
            "request-bytes",
            most,
        ))
    }

    /// Counts bytes of responses.
    pub(crate) fn received(&self, bytes: u64) -> Result<(), EgressError> {
        if self.response_bytes.take(bytes) {
            return Ok(());
        }
        let most = ByteSize::bytes(self.response_bytes.most);
        Err(exhausted(
            format!("{most} of responses"),
            "response-bytes",
            most,
        ))
    }

    pub(crate) fn tell(&self, usage: &mut Usage) {
        usage.requests = self.requests.load(Ordering::Acquire);
        usage.request_bytes = self.request_bytes.used.load(Ordering::Acquire);
        usage.response_bytes = self.response_bytes.used.load(Ordering::Acquire);
    }
}
