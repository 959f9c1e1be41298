//! The end of a record, under the writer's lock: the file, its length, the chain so far.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::chain::Chain;
use crate::open::Place;
use crate::own::{FORMAT, Own};
use crate::{AuditError, Head, Keep, files, line, repair};

/// The end of a record.
pub(crate) struct Tail {
    pub(crate) place: Place,
    pub(crate) runner: String,
    pub(crate) keep: Keep,
    pub(crate) file: Arc<File>,
    pub(crate) number: u64,
    /// The bytes of all whole lines of the file. What stands behind them is none.
    pub(crate) bytes: u64,
    pub(crate) chain: Chain,
    pub(crate) synced: Option<Head>,
    pub(crate) trouble: Option<Trouble>,
    /// Says which files of a folder are of one chain.
    pub(crate) name: String,
}

/// Writing has failed, and has not worked again since.
pub(crate) struct Trouble {
    refused: u64,
    why: String,
}

impl Tail {
    /// Writes one event behind the others.
    pub(crate) fn append<B: Serialize, E: Serialize>(
        &mut self,
        by: &B,
        event: &E,
    ) -> Result<(), AuditError> {
        self.resume()?;
        self.put(by, event).inspect_err(|error| {
            // An event that cannot be a line says nothing about the disk.
            if !matches!(error, AuditError::Event(_)) {
                self.failed(error.to_string());
            }
        })?;
        self.follow()
    }

    /// Goes on after a failure, if that is possible now.
    fn resume(&mut self) -> Result<(), AuditError> {
        let Some(trouble) = &mut self.trouble else {
            return Ok(());
        };
        trouble.refused += 1;
        let resumed = Own::WritingResumed {
            refused: trouble.refused - 1,
            why: trouble.why.clone(),
        };
        let why = trouble.why.clone();
        // What was written of the line that failed was never a line.
        self.cut()
            .and_then(|()| self.put(&(), &resumed))
            .and_then(|()| self.sync())
            .map_err(|error| AuditError::Failed(format!("{why}; now: {error}")))?;
        self.trouble = None;
        Ok(())
    }

    fn failed(&mut self, why: String) {
        match &mut self.trouble {
            Some(trouble) => trouble.why = why,
            None => self.trouble = Some(Trouble { refused: 1, why }),
        }
    }

    fn path(&self) -> PathBuf {
        self.place.path(self.number)
    }

    /// Takes away what stands behind the last whole line.
    pub(crate) fn cut(&self) -> Result<(), AuditError> {
        self.file
            .set_len(self.bytes)
            .and_then(|()| (&*self.file).seek(SeekFrom::Start(self.bytes)))
            .map(drop)
            .map_err(|error| AuditError::file("write", self.path(), error))
    }

    /// Writes one line at the end of the whole lines, over whatever stands there.
    pub(crate) fn put<B: Serialize, E: Serialize>(
        &mut self,
        by: &B,
        event: &E,
    ) -> Result<(), AuditError> {
        let now = jiff::Timestamp::now();
        let mut line = line::write(&self.chain, now, &self.runner, by, event)?;
        let chain = self.chain.with(&line);
        line.push(b'\n');
        (&*self.file)
            .write_all(&line)
            .map_err(|error| AuditError::file("write", self.path(), error))?;
        self.bytes += line.len() as u64;
        self.chain = chain;
        Ok(())
    }

    /// The first line of a file.
    pub(crate) fn begin(&mut self) -> Result<(), AuditError> {
        let opened = Own::FileOpened {
            format: FORMAT,
            file: self.place.shown(self.number),
            chain: self.name.clone(),
        };
        self.put(&(), &opened)
    }

    /// Goes on in another file if this one is full.
    fn follow(&mut self) -> Result<(), AuditError> {
        let Place::Folder { path: folder, .. } = &self.place else {
            return Ok(());
        };
        if self.bytes < self.keep.file_bytes {
            return Ok(());
        }
        let folder = folder.clone();
        let next = self.place.shown(self.number + 1);
        let closed = self.put(&(), &Own::FileClosed { next }).and_then(|()| {
            self.sync()?;
            self.next_file()
        });
        // The event itself is written; that its file could not be followed is the next one's
        // trouble.
        if let Err(error) = closed.and_then(|()| self.make_room(&folder)) {
            tracing::error!(%error, "the audit record cannot go on in another file");
            self.failed(error.to_string());
        }
        Ok(())
    }

    pub(crate) fn next_file(&mut self) -> Result<(), AuditError> {
        let path = self.place.path(self.number + 1);
        let failed = |error| AuditError::file("begin", &path, error);
        let file = files::open_private(&path, true).map_err(failed)?;
        self.file = Arc::new(file);
        self.number += 1;
        self.bytes = 0;
        self.begin()?;
        self.sync()?;
        match path.parent() {
            Some(folder) => files::sync_folder(folder).map_err(failed),
            None => Ok(()),
        }
    }

    /// Removes the oldest files until there are no more than may be.
    fn make_room(&mut self, folder: &std::path::Path) -> Result<(), AuditError> {
        let files = files::list(folder)?;
        let surplus = files.len().saturating_sub(self.keep.files.max(1));
        for pair in files.windows(2).take(surplus) {
            let last = repair::before(&pair[1].path).and_then(|chain| chain.head());
            let file = self.place.shown(pair[0].number);
            // Said before it is done.
            self.put(&(), &Own::FileRemoved { file, last })?;
            fs::remove_file(&pair[0].path)
                .map_err(|error| AuditError::file("remove", &pair[0].path, error))?;
        }
        Ok(())
    }

    /// Syncs now, under the lock.
    pub(crate) fn sync(&mut self) -> Result<(), AuditError> {
        self.file
            .sync_data()
            .map_err(|error| AuditError::file("sync", self.path(), error))?;
        self.synced = self.chain.head();
        Ok(())
    }

    /// What to sync, and what is on disk for good after that.
    pub(crate) fn to_sync(&self) -> (Arc<File>, Option<Head>) {
        (Arc::clone(&self.file), self.chain.head())
    }

    /// A sync has ended.
    pub(crate) fn synced(&mut self, head: Option<Head>, result: &Result<(), String>) {
        match result {
            Ok(()) => self.synced = self.synced.max_by_number(head),
            Err(why) => self.failed(format!("a sync failed: {why}")),
        }
    }

    pub(crate) fn synced_head(&self) -> Option<Head> {
        self.synced
    }
}

trait Later {
    fn max_by_number(self, other: Self) -> Self;
}

impl Later for Option<Head> {
    fn max_by_number(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) if a.seq > b.seq => Some(a),
            (a, None) => a,
            (_, b) => b,
        }
    }
}
