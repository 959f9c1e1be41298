//! The bounded queue of frames to one runner. The driver never waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;
use wharf_protocol::{Payload, ToRunner};

/// The most frames that wait for one runner.
const MAX_FRAMES: usize = 16_384;

/// The most bytes that wait for one runner.
const MAX_BYTES: usize = 64 << 20;

/// Where the driver puts frames for one connection. Dropping it ends the connection.
pub(crate) struct Outbound {
    frames: mpsc::Sender<ToRunner>,
    bytes: Arc<AtomicUsize>,
}

/// Where the connection takes them from.
pub(crate) struct Inbox {
    frames: mpsc::Receiver<ToRunner>,
    bytes: Arc<AtomicUsize>,
}

/// A new queue.
pub(crate) fn outbound() -> (Outbound, Inbox) {
    let (sender, receiver) = mpsc::channel(MAX_FRAMES);
    let bytes = Arc::new(AtomicUsize::new(0));
    let outbound = Outbound {
        frames: sender,
        bytes: Arc::clone(&bytes),
    };
    let inbox = Inbox {
        frames: receiver,
        bytes,
    };
    (outbound, inbox)
}

impl Outbound {
    /// Puts a frame into the queue; false if there is no room, or nobody reads any more.
    pub(crate) fn send(&self, frame: ToRunner) -> bool {
        let weight = weight(&frame);
        // Only this side adds, and only the driver's thread has this side.
        if self.bytes.load(Ordering::Relaxed) + weight > MAX_BYTES {
            return false;
        }
        self.bytes.fetch_add(weight, Ordering::Relaxed);
        self.frames.try_send(frame).is_ok()
    }
}

impl Inbox {
    /// Takes the frames that wait, at most so many. 0 when the driver has ended the connection.
    pub(crate) async fn take(&mut self, into: &mut Vec<ToRunner>, most: usize) -> usize {
        let count = self.frames.recv_many(into, most).await;
        let start = into.len() - count;
        let weight: usize = into[start..].iter().map(weight).sum();
        self.bytes.fetch_sub(weight, Ordering::Relaxed);
        count
    }
}

fn weight(frame: &ToRunner) -> usize {
    const BASE: usize = 256;
    match frame {
        ToRunner::Assign(assignment) => match &assignment.input {
            Payload::Inline(text) => BASE + text.len(),
            Payload::Stored { .. } => BASE,
        },
        _ => BASE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_queue_that_nobody_reads_fills_up_and_says_so() {
        let (outbound, mut inbox) = outbound();
        let mut sent = 0;
        while outbound.send(ToRunner::Drain) {
            sent += 1;
        }
        assert_eq!(sent, MAX_FRAMES);
        let mut frames = Vec::new();
        assert_eq!(inbox.take(&mut frames, 10).await, 10);
        assert!(outbound.send(ToRunner::Drain));
    }
}
