//! Where changes are kept. A store keeps; it never decides.
//!
//! [`Store`] is the writer: one, owned by the driver's thread. [`History`] reads beside it, for
//! people, and sees only what was committed. Whatever implements the two passes `conformance`.

mod blobs;
#[cfg(test)]
mod conformance;
#[cfg(test)]
pub(crate) mod memory;
mod sqlite;

use wharf_protocol::{ExecutionId, GroupName};

use crate::model::{Change, DeadLetter, Keyed, Past, Snapshot, View};

pub use blobs::BlobError;
pub(crate) use blobs::{Blobs, Shelf};
pub(crate) use sqlite::{SqliteHistory, SqliteStore, open_connection};

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the database {path} failed: {source}; check free space and permissions there")]
    Database {
        /// Which file.
        path: String,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The database was written by a newer version.
    #[error(
        "the database {path} has schema version {found}, this version knows up to {known}: start it with the version that wrote it, or a newer one"
    )]
    TooNew {
        /// Which file.
        path: String,
        /// What it has.
        found: i64,
        /// What is known.
        known: i64,
    },
}

/// The writer.
pub(crate) trait Store: Send {
    /// All that is kept, but for executions that are over.
    fn load(&mut self) -> Result<Snapshot, StoreError>;

    /// Keeps all of these changes or none of them. When it returns without error they survive a
    /// crash of this process and of the machine.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// What is kept of an execution that is over.
    fn past(&mut self, id: ExecutionId) -> Result<Option<Past>, StoreError>;

    /// The execution that was submitted with this idempotency key.
    fn keyed(&mut self, key: &str) -> Result<Option<Keyed>, StoreError>;

    /// Writes something without meaning, as durably as a commit: whether writing works.
    fn probe(&mut self) -> Result<(), StoreError>;

    /// Forgets what must not grow without end: all but the newest dead letters, tokens long expired.
    fn prune(&mut self, now: crate::model::Micros) -> Result<(), StoreError>;
}

/// Which executions to list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) group: Option<GroupName>,
    pub(crate) plugin: Option<String>,
    pub(crate) state: Option<StateFilter>,
    /// Only those submitted before this one.
    pub(crate) before: Option<ExecutionId>,
    pub(crate) limit: u32,
}

/// Where an execution stands, as a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StateFilter {
    Queued,
    Running,
    Finished,
}

/// The reader. Calls block: keep them off the threads that serve.
pub(crate) trait History: Send + Sync {
    /// One execution.
    fn execution(&self, id: ExecutionId) -> Result<Option<View>, StoreError>;

    /// Executions, newest first.
    fn list(&self, filter: &Filter) -> Result<Vec<View>, StoreError>;

    /// Dead letters, newest first.
    fn dead_letters(&self, limit: u32) -> Result<Vec<DeadLetter>, StoreError>;
}
