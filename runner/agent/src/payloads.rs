//! Documents that are too large for a frame: inputs fetched, outputs stored before their result
//! is sent.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use wharf_policy::{ByteSize, Digest};
use wharf_protocol::{AttemptKey, Payload, Verdict};

use crate::controller::{Controller, FetchError};
use crate::core::Event;
use crate::journal::{Journal, Kept};
use crate::verdict::{failed, unavailable, undeliverable};

/// Outputs that are stored at a time.
const UPLOADS: usize = 4;

/// The text of an input, at most `limit` long.
pub(crate) async fn input(
    controller: &Controller,
    payload: Payload,
    limit: ByteSize,
) -> Result<String, Verdict> {
    let (digest, size) = match payload {
        // The engine measures it.
        Payload::Inline(text) => return Ok(text),
        Payload::Stored { digest, size } => (digest, size),
    };
    let large = || Verdict::Stopped {
        limit: "input".to_owned(),
        message: format!(
            "the input is larger than {limit}: {}",
            wharf_policy::raise("input", limit)
        ),
    };
    if size > limit.get() {
        return Err(large());
    }
    let bytes = match controller.payload(digest, limit.get()).await {
        Ok(bytes) => bytes,
        Err(FetchError::TooLarge { .. }) => return Err(large()),
        Err(error) => return Err(unavailable("input-unavailable", error)),
    };
    String::from_utf8(bytes.into()).map_err(|_| {
        failed(
            wharf_protocol::FailureKind::InvalidInput,
            "invalid-input",
            "the input is not UTF-8, so it is not JSON",
        )
    })
}

/// What came of storing an output.
#[derive(Debug)]
pub(crate) enum Upload {
    /// The result may be sent.
    Stored(Kept),
    /// The controller will never take it: this frame says so.
    Never(Vec<u8>),
    /// Another time.
    Later(AttemptKey),
}

/// Stores the outputs of results, a few at a time.
#[derive(Clone)]
pub(crate) struct Uploads {
    controller: Controller,
    journal: Journal,
    events: mpsc::Sender<Event>,
    turns: Arc<Semaphore>,
}

impl Uploads {
    pub(crate) fn new(
        controller: Controller,
        journal: Journal,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            controller,
            journal,
            events,
            turns: Arc::new(Semaphore::new(UPLOADS)),
        }
    }

    /// Stores the output of a result, and tells what came of it.
    pub(crate) async fn store(self, connection: u64, kept: Kept, digest: Digest) {
        let key = kept.key;
        // The semaphore is never closed.
        let _turn = self.turns.acquire().await.ok();
        let stored = match self.journal.output(key).await {
            Ok(output) => self.controller.store(digest, output).await,
            Err(reason) => Err(FetchError::Unavailable {
                what: format!("the output of {key}"),
                reason,
            }),
        };
        let upload = match stored {
            Ok(()) => Upload::Stored(kept),
            Err(FetchError::Unavailable { .. }) => Upload::Later(key),
            Err(error) => {
                tracing::error!(%key, %error, "the controller does not take an output");
                Upload::Never(undeliverable(key, &error.to_string()))
            }
        };
        // If nobody listens any more, the journal keeps it for the next start.
        let _ = self.events.send(Event::Uploaded(connection, upload)).await;
    }
}
