//! Writing a record.
//!
//! A line is with the kernel when [`Audit::write`] returns, so it outlives this process however it
//! ends. It outlives the machine after [`Audit::synced`], or a moment later anyway: one thread
//! syncs for everybody who waits. A line that cannot be written is an error to whoever wanted to
//! do what it tells; when writing works again, a line says how many there were.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::durable::PublicHead;
use crate::open::{self, Place};
use crate::tail::Tail;
use crate::{AuditError, Head};

/// How long a line waits for others to be synced with.
const PACE: Duration = Duration::from_millis(200);

/// How much of a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// A file that is as large as this is followed by another.
    pub file_bytes: u64,
    /// So many files are kept; then the oldest goes, and a line says so.
    pub files: usize,
}

impl Default for Keep {
    /// 32 files of 32 MiB: about four million lines.
    fn default() -> Self {
        Self {
            file_bytes: 32 << 20,
            files: 32,
        }
    }
}

/// The way to a record. Cheap to clone; when the last clone goes, a line says that the writer
/// ended in order.
#[derive(Clone)]
pub struct Audit(Arc<Shared>);

struct Shared {
    tail: Arc<Mutex<Tail>>,
    head: PublicHead,
    /// Whether the thread knows that there is something to sync.
    dirty: Arc<AtomicBool>,
    /// None only while this is dropped.
    syncs: Option<Sender<Sync>>,
    thread: Option<JoinHandle<()>>,
}

enum Sync {
    Soon,
    Now(oneshot::Sender<Result<(), String>>),
}

impl Audit {
    /// Opens or begins the record of a folder that is made private, and takes it for this process.
    /// `runner` is who writes, for every line.
    ///
    /// # Errors
    /// The record that is there was changed, someone else writes it, or the disk does not do it.
    pub fn folder(folder: &Path, runner: &str, keep: Keep) -> Result<Self, AuditError> {
        Self::open(Place::folder(folder)?, runner, keep)
    }

    /// Opens or begins a record in one file of its own, which grows without being followed by
    /// another.
    ///
    /// # Errors
    /// As [`Audit::folder`].
    pub fn file(file: &Path, runner: &str) -> Result<Self, AuditError> {
        let keep = Keep {
            file_bytes: u64::MAX,
            files: 1,
        };
        Self::open(Place::File(file.to_owned()), runner, keep)
    }

    fn open(place: Place, runner: &str, keep: Keep) -> Result<Self, AuditError> {
        let tail = open::open(place, runner, keep)?;
        let head = tail.public_head();
        let tail = Arc::new(Mutex::new(tail));
        let dirty = Arc::new(AtomicBool::new(false));
        let (syncs, inbox) = channel();
        let served = (Arc::clone(&tail), Arc::clone(&dirty));
        let thread = std::thread::Builder::new()
            .name("wharf-audit".to_owned())
            .spawn(move || serve(&served.0, &served.1, &inbox))
            .map_err(|error| AuditError::Failed(format!("no thread to sync with: {error}")))?;
        Ok(Self(Arc::new(Shared {
            tail,
            head,
            dirty,
            syncs: Some(syncs),
            thread: Some(thread),
        })))
    }

    /// Writes an event, with what it is by. Both must serialise as JSON objects without common
    /// members; the event names itself in its member `event`.
    ///
    /// # Errors
    /// It is not written: what it tells must not happen.
    pub fn write<B: Serialize, E: Serialize>(&self, by: &B, event: &E) -> Result<(), AuditError> {
        lock(&self.0.tail).append(by, event)?;
        if !self.0.dirty.swap(true, Ordering::AcqRel) {
            self.ask(Sync::Soon)?;
        }
        Ok(())
    }

    /// Comes when everything that was written so far is on disk.
    ///
    /// # Errors
    /// It is not.
    pub async fn synced(&self) -> Result<(), AuditError> {
        let (reply, done) = oneshot::channel();
        self.ask(Sync::Now(reply))?;
        done.await.map_err(|_| gone())?.map_err(AuditError::Failed)
    }

    fn ask(&self, sync: Sync) -> Result<(), AuditError> {
        let syncs = self.0.syncs.as_ref().ok_or_else(gone)?;
        syncs.send(sync).map_err(|_| gone())
    }

    /// Where the record ends, as far as it is on disk for good. Never waits for the disk, nor for
    /// anyone who does.
    pub fn head(&self) -> Option<Head> {
        self.0.head.get()
    }
}

fn gone() -> AuditError {
    AuditError::Failed("the audit's thread is gone".to_owned())
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The thread ends, so that nobody holds the file any more when this returns.
        drop(self.syncs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the audit's thread broke off");
        }
        if let Err(error) = lock(&self.tail).stop() {
            tracing::error!(%error, "the audit record does not end in order");
        }
    }
}

fn lock(tail: &Mutex<Tail>) -> MutexGuard<'_, Tail> {
    // What a change leaves behind when it breaks off is what a crash leaves behind: it is mended.
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Syncs for everybody who waits, until nobody can ask any more.
fn serve(tail: &Mutex<Tail>, dirty: &AtomicBool, inbox: &Receiver<Sync>) {
    while let Ok(first) = inbox.recv() {
        let mut waiting = Vec::new();
        match first {
            Sync::Now(reply) => waiting.push(reply),
            Sync::Soon => match inbox.recv_timeout(PACE) {
                Ok(Sync::Now(reply)) => waiting.push(reply),
                Ok(Sync::Soon) | Err(RecvTimeoutError::Timeout) => {}
                // The last line is synced by whoever writes it.
                Err(RecvTimeoutError::Disconnected) => return,
            },
        }
        while let Ok(next) = inbox.try_recv() {
            if let Sync::Now(reply) = next {
                waiting.push(reply);
            }
        }
        // What is written from here on asks anew.
        dirty.store(false, Ordering::Release);
        // Not under the lock: others write meanwhile.
        let (file, mark) = lock(tail).to_sync();
        let synced = file.sync().map_err(|error| error.to_string());
        lock(tail).synced(mark, &synced);
        for reply in waiting {
            // Whoever asked may have gone.
            let _ = reply.send(synced.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::own::Own;

    #[test]
    fn the_head_is_told_while_somebody_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::folder(folder.path(), "here", Keep::default()).unwrap();
        let before = audit.head().unwrap();
        let mut waits = lock(&audit.0.tail);
        waits.append(&(), &Own::WriterStopped {}).unwrap();
        assert_eq!(audit.head(), Some(before));
        waits.sync().unwrap();
        assert_eq!(audit.head().unwrap().seq, before.seq + 1);
    }
}
