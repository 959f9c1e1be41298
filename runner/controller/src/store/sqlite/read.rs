//! The reader: a connection of its own, so that looking back never holds up the writer.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params_from_iter, types::Value};
use wharf_protocol::{AttemptKey, ExecutionId};

use super::rows::{Columns, EXECUTION, ExecutionRow};
use super::{failed, open_connection};
use crate::model::{DeadLetter, View};
use crate::store::{Filter, History, StateFilter, StoreError};

/// Reads what was committed.
pub(crate) struct SqliteHistory {
    db: Mutex<Connection>,
    path: PathBuf,
}

impl SqliteHistory {
    /// Opens a database that the writer has brought up to date.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let db = open_connection(path, "FULL")?;
        db.pragma_update(None, "query_only", true)
            .map_err(failed(path))?;
        Ok(Self {
            db: Mutex::new(db),
            path: path.to_owned(),
        })
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        // A panic of another reader leaves a connection that only reads as good as it was.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History for SqliteHistory {
    fn execution(&self, id: ExecutionId) -> Result<Option<View>, StoreError> {
        let read = || {
            self.db()
                .prepare_cached(&format!("SELECT {EXECUTION} FROM executions WHERE id = ?1"))?
                .query_row([id.ulid().to_bytes()], ExecutionRow::read)
                .optional()
        };
        Ok(read()
            .map_err(failed(&self.path))?
            .map(ExecutionRow::into_view))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<View>, StoreError> {
        let mut sql = format!("SELECT {EXECUTION} FROM executions");
        let mut values: Vec<Value> = Vec::new();
        let mut condition = |text: &str, value: Option<Value>| {
            sql.push_str(if sql.contains(" WHERE ") {
                " AND "
            } else {
                " WHERE "
            });
            sql.push_str(text);
            values.extend(value);
        };
        // The state as a literal, so that SQLite can use the index of what is not over.
        match filter.state {
            Some(StateFilter::Queued) => condition("state = 0 AND state < 2", None),
            Some(StateFilter::Running) => condition("state = 1 AND state < 2", None),
            Some(StateFilter::Finished) => condition("state = 2", None),
            None => {}
        }
        if let Some(group) = &filter.group {
            condition("grp = ?", Some(Value::from(group.as_str().to_owned())));
        }
        if let Some(plugin) = &filter.plugin {
            condition("plugin = ?", Some(Value::from(plugin.clone())));
        }
        if let Some(before) = &filter.before {
            condition(
                "id < ?",
                Some(Value::from(before.ulid().to_bytes().to_vec())),
            );
        }
        sql.push_str(" ORDER BY id DESC LIMIT ?");
        values.push(Value::from(i64::from(filter.limit)));
        let read = || {
            self.db()
                .prepare_cached(&sql)?
                .query_map(params_from_iter(values), |row| {
                    ExecutionRow::read(row).map(ExecutionRow::into_view)
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(failed(&self.path))
    }

    fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError> {
        let read = || {
            self.db()
                .prepare_cached(
                    "SELECT execution, attempt, runner, received, verdict FROM dead_letters ORDER BY seq DESC LIMIT ?1",
                )?
                .query_map([limit], |row| {
                    let mut c = Columns::new(row);
                    Ok(DeadLetter {
                        key: AttemptKey {
                            execution: c.execution_id()?,
                            attempt: c.small()?,
                        },
                        runner: c.runner_id()?,
                        received: c.number()?,
                        verdict: c.json()?.ok_or(rusqlite::Error::InvalidQuery)?,
                    })
                })?
                .collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(failed(&self.path))
    }
}
