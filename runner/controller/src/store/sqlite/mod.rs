//! The embedded store: SQLite in WAL mode, one writer and one reader.

mod read;
mod rows;
mod schema;
mod write;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

pub(crate) use read::SqliteHistory;
pub(crate) use write::SqliteStore;

use super::StoreError;

/// Opens a database as all of them are opened: WAL, and `synchronous` as asked.
pub(crate) fn open_connection(path: &Path, synchronous: &str) -> Result<Connection, StoreError> {
    let at = failed(path);
    let db = Connection::open(path).map_err(&at)?;
    db.busy_timeout(Duration::from_secs(5)).map_err(&at)?;
    db.pragma_update(None, "journal_mode", "WAL").map_err(&at)?;
    db.pragma_update(None, "synchronous", synchronous)
        .map_err(&at)?;
    db.pragma_update(None, "foreign_keys", true).map_err(&at)?;
    db.pragma_update(None, "trusted_schema", false)
        .map_err(&at)?;
    // 32 MiB: the tables' inner pages and the newest rows.
    db.pragma_update(None, "cache_size", -32_768).map_err(&at)?;
    // Checkpoints of 16 MiB rather than 4: fewer pauses, and a page that is written often is
    // copied once.
    db.pragma_update(None, "wal_autocheckpoint", 4_096)
        .map_err(&at)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Turns SQLite's error into one that says where.
pub(super) fn failed(path: &Path) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
    let path = path.display().to_string();
    move |source| StoreError::Database {
        path: path.clone(),
        source,
    }
}
