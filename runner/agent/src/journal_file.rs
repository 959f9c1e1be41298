//! The journal's file: SQLite with a write-ahead log, synced at every commit.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use wharf_policy::Digest;
use wharf_protocol::AttemptKey;

use crate::AgentError;

/// Marks the file as ours, so that nothing else is taken for a journal.
const APPLICATION: i64 = 0x5748_4a31;
const LAYOUT: i64 = 1;

/// A result as it is kept: the frame that will be sent, and the output if it goes by reference.
#[derive(Debug)]
pub(crate) struct Record {
    /// Whose result.
    pub(crate) key: AttemptKey,
    /// The encoded frame.
    pub(crate) frame: Vec<u8>,
    /// The output that has to be uploaded first.
    pub(crate) output: Option<(Digest, Vec<u8>)>,
}

/// A result that is on disk.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// Whose result.
    pub(crate) key: AttemptKey,
    /// The encoded frame.
    pub(crate) frame: Vec<u8>,
    /// The output that has to be uploaded before the frame is sent.
    pub(crate) upload: Option<Digest>,
    /// What it takes on disk, in bytes.
    pub(crate) bytes: u64,
}

impl Record {
    fn bytes(&self) -> u64 {
        let output = self.output.as_ref().map_or(0, |(_, bytes)| bytes.len());
        (self.frame.len() + output) as u64
    }

    pub(crate) fn kept(self) -> Kept {
        Kept {
            bytes: self.bytes(),
            key: self.key,
            frame: self.frame,
            upload: self.output.map(|(digest, _)| digest),
        }
    }
}

/// The open file.
pub(crate) struct JournalFile {
    db: Connection,
}

impl JournalFile {
    /// Opens or creates the file, and checks it whole. A damaged one is refused, not replaced.
    pub(crate) fn open(path: &Path) -> Result<Self, AgentError> {
        Self::try_open(path).map_err(|reason| AgentError::Journal {
            path: PathBuf::from(path),
            reason,
        })
    }

    fn try_open(path: &Path) -> Result<Self, String> {
        let said = |error: rusqlite::Error| error.to_string();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).map_err(said)?;
        db.pragma_update(None, "journal_mode", "WAL")
            .map_err(said)?;
        db.pragma_update(None, "synchronous", "FULL")
            .map_err(said)?;
        let check: String = db
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(said)?;
        if check != "ok" {
            return Err(check);
        }
        let number = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        match (
            number("application_id").map_err(said)?,
            number("user_version").map_err(said)?,
        ) {
            (0, 0) => db
                .execute_batch(&format!(
                    "BEGIN;
                     CREATE TABLE result (
                         key TEXT PRIMARY KEY,
                         frame BLOB NOT NULL,
                         digest BLOB,
                         output BLOB
                     ) STRICT;
                     PRAGMA application_id = {APPLICATION};
                     PRAGMA user_version = {LAYOUT};
                     COMMIT;"
                ))
                .map_err(said)?,
            (APPLICATION, LAYOUT) => {}
            (APPLICATION, newer) => {
                return Err(format!(
                    "its layout is {newer}, this version knows {LAYOUT}"
                ));
            }
            _ => return Err("it is not a journal".to_owned()),
        }
        Ok(Self { db })
    }

    /// Every result and what it takes.
    pub(crate) fn all(&self) -> Result<Vec<(AttemptKey, u64)>, String> {
        let mut all = self
            .db
            .prepare("SELECT key, length(frame) + ifnull(length(output), 0) FROM result")
            .map_err(|error| error.to_string())?;
        let rows = all
            .query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?))
            })
            .map_err(|error| error.to_string())?;
        rows.map(|row| {
            let (key, bytes) = row.map_err(|error| error.to_string())?;
            let key = parse(&key).ok_or_else(|| format!("`{key}` is not an attempt"))?;
            Ok((key, u64::try_from(bytes).unwrap_or(0)))
        })
        .collect()
    }

    /// Writes and removes, in one commit: all of it or none.
    pub(crate) fn commit(
        &mut self,
        put: &[Record],
        remove: &[AttemptKey],
    ) -> Result<(), rusqlite::Error> {
        let change = self.db.transaction()?;
        {
            let mut insert = change.prepare_cached(
                "INSERT OR REPLACE INTO result (key, frame, digest, output) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for record in put {
                let (digest, output) = match &record.output {
                    Some((digest, bytes)) => (Some(digest.as_bytes().as_slice()), Some(bytes)),
                    None => (None, None),
                };
                insert.execute(params![
                    record.key.to_string(),
                    record.frame,
                    digest,
                    output
                ])?;
            }
            let mut delete = change.prepare_cached("DELETE FROM result WHERE key = ?1")?;
            for key in remove {
                delete.execute([key.to_string()])?;
            }
        }
        change.commit()
    }

    /// A result, without its output.
    pub(crate) fn read(&self, key: AttemptKey) -> Result<Option<Kept>, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT frame, digest, ifnull(length(output), 0) FROM result WHERE key = ?1",
        )?;
        select
            .query_row([key.to_string()], |row| {
                let frame: Vec<u8> = row.get(0)?;
                let digest: Option<[u8; 32]> = row.get(1)?;
                let output: i64 = row.get(2)?;
                Ok(Kept {
                    key,
                    bytes: frame.len() as u64 + u64::try_from(output).unwrap_or(0),
                    frame,
                    upload: digest.map(Digest::from_bytes),
                })
            })
            .optional()
    }

    /// The output of a result that goes by reference.
    pub(crate) fn output(&self, key: AttemptKey) -> Result<Option<Vec<u8>>, rusqlite::Error> {
        let mut select = self
            .db
            .prepare_cached("SELECT output FROM result WHERE key = ?1")?;
        let found: Option<Option<Vec<u8>>> = select
            .query_row([key.to_string()], |row| row.get(0))
            .optional()?;
        Ok(found.flatten())
    }
}

fn parse(text: &str) -> Option<AttemptKey> {
    let (execution, attempt) = text.split_once('/')?;
    Some(AttemptKey {
        execution: execution.parse().ok()?,
        attempt: attempt.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;

    fn record(number: u128, output: Option<&[u8]>) -> Record {
        Record {
            key: key(number),
            frame: vec![1, 2, 3],
            output: output.map(|bytes| (Digest::from_bytes([7; 32]), bytes.to_vec())),
        }
    }

    #[test]
    fn results_and_their_outputs_survive_a_reopen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut journal = JournalFile::open(&path).unwrap();
        let put = [record(1, None), record(2, Some(b"large")), record(3, None)];
        journal.commit(&put, &[]).unwrap();
        journal.commit(&[], &[key(3)]).unwrap();
        drop(journal);

        let journal = JournalFile::open(&path).unwrap();
        assert_eq!(journal.all().unwrap(), [(key(1), 3), (key(2), 8)]);
        let kept = journal.read(key(2)).unwrap().unwrap();
        assert_eq!(kept.upload, Some(Digest::from_bytes([7; 32])));
        assert_eq!((kept.bytes, kept.frame), (8, vec![1, 2, 3]));
        assert_eq!(journal.output(key(2)).unwrap().unwrap(), b"large");
        assert!(journal.output(key(1)).unwrap().is_none());
        assert!(journal.read(key(3)).unwrap().is_none());
    }

    #[test]
    fn a_damaged_journal_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::write(&path, b"this was a journal once".repeat(100)).unwrap();
        let Err(error) = JournalFile::open(&path) else {
            panic!("it was opened")
        };
        assert!(error.to_string().contains("move it away"), "{error}");
        assert!(std::fs::read(&path).unwrap().starts_with(b"this was"));
    }

    #[test]
    fn a_database_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("PRAGMA application_id = 5").unwrap();
        drop(other);
        assert!(JournalFile::open(&path).is_err());
    }
}
