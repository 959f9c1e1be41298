//! A file that is being written, and whether its syncs can be believed.
//!
//! Where a sync fails, the kernel may have thrown away what it could not write; the next sync then
//! works because nothing is left to be written. So once a sync has failed, none works any more
//! until everything that it may have lost was written again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A file that is being written.
pub(crate) struct RecordFile {
    file: File,
    /// Why a sync failed. Held while one is under way: the system tells of a failure only once,
    /// and whoever syncs beside the one who is told must not take that for a success.
    doubt: Mutex<Option<String>>,
}

impl RecordFile {
    pub(crate) const fn new(file: File) -> Self {
        Self {
            file,
            doubt: Mutex::new(None),
        }
    }

    /// Goes to where the next write begins.
    pub(crate) fn seek(&self, to: u64) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(to)).map(drop)
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        sick::fit(&self.file, bytes)?;
        (&self.file).write_all(bytes)?;
        #[cfg(test)]
        sick::written(&self.file, bytes)?;
        Ok(())
    }

    /// Takes away everything from here on, and goes there.
    pub(crate) fn cut(&self, at: u64) -> io::Result<()> {
        self.file.set_len(at)?;
        self.seek(at)
    }

    /// A part of what was written. Leaves the next write wherever the part ends.
    pub(crate) fn read(&self, part: &Range<u64>) -> io::Result<Vec<u8>> {
        self.seek(part.start)?;
        let mut bytes = Vec::new();
        let length = part.end.saturating_sub(part.start);
        (&self.file).take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Comes back when everything that was written before is on disk.
    ///
    /// # Errors
    /// It may not be, or this failed before and [`Self::rewritten`] was not called since.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut doubt = self.doubt();
        if let Some(why) = &*doubt {
            return Err(io::Error::other(why.clone()));
        }
        #[cfg(test)]
        let synced = sick::sync().and_then(|()| self.file.sync_data());
        #[cfg(not(test))]
        let synced = self.file.sync_data();
        synced.inspect_err(|error| *doubt = Some(error.to_string()))
    }

    /// Whether a sync has failed, so that what was written since the one before may be lost.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.doubt().is_some()
    }

    /// What was in doubt was written again: the next sync tells whether it is on disk.
    pub(crate) fn rewritten(&self) {
        *self.doubt() = None;
    }

    fn doubt(&self) -> MutexGuard<'_, Option<String>> {
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A disk that gets full or fails, for the tests of one thread.
#[cfg(test)]
pub(crate) mod sick {
    use std::cell::{Cell, RefCell};
    use std::fs::File;
    use std::io::{self, Seek as _, Write as _};

    thread_local! {
        static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
        static NEXT_SYNCS: Cell<u32> = const { Cell::new(0) };
        /// What was written since the last sync: where, and what.
        static UNSYNCED: RefCell<Vec<(u64, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
        static PLATTER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    /// The next file is the first that this thread writes.
    pub(crate) fn new_disk() {
        UNSYNCED.take();
        PLATTER.take();
    }

    /// What is on disk for good of the one file that this thread writes: what was written between two
    /// syncs, if the second one worked.
    pub(crate) fn platter() -> Vec<u8> {
        PLATTER.with_borrow(Clone::clone)
    }

    /// Bytes were written that end where the file is now.
    pub(super) fn written(mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let start = file.stream_position()? - bytes.len() as u64;
        UNSYNCED.with_borrow_mut(|all| all.push((start, bytes.to_vec())));
        Ok(())
    }

    /// So many bytes more can be written from here on.
    pub(crate) fn room(bytes: u64) {
        LEFT.set(bytes);
    }

    /// All is well again.
    pub(crate) fn heal() {
        room(u64::MAX);
        NEXT_SYNCS.set(0);
    }

    /// The sync after so many more fails.
    pub(crate) fn fail_sync_after(more: u32) {
        NEXT_SYNCS.set(more + 1);
    }

    pub(super) fn sync() -> io::Result<()> {
        let before = NEXT_SYNCS.get();
        NEXT_SYNCS.set(before.saturating_sub(1));
        // What a failed sync was to bring there is thrown away.
        let unsynced = UNSYNCED.take();
        if before == 1 {
            return Err(io::Error::other("the disk is gone"));
        }
        PLATTER.with_borrow_mut(|platter| {
            for (start, bytes) in unsynced {
                let start = usize::try_from(start).unwrap();
                let end = start + bytes.len();
                platter.resize(platter.len().max(end), 0);
                platter[start..end].copy_from_slice(&bytes);
            }
        });
        Ok(())
    }

    /// Takes the room for a write. Where there is not enough, what fits is written.
    pub(super) fn fit(mut file: &File, bytes: &[u8]) -> io::Result<()> {
        let left = LEFT.get();
        let wanted = bytes.len() as u64;
        LEFT.set(left.saturating_sub(wanted));
        if wanted <= left {
            return Ok(());
        }
        let fits = usize::try_from(left).unwrap_or(0);
        file.write_all(&bytes[..fits])?;
        Err(io::ErrorKind::StorageFull.into())
    }
}
