//! From one file of a record to the next, and taking away the oldest.
//!
//! Each step may fail, on a full disk for one, and the next attempt goes on from there. No file is
//! taken away before the line that says so is on disk: whoever checks the record asks for that line.

use std::fs;
use std::sync::Arc;

use crate::open::{Place, take};
use crate::own::Own;
use crate::record_file::RecordFile;
use crate::tail::{Mark, Tail};
use crate::{AuditError, Fault, files, repair};

impl Tail {
    /// Goes on in another file if this one is full.
    pub(crate) fn follow(&mut self) {
        if matches!(self.place, Place::File(_)) || self.end.bytes < self.keep.file_bytes {
            return;
        }
        let followed = self
            .close()
            .and_then(|()| self.go_on())
            .and_then(|()| self.make_room());
        // The event itself is written; that its file could not be followed is the next one's
        // trouble.
        if let Err(error) = followed {
            tracing::error!(%error, "the audit record cannot go on in another file");
            self.failed(error.to_string());
        }
    }

    /// The last line of a file.
    fn close(&mut self) -> Result<(), AuditError> {
        let next = self.place.shown(self.end.number + 1);
        self.put(&(), &Own::FileClosed { next })?;
        self.closed = true;
        Ok(())
    }

    /// Begins the file that is to be begun, if there is one: the one after a closed one, or one
    /// that was made and has no line yet.
    pub(crate) fn go_on(&mut self) -> Result<(), AuditError> {
        if self.closed {
            self.sync()?;
            self.next_file()?;
        }
        if self.end.bytes > 0 {
            return Ok(());
        }
        files::sync_name(&self.place.path(self.end.number))?;
        self.begin()?;
        self.sync()
    }

    fn next_file(&mut self) -> Result<(), AuditError> {
        let number = self.end.number + 1;
        let path = self.place.path(number);
        let file = files::open_private(&path, true)
            .map_err(|error| AuditError::file("begin", &path, error))?;
        take(&file, &path)?;
        self.file = Arc::new(RecordFile::new(file));
        self.end = Mark {
            number,
            bytes: 0,
            chain: self.end.chain,
        };
        // All of the file before is on disk.
        self.durable = self.end;
        self.closed = false;
        Ok(())
    }

    /// Removes the oldest files until there are no more than may be.
    fn make_room(&mut self) -> Result<(), AuditError> {
        let Place::Folder { path: folder, .. } = &self.place else {
            return Ok(());
        };
        let files = files::list(folder)?;
        let surplus = files.len().saturating_sub(self.keep.files.max(1));
        if surplus == 0 {
            return Ok(());
        }
        for pair in files.windows(2).take(surplus) {
            let [oldest, next] = pair else { break };
            // The line about a file that goes would stand for one that was taken away as well.
            files::follows(oldest, next)?;
            let before = repair::before(&next.path).ok_or_else(|| AuditError::Bad {
                path: next.path.clone(),
                line: 1,
                fault: Fault::NoBeginning(crate::own::BEGINS),
            })?;
            let file = self.place.shown(oldest.number);
            let last = before.head();
            self.put(&(), &Own::FileRemoved { file, last })?;
        }
        self.sync()?;
        for file in &files[..surplus] {
            fs::remove_file(&file.path)
                .map_err(|error| AuditError::file("remove", &file.path, error))?;
        }
        Ok(())
    }
}
