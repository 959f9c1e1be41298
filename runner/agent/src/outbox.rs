//! What waits to be written to one connection: heartbeats first, then small frames, then results.
//!
//! Small frames are bounded by the attempts a runner can hold, results by [`Outbox::has_room`],
//! which whoever adds them asks first. An outbox belongs to one connection and dies with it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wharf_protocol::{MAX_MESSAGE, ToController, encode};

/// Results are gathered into messages of about this size, so that a heartbeat never waits for
/// more than one of them.
const MESSAGE_TARGET: usize = 64 << 10;
/// So many bytes of results wait here; the others wait in the journal.
const RESULT_ROOM: usize = 4 << 20;
/// Frames of a message. The protocol takes more.
const MESSAGE_FRAMES: usize = 1024;

#[derive(Debug, Default)]
struct Waiting {
    heartbeat: Vec<u8>,
    /// Small frames, each encoded by itself so that messages break between frames.
    small: VecDeque<Vec<u8>>,
    results: VecDeque<Vec<u8>>,
    result_bytes: usize,
    closing: bool,
}

/// The frames that wait for one connection.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

impl Outbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Every change below is complete before the lock is left.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a small frame that may wait for company; [`Outbox::flush`] sends it on its way.
    pub(crate) fn soon(&self, frame: &ToController) {
        self.waiting().small.push_back(encoded(frame));
    }

    /// Adds a small frame.
    pub(crate) fn now(&self, frame: &ToController) {
        self.soon(frame);
        self.wake.notify_one();
    }

    /// Lets go what waits for company.
    pub(crate) fn flush(&self) {
        self.wake.notify_one();
    }

    /// Adds a heartbeat, unless the last one has not left yet: then `false`.
    pub(crate) fn heartbeat(&self, frame: &ToController) -> bool {
        let mut waiting = self.waiting();
        if !waiting.heartbeat.is_empty() {
            return false;
        }
        waiting.heartbeat = encoded(frame);
        drop(waiting);
        self.wake.notify_one();
        true
    }

    /// Whether another result may be added.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting().result_bytes < RESULT_ROOM
    }

    /// Adds a result, encoded.
    pub(crate) fn result(&self, frame: Vec<u8>) {
        let mut waiting = self.waiting();
        waiting.result_bytes += frame.len();
        waiting.results.push_back(frame);
        drop(waiting);
        self.wake.notify_one();
    }

    /// Nothing will be added any more: when all is written, the connection may end.
    pub(crate) fn close(&self) {
        self.waiting().closing = true;
        self.wake.notify_one();
    }

    /// The next message, or nothing once the outbox is closed and empty. Dropping the future
    /// loses nothing.
    pub(crate) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            let woken = self.wake.notified();
            {
                let mut waiting = self.waiting();
                let message = gather(&mut waiting);
                if !message.is_empty() {
                    return Some(message);
                }
                if waiting.closing {
                    return None;
                }
            }
            woken.await;
        }
    }
}

fn encoded(frame: &ToController) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    // Writing to memory does not fail, and the frames are all encodable types.
    if let Err(error) = encode(&mut bytes, frame) {
        tracing::error!(%error, "a frame cannot be encoded and is dropped");
        bytes.clear();
    }
    bytes
}

fn gather(waiting: &mut Waiting) -> Vec<u8> {
    let mut message = std::mem::take(&mut waiting.heartbeat);
    let mut frames = usize::from(!message.is_empty());
    let fits = |message: &[u8], next: &[u8]| {
        message.is_empty()
            || (message.len() < MESSAGE_TARGET && message.len() + next.len() <= MAX_MESSAGE)
    };
    while frames < MESSAGE_FRAMES
        && let Some(next) = waiting.small.front()
        && fits(&message, next)
    {
        message.extend_from_slice(next);
        waiting.small.pop_front();
        frames += 1;
    }
    // What a result follows (its start, for one) must have left before it.
    while waiting.small.is_empty()
        && frames < MESSAGE_FRAMES
        && let Some(next) = waiting.results.front()
        && fits(&message, next)
    {
        message.extend_from_slice(next);
        waiting.result_bytes -= next.len();
        waiting.results.pop_front();
        frames += 1;
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_protocol::decode;

    #[tokio::test]
    async fn a_heartbeat_leaves_before_results_that_came_earlier() {
        let outbox = Outbox::default();
        for _ in 0..8 {
            outbox.result(encoded(&ToController::Credit { add: 1 }).repeat(20_000));
        }
        let heartbeat = ToController::Heartbeat {
            running: vec![],
            progress: vec![],
            audit: None,
        };
        assert!(outbox.heartbeat(&heartbeat));
        let first = outbox.next().await.unwrap();
        assert!(first.starts_with(&encoded(&heartbeat)));
        assert!(outbox.heartbeat(&heartbeat), "the last one has left");
    }

    #[tokio::test]
    async fn frames_that_wait_leave_together_in_one_message() {
        let outbox = Outbox::default();
        outbox.soon(&ToController::Credit { add: 1 });
        outbox.soon(&ToController::Draining);
        outbox.result(encoded(&ToController::Credit { add: 2 }));
        let frames: Vec<ToController> = decode(&outbox.next().await.unwrap()).unwrap();
        assert_eq!(
            frames,
            [
                ToController::Credit { add: 1 },
                ToController::Draining,
                ToController::Credit { add: 2 }
            ]
        );
    }

    #[tokio::test]
    async fn results_over_the_room_wait_in_the_journal() {
        let outbox = Outbox::default();
        while outbox.has_room() {
            outbox.result(vec![0; 256 << 10]);
        }
        outbox.next().await.unwrap();
        assert!(outbox.has_room());
    }

    #[tokio::test]
    async fn a_closed_outbox_is_written_out_and_then_ends() {
        let outbox = Outbox::default();
        outbox.soon(&ToController::Draining);
        outbox.close();
        assert!(outbox.next().await.is_some());
        assert!(outbox.next().await.is_none());
    }
}
