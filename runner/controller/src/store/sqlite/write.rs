//! The writer: changes into rows, one transaction for one commit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use ulid::Ulid;
use wharf_bundle::Manifest;
use wharf_policy::{CallRights, Digest};
use wharf_protocol::{BootId, ExecutionId, RunnerId, Verdict};

use super::rows::{Columns, EXECUTION, ExecutionRow, Measured, int, payload};
use super::{failed, open_connection, schema};
use crate::model::{
    BundleRecord, Change, Ending, Group, GroupKind, Keyed, Micros, Order, Past, Role, Run,
    RunnerRecord, Snapshot, TokenHash, TokenKind, TokenRecord,
};
use crate::store::{Store, StoreError};

/// How many dead letters are kept.
const MAX_DEAD_LETTERS: i64 = 10_000;

/// The one writer of a database.
pub(crate) struct SqliteStore {
    db: Connection,
    path: PathBuf,
}

impl SqliteStore {
    /// Opens the database, made or brought up to date if need be.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let at = failed(path);
        let mut db = open_connection(path, "FULL")?;
        let found = schema::version(&db).map_err(&at)?;
        if found > schema::VERSION {
            return Err(StoreError::TooNew {
                path: path.display().to_string(),
                found,
                known: schema::VERSION,
            });
        }
        schema::migrate(&mut db).map_err(&at)?;
        db.execute(
            "INSERT OR IGNORE INTO meta (name, value) VALUES ('controller', ?1)",
            [Ulid::generate().to_string()],
        )
        .map_err(&at)?;
        Ok(Self {
            db,
            path: path.to_owned(),
        })
    }

    fn at(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        failed(&self.path)
    }
}

impl Store for SqliteStore {
    fn load(&mut self) -> Result<Snapshot, StoreError> {
        load(&self.db).map_err(self.at())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let at = self.at();
        let write = |db: &mut Connection| -> rusqlite::Result<()> {
            let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut rest = changes.iter().peekable();
            while let Some(change) = rest.next() {
                match (change, rest.peek()) {
                    // The fast path: the order and its first attempt in one row, written once.
                    (Change::Submitted(order), Some(Change::Assigned { id, run }))
                        if *id == order.id =>
                    {
                        insert_execution(&tx, order, Some(run))?;
                        rest.next();
                    }
                    _ => apply(&tx, change)?,
                }
            }
            tx.commit()
        };
        write(&mut self.db).map_err(at)
    }

    fn past(&mut self, id: ExecutionId) -> Result<Option<Past>, StoreError> {
        let read = || {
            self.db
                .prepare_cached("SELECT attempt, by_result FROM executions WHERE id = ?1")?
                .query_row([id.ulid().to_bytes()], |row| {
                    let mut c = Columns::new(row);
                    Ok(Past {
                        attempt: c.small()?,
                        by_result: c.get::<Option<bool>>()?.unwrap_or(false),
                    })
                })
                .optional()
        };
        read().map_err(self.at())
    }

    fn keyed(&mut self, key: &str) -> Result<Option<Keyed>, StoreError> {
        let read = || {
            self.db
                .prepare_cached("SELECT id, idem_body FROM executions WHERE idem_key = ?1")?
                .query_row([key], |row| {
                    let mut c = Columns::new(row);
                    Ok(Keyed {
                        id: c.execution_id()?,
                        body: Digest::from_bytes(c.get()?),
                    })
                })
                .optional()
        };
        read().map_err(self.at())
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.db
            .execute(
                "INSERT OR REPLACE INTO meta (name, value) VALUES ('probe', ?1)",
                [Ulid::generate().to_string()],
            )
            .map(|_| ())
            .map_err(self.at())
    }

    fn prune(&mut self, now: Micros) -> Result<(), StoreError> {
        let write = || -> rusqlite::Result<()> {
            self.db.execute(
                "DELETE FROM dead_letters WHERE seq <= (SELECT max(seq) FROM dead_letters) - ?1",
                [MAX_DEAD_LETTERS],
            )?;
            self.db
                .execute("DELETE FROM tokens WHERE expires < ?1", [int(now)])?;
            Ok(())
        };
        write().map_err(self.at())
    }
}

fn apply(tx: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Submitted(order) => insert_execution(tx, order, None),
        Change::Assigned { id, run } => run_sql(
            tx,
            "UPDATE executions SET state = 1, attempt = ?2, runner = ?3, assigned = ?4 WHERE id = ?1",
            params![
                id_bytes(id),
                run.attempt,
                runner_bytes(&run.runner),
                int(run.assigned)
            ],
        ),
        Change::Requeued {
            id,
            run,
            losses,
            at,
            why,
        } => {
            run_sql(
                tx,
                "INSERT INTO lost_attempts (execution, attempt, runner, assigned, ended, why) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    id_bytes(id),
                    run.attempt,
                    runner_bytes(&run.runner),
                    int(run.assigned),
                    int(*at),
                    why
                ],
            )?;
            run_sql(
                tx,
                "UPDATE executions SET state = 0, runner = NULL, assigned = NULL, losses = ?2 WHERE id = ?1",
                params![id_bytes(id), losses],
            )
        }
        Change::CancelAsked { id, ask } => run_sql(
            tx,
            "UPDATE executions SET cancel = ?2, cancel_grace = ?3 WHERE id = ?1",
            params![id_bytes(id), ask.reason, int(ask.grace_ms)],
        ),
        Change::Finished {
            id,
            ending,
            by_result,
        } => finish(tx, id, ending, *by_result),
        Change::DeadLettered(letter) => run_sql(
            tx,
            "INSERT OR IGNORE INTO dead_letters (execution, attempt, runner, received, verdict) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                id_bytes(&letter.key.execution),
                letter.key.attempt,
                runner_bytes(&letter.runner),
                int(letter.received),
                json(&letter.verdict)?
            ],
        ),
        Change::GroupCreated(group) => run_sql(
            tx,
            "INSERT INTO groups (name, ephemeral, created) VALUES (?1, ?2, ?3)",
            params![
                group.name.as_str(),
                group.kind == GroupKind::Ephemeral,
                int(group.created)
            ],
        ),
        Change::TokenCreated(token) => {
            let (role, enrols) = match &token.kind {
                TokenKind::Api(role) => (Some(*role as i64), None),
                TokenKind::Enrolment(group) => (None, Some(group.as_str())),
            };
            run_sql(
                tx,
                "INSERT INTO tokens (hash, role, enrols, expires, note, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    token.hash.0,
                    role,
                    enrols,
                    token.expires.map(int),
                    token.note,
                    int(token.created)
                ],
            )
        }
        Change::TokenRemoved(hash) => {
            run_sql(tx, "DELETE FROM tokens WHERE hash = ?1", params![hash.0])
        }
        Change::RunnerEnrolled(r) => run_sql(
            tx,
            "INSERT INTO runners (id, grp, public_key, host, platform, version, enrolled, last_seen, boot) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                runner_bytes(&r.id),
                r.group.as_str(),
                r.public_key,
                r.host,
                r.platform,
                r.version,
                int(r.enrolled),
                int(r.last_seen),
                r.boot.as_ref().map(boot_bytes)
            ],
        ),
        Change::RunnerSeen {
            id,
            boot,
            host,
            version,
            at,
        } => run_sql(
            tx,
            "UPDATE runners SET host = ?2, version = ?3, last_seen = ?4, boot = ?5 WHERE id = ?1",
            params![
                runner_bytes(id),
                host,
                version,
                int(*at),
                boot.as_ref().map(boot_bytes)
            ],
        ),
        Change::RunnerRemoved(id) => run_sql(
            tx,
            "DELETE FROM runners WHERE id = ?1",
            params![runner_bytes(id)],
        ),
        Change::BundlePublished(bundle) => {
            let manifest = bundle.manifest.to_json().map_err(unspellable)?;
            run_sql(
                tx,
                "INSERT OR IGNORE INTO bundles (digest, manifest, size, published) VALUES (?1, ?2, ?3, ?4)",
                params![
                    bundle.digest.as_bytes(),
                    manifest,
                    int(bundle.size),
                    int(bundle.published)
                ],
            )
        }
    }
}

fn insert_execution(tx: &Transaction<'_>, o: &Order, run: Option<&Run>) -> rusqlite::Result<()> {
    let (input, input_digest, input_size) = payload(&o.input);
    let rights = if o.rights == CallRights::default() {
        None
    } else {
        Some(json(&o.rights)?)
    };
    run_sql(
        tx,
        "INSERT INTO executions (id, state, attempt, losses, runner, assigned, submitted, idempotent, grp, plugin, version, digest, action, idem_key, idem_body, rights, input, input_digest, input_size) VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        params![
            id_bytes(&o.id),
            i64::from(run.is_some()),
            run.map_or(0, |run| run.attempt),
            run.map(|run| runner_bytes(&run.runner)),
            run.map(|run| int(run.assigned)),
            int(o.submitted),
            o.idempotent,
            o.group.as_str(),
            o.plugin.as_str(),
            o.version,
            o.digest.as_bytes(),
            o.action.as_str(),
            o.idempotency.as_ref().map(|(key, _)| key),
            o.idempotency.as_ref().map(|(_, body)| body.as_bytes()),
            rights,
            input,
            input_digest,
            input_size,
        ],
    )
}

fn finish(
    tx: &Transaction<'_>,
    id: &ExecutionId,
    ending: &Ending,
    by_result: bool,
) -> rusqlite::Result<()> {
    let (output, error) = match &ending.verdict {
        Verdict::Done { output } => (payload(output), None),
        other => ((None, None, None), Some(json(other)?)),
    };
    let measured = json(&Measured {
        usage: ending.usage,
        timings: ending.timings,
    })?;
    run_sql(
        tx,
        "UPDATE executions SET state = 2, attempt = ?2, runner = ?3, assigned = ?4, finished = ?5, by_result = ?6, measured = ?7, error = ?8, output = ?9, output_digest = ?10, output_size = ?11 WHERE id = ?1",
        params![
            id_bytes(id),
            ending.attempt,
            ending.runner.map(|(runner, _)| runner_bytes(&runner)),
            ending.runner.map(|(_, assigned)| int(assigned)),
            int(ending.finished),
            by_result,
            measured,
            error,
            output.0,
            output.1,
            output.2,
        ],
    )
}

fn load(db: &Connection) -> rusqlite::Result<Snapshot> {
    let controller = db.query_row(
        "SELECT value FROM meta WHERE name = 'controller'",
        [],
        |row| row.get(0),
    )?;
    let groups = all(db, "SELECT name, ephemeral, created FROM groups", |c| {
        Ok(Group {
            name: c.parse()?,
            kind: if c.get()? {
                GroupKind::Ephemeral
            } else {
                GroupKind::Persistent
            },
            created: c.number()?,
        })
    })?;
    let tokens = all(
        db,
        "SELECT hash, role, enrols, expires, note, created FROM tokens",
        |c| {
            let hash = TokenHash(c.get()?);
            let role: Option<i64> = c.get()?;
            let enrols = c.parse_or_null()?;
            let kind = match (enrols, role) {
                (Some(group), _) => TokenKind::Enrolment(group),
                (None, Some(2)) => TokenKind::Api(Role::Admin),
                (None, Some(1)) => TokenKind::Api(Role::Operator),
                // The least, for anything that is not known.
                (None, _) => TokenKind::Api(Role::Reader),
            };
            Ok(TokenRecord {
                hash,
                kind,
                expires: c.number_or_null()?,
                note: c.get()?,
                created: c.number()?,
            })
        },
    )?;
    let runners = all(
        db,
        "SELECT id, grp, public_key, host, platform, version, enrolled, last_seen, boot FROM runners",
        |c| {
            Ok(RunnerRecord {
                id: c.runner_id()?,
                group: c.parse()?,
                public_key: c.get()?,
                host: c.get()?,
                platform: c.get()?,
                version: c.get()?,
                enrolled: c.number()?,
                last_seen: c.number()?,
                boot: c.boot_id_or_null()?,
            })
        },
    )?;
    let bundles = all(
        db,
        "SELECT digest, manifest, size, published FROM bundles ORDER BY seq",
        |c| {
            let digest = Digest::from_bytes(c.get()?);
            let manifest: Vec<u8> = c.get()?;
            Ok(Arc::new(BundleRecord {
                digest,
                manifest: Manifest::from_json(&manifest).map_err(unspellable)?,
                size: c.number()?,
                published: c.number()?,
            }))
        },
    )?;
    let live = db
        .prepare(&format!(
            "SELECT {EXECUTION} FROM executions WHERE state < 2 ORDER BY id"
        ))?
        .query_map([], |row| {
            ExecutionRow::read(row).map(ExecutionRow::into_live)
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Snapshot {
        controller,
        groups,
        tokens,
        runners,
        bundles,
        live,
    })
}

fn all<T>(
    db: &Connection,
    sql: &str,
    mut read: impl FnMut(&mut Columns<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    db.prepare(sql)?
        .query_map([], |row| read(&mut Columns::new(row)))?
        .collect()
}

fn run_sql(tx: &Transaction<'_>, sql: &str, params: impl rusqlite::Params) -> rusqlite::Result<()> {
    tx.prepare_cached(sql)?.execute(params).map(|_| ())
}

fn id_bytes(id: &ExecutionId) -> [u8; 16] {
    id.ulid().to_bytes()
}

fn runner_bytes(id: &RunnerId) -> [u8; 16] {
    id.ulid().to_bytes()
}

fn boot_bytes(id: &BootId) -> [u8; 16] {
    id.ulid().to_bytes()
}

fn json<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(unspellable)
}

fn unspellable(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(Box::new(error))
}
