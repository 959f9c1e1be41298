//! Who follows the log of which execution.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::watch;
use wharf_protocol::ExecutionId;

/// Tells followers that there is more. The lines themselves they read from the table.
#[derive(Debug, Default)]
pub(crate) struct Hub(DashMap<ExecutionId, watch::Sender<()>>);

/// One follower.
pub(crate) struct Subscription {
    hub: Arc<Hub>,
    id: ExecutionId,
    news: watch::Receiver<()>,
}

impl Hub {
    /// Follows an execution until the subscription is dropped.
    pub(crate) fn subscribe(self: &Arc<Self>, id: ExecutionId) -> Subscription {
        let news = self
            .0
            .entry(id)
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe();
        Subscription {
            hub: Arc::clone(self),
            id,
            news,
        }
    }

    pub(super) fn notify(&self, id: &ExecutionId) {
        if let Some(followers) = self.0.get(id) {
            followers.send_replace(());
        }
    }
}

impl Subscription {
    /// Waits until lines came since the last call.
    pub(crate) async fn more(&mut self) {
        // The sender lives as long as this subscription does.
        let _ = self.news.changed().await;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // This one is still counted.
        self.hub
            .0
            .remove_if(&self.id, |_, followers| followers.receiver_count() <= 1);
    }
}
