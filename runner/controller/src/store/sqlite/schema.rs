//! The tables, and how one version of them becomes the next.

use rusqlite::Connection;

/// Each brings the database from the version that is its place to the next one.
const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE groups (
    name TEXT PRIMARY KEY,
    ephemeral INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Exactly one of role (0 reader, 1 operator, 2 admin) and enrols is set.
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    role INTEGER,
    enrols TEXT,
    expires INTEGER,
    note TEXT NOT NULL,
    created INTEGER NOT NULL,
    CHECK ((role IS NULL) <> (enrols IS NULL))
) STRICT, WITHOUT ROWID;
CREATE TABLE runners (
    id BLOB PRIMARY KEY,
    grp TEXT NOT NULL,
    public_key BLOB NOT NULL UNIQUE,
    host TEXT NOT NULL,
    platform TEXT NOT NULL,
    version TEXT NOT NULL,
    enrolled INTEGER NOT NULL,
    last_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- seq is the order of publication.
CREATE TABLE bundles (
    seq INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    manifest BLOB NOT NULL,
    size INTEGER NOT NULL,
    published INTEGER NOT NULL
) STRICT;
-- id is a ULID, so rows are in the order of submission and a new one goes to the end.
-- state: 0 queued, 1 running, 2 finished. outcome: the verdict's word; output or error is set.
CREATE TABLE executions (
    id BLOB PRIMARY KEY,
    state INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    runner BLOB,
    assigned INTEGER,
    submitted INTEGER NOT NULL,
    finished INTEGER,
    by_result INTEGER,
    idempotent INTEGER NOT NULL,
    grp TEXT NOT NULL,
    plugin TEXT NOT NULL,
    version TEXT NOT NULL,
    digest BLOB NOT NULL,
    action TEXT NOT NULL,
    idem_key TEXT,
    idem_body BLOB,
    cancel TEXT,
    cancel_grace INTEGER,
    rights TEXT,
    measured TEXT,
    error TEXT,
    output TEXT,
    output_digest BLOB,
    output_size INTEGER,
    input TEXT,
    input_digest BLOB,
    input_size INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX live ON executions (id) WHERE state < 2;
CREATE UNIQUE INDEX idempotency ON executions (idem_key) WHERE idem_key IS NOT NULL;
-- Attempts that ended without ending their execution.
CREATE TABLE lost_attempts (
    execution BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    runner BLOB NOT NULL,
    assigned INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (execution, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY,
    execution BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    runner BLOB NOT NULL,
    received INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    UNIQUE (execution, attempt, runner)
) STRICT;
",
    "
-- The process of the runner that connected last.
ALTER TABLE runners ADD COLUMN boot BLOB;
",
];

/// The version that this code reads and writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

/// The version of a database; 0 for a new one.
pub(super) fn version(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a database up to [`VERSION`], whole or not at all.
pub(super) fn migrate(db: &mut Connection) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    let from = usize::try_from(version(&tx)?).unwrap_or(usize::MAX);
    for step in MIGRATIONS.iter().skip(from) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.commit()
}
