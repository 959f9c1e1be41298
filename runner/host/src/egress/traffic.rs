//! What a run sends and receives, counted against its limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wharf_policy::{ByteSize, Limits, Raise, raise};

use super::EgressError;
use crate::Usage;

/// Counts requests, bytes each way, and what is open.
pub(crate) struct Traffic {
    requests: AtomicU32,
    most_requests: u32,
    request_bytes: Meter,
    response_bytes: Meter,
    open: Arc<Semaphore>,
    connections: u32,
    /// Set where a body stopped because there was no more room for it, which the client tells as
    /// a broken body.
    request_full: AtomicBool,
}

/// An open request. The place is free again when this is dropped.
pub(crate) struct Open(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

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
            open: Arc::new(Semaphore::new(limits.connections as usize)),
            connections: limits.connections,
            request_full: AtomicBool::new(false),
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

    /// Takes a place among the open requests. Does not wait for one: a guest that holds them all
    /// would wait for itself.
    pub(crate) fn open(&self) -> Result<Open, EgressError> {
        self.open
            .clone()
            .try_acquire_owned()
            .map(Open)
            .map_err(|_| {
                exhausted(
                    format!(
                        "{} requests and TCP connections open at a time",
                        self.connections
                    ),
                    "connections",
                    self.connections,
                )
            })
    }

    /// Counts bytes of requests.
    pub(crate) fn sent(&self, bytes: u64) -> Result<(), EgressError> {
        if self.request_bytes.take(bytes) {
            return Ok(());
        }
        self.request_full.store(true, Ordering::Release);
        Err(self.request_exhausted())
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

    /// The limit in place of the error that reaching it caused in the client.
    pub(super) fn explain(&self, error: EgressError) -> EgressError {
        if self.request_full.load(Ordering::Acquire) {
            self.request_exhausted()
        } else {
            error
        }
    }

    pub(crate) fn tell(&self, usage: &mut Usage) {
        usage.requests = self.requests.load(Ordering::Acquire);
        usage.request_bytes = self.request_bytes.used.load(Ordering::Acquire);
        usage.response_bytes = self.response_bytes.used.load(Ordering::Acquire);
    }

    fn request_exhausted(&self) -> EgressError {
        let most = ByteSize::bytes(self.request_bytes.most);
        exhausted(format!("{most} of requests"), "request-bytes", most)
    }
}
