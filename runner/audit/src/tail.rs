//! The end of a record, under the writer's lock: the file, its length, the chain so far.

use std::sync::Arc;

use serde::Serialize;

use crate::chain::Chain;
use crate::durable::{Durable, PublicHead};
use crate::open::Place;
use crate::own::{FORMAT, Own};
use crate::record_file::RecordFile;
use crate::{AuditError, Keep, line};

/// The end of a record.
pub(crate) struct Tail {
    pub(crate) place: Place,
    pub(crate) runner: String,
    pub(crate) keep: Keep,
    pub(crate) file: Arc<RecordFile>,
    pub(crate) end: Mark,
    pub(crate) durable: Durable,
    /// The file says that another follows, and that is not begun yet.
    pub(crate) closed: bool,
    pub(crate) trouble: Option<Trouble>,
    /// The file behind which another is missing, if the log says so already.
    pub(crate) gap: Option<u64>,
    /// Says which files of a folder are of one chain.
    pub(crate) name: String,
}

/// A place between two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The number of the file.
    pub(crate) number: u64,
    /// The bytes of all whole lines of the file before it. What stands behind the last is none.
    pub(crate) bytes: u64,
    pub(crate) chain: Chain,
}

impl Mark {
    const fn place(&self) -> (u64, u64) {
        (self.number, self.bytes)
    }
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
                self.failed(error.to_string()).refused += 1;
            }
        })?;
        self.follow();
        Ok(())
    }

    /// Says that the writer ends in order, once all before that is on disk for good.
    pub(crate) fn stop(&mut self) -> Result<(), AuditError> {
        self.resume()?;
        self.sync()?;
        let stopped = self.put(&(), &Own::WriterStopped {});
        stopped.inspect_err(|_| self.tidy())?;
        self.sync()
    }

    /// Goes on after a failure, if that is possible now.
    fn resume(&mut self) -> Result<(), AuditError> {
        let Some(trouble) = self.trouble.take() else {
            return Ok(());
        };
        let Trouble { mut refused, why } = trouble;
        let resumed = Own::WritingResumed {
            refused,
            why: why.clone(),
        };
        let put = self.mend().and_then(|()| self.put(&(), &resumed));
        if put.is_ok() {
            // From here on they are told of.
            refused = 0;
        }
        put.and_then(|()| self.sync()).map_err(|error| {
            self.tidy();
            refused += 1;
            let failed = AuditError::Failed(format!("{why}; now: {error}"));
            self.trouble = Some(Trouble { refused, why });
            failed
        })
    }

    /// Makes the record one that goes on with a line, from wherever it broke off.
    fn mend(&mut self) -> Result<(), AuditError> {
        if self.file.is_in_doubt() {
            self.rewrite()?;
        }
        // What was written of a line that failed was never a line.
        self.cut()?;
        self.go_on()
    }

    /// Something failed. The events that it refuses are counted in what this gives.
    pub(crate) fn failed(&mut self, why: String) -> &mut Trouble {
        self.tidy();
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            refused: 0,
            why: String::new(),
        });
        trouble.why = why;
        trouble
    }

    pub(crate) fn file_error(&self, action: &'static str, error: std::io::Error) -> AuditError {
        AuditError::file(action, self.place.path(self.end.number), error)
    }

    /// Takes away at once what a failed write has left of a line, as far as that is possible: until
    /// there is room again, whoever checks the record would find it torn. It is done again before the
    /// next line.
    fn tidy(&self) {
        let _ = self.cut();
    }

    /// Takes away what stands behind the last whole line.
    pub(crate) fn cut(&self) -> Result<(), AuditError> {
        let cut = self.file.cut(self.end.bytes);
        cut.map_err(|error| self.file_error("write", error))
    }

    /// Writes one line at the end of the whole lines, over whatever stands there.
    pub(crate) fn put<B: Serialize, E: Serialize>(
        &mut self,
        by: &B,
        event: &E,
    ) -> Result<(), AuditError> {
        let now = jiff::Timestamp::now();
        let mut line = line::write(&self.end.chain, now, &self.runner, by, event)?;
        let chain = self.end.chain.with(&line);
        let chain = chain.map_err(|fault| AuditError::Failed(fault.to_string()))?;
        line.push(b'\n');
        let written = self.file.write(&line);
        written.map_err(|error| self.file_error("write", error))?;
        self.end.bytes += line.len() as u64;
        self.end.chain = chain;
        Ok(())
    }

    /// The first line of a file.
    pub(crate) fn begin(&mut self) -> Result<(), AuditError> {
        let opened = Own::FileOpened {
            format: FORMAT,
            file: self.place.shown(self.end.number),
            chain: self.name.clone(),
        };
        self.put(&(), &opened)
    }

    /// Writes again what a failed sync may have lost, and syncs.
    pub(crate) fn rewrite(&mut self) -> Result<(), AuditError> {
        let durable = self.durable.mark();
        let part = durable.bytes..self.end.bytes;
        let read = self.file.read(&part);
        let lines = read.map_err(|error| self.file_error("read back", error))?;
        let chain = lines
            .split_inclusive(|byte| *byte == b'\n')
            .try_fold(durable.chain, |chain, line| {
                chain.with(line.strip_suffix(b"\n").unwrap_or(line))
            });
        if chain != Ok(self.end.chain) || lines.len() as u64 != part.end - part.start {
            return Err(AuditError::Lost {
                path: self.place.path(self.end.number),
                from: durable.chain.next,
            });
        }
        self.file
            .seek(part.start)
            .and_then(|()| self.file.write(&lines))
            .map_err(|error| self.file_error("write", error))?;
        self.file.rewritten();
        self.sync()
    }

    /// Syncs now, under the lock.
    pub(crate) fn sync(&mut self) -> Result<(), AuditError> {
        let synced = self.file.sync();
        synced.map_err(|error| self.file_error("sync", error))?;
        self.durable.is_now(self.end);
        Ok(())
    }

    /// What to sync, and what is on disk for good after that.
    pub(crate) fn to_sync(&self) -> (Arc<RecordFile>, Mark) {
        (Arc::clone(&self.file), self.end)
    }

    /// A sync that was begun at this mark has ended.
    pub(crate) fn synced(&mut self, mark: Mark, result: &Result<(), String>) {
        match result {
            Ok(()) if mark.place() > self.durable.mark().place() => self.durable.is_now(mark),
            Ok(()) => {}
            Err(why) => {
                self.failed(format!("a sync failed: {why}"));
            }
        }
    }

    /// Where the last line is told that is on disk for good.
    pub(crate) fn public_head(&self) -> PublicHead {
        self.durable.public()
    }
}
