//! The two ways to end a run from outside: to ask it, and to kill it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use wharf_host::CancelFlag;

/// A handle on a run that may have to end early. All clones are one handle.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: CancelFlag,
    killed: AtomicBool,
    wake: Notify,
}

impl Cancel {
    /// A handle on a run to come.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop. An action that looks sees it and can end cleanly; others go on. How
    /// long to wait before [`Cancel::kill`] is the caller's choice.
    pub fn request(&self) {
        self.0.asked.cancel();
    }

    /// Ends the run: at once if it waits in a host call, else at the next tick of the engine.
    pub fn kill(&self) {
        self.request();
        self.0.killed.store(true, Ordering::Release);
        self.0.wake.notify_waiters();
    }

    /// Whether the run was asked to stop.
    pub fn is_requested(&self) -> bool {
        self.0.asked.is_cancelled()
    }

    /// Whether the run was killed.
    pub fn is_killed(&self) -> bool {
        self.0.killed.load(Ordering::Acquire)
    }

    pub(crate) fn flag(&self) -> CancelFlag {
        self.0.asked.clone()
    }

    /// Ready when the run is killed.
    pub(crate) async fn killed(&self) {
        let woken = self.0.wake.notified();
        tokio::pin!(woken);
        // Listening before looking: a kill in between is not missed.
        woken.as_mut().enable();
        if !self.is_killed() {
            woken.await;
        }
    }
}
