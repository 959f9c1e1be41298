//! The tables of the logs.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use wharf_protocol::{AttemptKey, Level, LogEntry};

use crate::model::{AttemptLog, StoredLine};
use crate::store::{StoreError, open_connection};

/// The most lines that are kept of one attempt.
const MAX_LINES: u64 = 100_000;

/// The most bytes that are kept of one attempt.
const MAX_BYTES: u64 = 16 << 20;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS lines (
    execution BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    number INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    level INTEGER NOT NULL,
    message TEXT NOT NULL,
    fields TEXT,
    PRIMARY KEY (execution, attempt, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    execution BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    next INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    PRIMARY KEY (execution, attempt)
) STRICT, WITHOUT ROWID;
";

/// The writer.
pub(crate) struct LogTable {
    db: Connection,
    path: PathBuf,
}

impl LogTable {
    /// Opens the database, made if missing. A crash of the machine may cost the last moments of a
    /// log; one of the process costs nothing.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let db = open_connection(path, "NORMAL")?;
        db.execute_batch(SCHEMA).map_err(at(path))?;
        Ok(Self {
            db,
            path: path.to_owned(),
        })
    }

    /// How much is kept of an attempt.
    pub(super) fn state(&self, key: AttemptKey) -> Result<AttemptLog, StoreError> {
        state(&self.db, key).map_err(at(&self.path))
    }

    /// Keeps all these lines of these attempts, or none. Each state is brought up to date.
    pub(super) fn append(
        &mut self,
        batches: &mut [(AttemptKey, u64, Vec<LogEntry>, AttemptLog)],
    ) -> Result<(), StoreError> {
        let write = |db: &mut Connection| -> rusqlite::Result<()> {
            let tx = db.transaction()?;
            for (key, first, entries, log) in batches {
                append(&tx, *key, *first, entries, log)?;
            }
            tx.commit()
        };
        write(&mut self.db).map_err(at(&self.path))
    }
}

fn append(
    db: &Connection,
    key: AttemptKey,
    first: u64,
    entries: &[LogEntry],
    log: &mut AttemptLog,
) -> rusqlite::Result<()> {
    if first > log.next {
        log.dropped += first - log.next;
        log.next = first;
    }
    let mut insert = db.prepare_cached(
        "INSERT OR IGNORE INTO lines (execution, attempt, number, time_ms, level, message, fields) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    let execution = key.execution.ulid().to_bytes();
    let known = usize::try_from(log.next - first).unwrap_or(usize::MAX);
    for entry in entries.iter().skip(known) {
        let fields = if entry.fields.is_empty() {
            None
        } else {
            serde_json::to_string(&entry.fields).ok()
        };
        let size = entry.message.len() + fields.as_ref().map_or(0, String::len);
        let size = size as u64;
        if log.next - log.dropped.min(log.next) >= MAX_LINES || log.bytes + size > MAX_BYTES {
            log.dropped += 1;
        } else {
            insert.execute(params![
                execution,
                key.attempt,
                int(log.next),
                int(entry.time_ms),
                entry.level as i64,
                entry.message,
                fields
            ])?;
            log.bytes += size;
        }
        log.next += 1;
    }
    db.prepare_cached(
        "INSERT OR REPLACE INTO attempts (execution, attempt, next, bytes, dropped) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![execution, key.attempt, int(log.next), int(log.bytes), int(log.dropped)])?;
    Ok(())
}

/// The reader, on a connection of its own. Calls block.
pub(crate) struct LogReader {
    db: Mutex<Connection>,
    path: PathBuf,
}

impl LogReader {
    /// Opens a database that [`LogTable::open`] has made.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let db = open_connection(path, "NORMAL")?;
        db.pragma_update(None, "query_only", true)
            .map_err(at(path))?;
        Ok(Self {
            db: Mutex::new(db),
            path: path.to_owned(),
        })
    }

    /// The lines of an attempt from this number on, at most so many, and how much is kept of it.
    pub(crate) fn read(
        &self,
        key: AttemptKey,
        from: u64,
        most: u32,
    ) -> Result<(Vec<StoredLine>, AttemptLog), StoreError> {
        let db = self.db.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || -> rusqlite::Result<_> {
            // The state first: it then never tells of lines that are not among those read.
            let log = state(&db, key)?;
            let lines = db
                .prepare_cached(
                    "SELECT number, time_ms, level, message, fields FROM lines WHERE execution = ?1 AND attempt = ?2 AND number >= ?3 ORDER BY number LIMIT ?4",
                )?
                .query_map(
                    params![key.execution.ulid().to_bytes(), key.attempt, int(from), most],
                    line,
                )?
                .collect::<rusqlite::Result<_>>()?;
            Ok((lines, log))
        };
        read().map_err(at(&self.path))
    }
}

fn state(db: &Connection, key: AttemptKey) -> rusqlite::Result<AttemptLog> {
    let log = db
        .prepare_cached(
            "SELECT next, bytes, dropped FROM attempts WHERE execution = ?1 AND attempt = ?2",
        )?
        .query_row(
            params![key.execution.ulid().to_bytes(), key.attempt],
            |row| {
                Ok(AttemptLog {
                    next: uint(row.get(0)?),
                    bytes: uint(row.get(1)?),
                    dropped: uint(row.get(2)?),
                })
            },
        )
        .optional()?;
    Ok(log.unwrap_or_default())
}

fn line(row: &Row<'_>) -> rusqlite::Result<StoredLine> {
    let fields: Option<String> = row.get(4)?;
    let level = match row.get::<_, i64>(2)? {
        0 => Level::Trace,
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        _ => Level::Error,
    };
    Ok(StoredLine {
        number: uint(row.get(0)?),
        entry: LogEntry {
            time_ms: uint(row.get(1)?),
            level,
            message: row.get(3)?,
            fields: fields
                .and_then(|fields| serde_json::from_str(&fields).ok())
                .unwrap_or_default(),
        },
    })
}

fn at(path: &Path) -> impl FnOnce(rusqlite::Error) -> StoreError + use<> {
    let path = path.display().to_string();
    move |source| StoreError::Database { path, source }
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn uint(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
