//! How values are spelled in columns, and back.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::Row;
use rusqlite::types::Type;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use wharf_policy::{CallRights, Digest};
use wharf_protocol::{BootId, ExecutionId, Payload, RunnerId, Timings, Usage, Verdict};

use crate::model::{CancelAsk, Ending, LiveRecord, Order, Run, Stage, View};

/// The columns of an execution that [`Columns`] reads, in its order.
pub(super) const EXECUTION: &str = "id, state, attempt, losses, runner, assigned, submitted, \
    finished, idempotent, grp, plugin, version, digest, action, idem_key, idem_body, cancel, \
    cancel_grace, rights, measured, error, output, output_digest, output_size, input, \
    input_digest, input_size";

/// What a runner measured, in one column.
#[derive(Serialize, Deserialize)]
pub(super) struct Measured {
    pub(super) usage: Usage,
    pub(super) timings: Timings,
}

/// Times and sizes as SQLite has them. None is near the sign bit: they are microseconds of this
/// age and sizes of files.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A payload as its three columns.
pub(super) fn payload(payload: &Payload) -> (Option<&str>, Option<&[u8; 32]>, Option<i64>) {
    match payload {
        Payload::Inline(text) => (Some(text), None, None),
        Payload::Stored { digest, size } => (None, Some(digest.as_bytes()), Some(int(*size))),
    }
}

fn bad(column: usize, why: impl Display) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, why.to_string().into())
}

/// Reads the columns of a row one behind the other.
pub(super) struct Columns<'r> {
    row: &'r Row<'r>,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(super) fn new(row: &'r Row<'r>) -> Self {
        Self { row, next: 0 }
    }

    pub(super) fn get<T: rusqlite::types::FromSql>(&mut self) -> rusqlite::Result<T> {
        self.next += 1;
        self.row.get(self.next - 1)
    }

    pub(super) fn number(&mut self) -> rusqlite::Result<u64> {
        let value: i64 = self.get()?;
        u64::try_from(value).map_err(|why| bad(self.next - 1, why))
    }

    pub(super) fn small(&mut self) -> rusqlite::Result<u32> {
        let value = self.number()?;
        u32::try_from(value).map_err(|why| bad(self.next - 1, why))
    }

    pub(super) fn number_or_null(&mut self) -> rusqlite::Result<Option<u64>> {
        let value: Option<i64> = self.get()?;
        value
            .map(|value| u64::try_from(value).map_err(|why| bad(self.next - 1, why)))
            .transpose()
    }

    pub(super) fn parse<T: FromStr<Err: Display>>(&mut self) -> rusqlite::Result<T> {
        let text: String = self.get()?;
        text.parse().map_err(|why| bad(self.next - 1, why))
    }

    pub(super) fn parse_or_null<T: FromStr<Err: Display>>(
        &mut self,
    ) -> rusqlite::Result<Option<T>> {
        let text: Option<String> = self.get()?;
        text.map(|text| text.parse().map_err(|why| bad(self.next - 1, why)))
            .transpose()
    }

    pub(super) fn json<T: for<'de> Deserialize<'de>>(&mut self) -> rusqlite::Result<Option<T>> {
        let text: Option<String> = self.get()?;
        text.map(|text| serde_json::from_str(&text).map_err(|why| bad(self.next - 1, why)))
            .transpose()
    }

    pub(super) fn execution_id(&mut self) -> rusqlite::Result<ExecutionId> {
        Ok(ExecutionId::from_ulid(Ulid::from_bytes(self.get()?)))
    }

    pub(super) fn runner_id(&mut self) -> rusqlite::Result<RunnerId> {
        Ok(RunnerId::from_ulid(Ulid::from_bytes(self.get()?)))
    }

    pub(super) fn boot_id_or_null(&mut self) -> rusqlite::Result<Option<BootId>> {
        let bytes: Option<[u8; 16]> = self.get()?;
        Ok(bytes.map(|bytes| BootId::from_ulid(Ulid::from_bytes(bytes))))
    }

    fn payload(&mut self) -> rusqlite::Result<Option<Payload>> {
        let text: Option<String> = self.get()?;
        let digest: Option<[u8; 32]> = self.get()?;
        let size = self.number_or_null()?;
        Ok(match (text, digest, size) {
            (Some(text), _, _) => Some(Payload::Inline(text)),
            (None, Some(digest), Some(size)) => Some(Payload::Stored {
                digest: Digest::from_bytes(digest),
                size,
            }),
            _ => None,
        })
    }

    fn required_payload(&mut self) -> rusqlite::Result<Payload> {
        self.payload()?
            .ok_or_else(|| bad(self.next - 1, "a payload without text and digest"))
    }
}

/// One execution as its row tells it.
pub(super) struct ExecutionRow {
    record: LiveRecord,
    ending: Option<Ending>,
}

impl ExecutionRow {
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let mut c = Columns::new(row);
        let id = c.execution_id()?;
        let state: i64 = c.get()?;
        let attempt = c.small()?;
        let losses = c.small()?;
        let runner: Option<[u8; 16]> = c.get()?;
        let assigned = c.number_or_null()?;
        let submitted = c.number()?;
        let finished = c.number_or_null()?;
        let idempotent = c.get()?;
        let group = c.parse()?;
        let plugin = c.parse()?;
        let version = c.get()?;
        let digest = Digest::from_bytes(c.get()?);
        let action = c.parse()?;
        let key: Option<String> = c.get()?;
        let body: Option<[u8; 32]> = c.get()?;
        let cancel: Option<String> = c.get()?;
        let grace = c.number_or_null()?;
        let rights: Option<CallRights> = c.json()?;
        let measured: Option<Measured> = c.json()?;
        let error: Option<Verdict> = c.json()?;
        let output = c.payload()?;
        let input = c.required_payload()?;

        let holder = runner
            .map(|bytes| RunnerId::from_ulid(Ulid::from_bytes(bytes)))
            .zip(assigned);
        let ending = match (
            finished,
            output.map(|output| Verdict::Done { output }).or(error),
        ) {
            (Some(finished), Some(verdict)) if state == 2 => {
                let (usage, timings) = measured.map(|m| (m.usage, m.timings)).unwrap_or_default();
                Some(Ending {
                    attempt,
                    runner: holder,
                    finished,
                    verdict,
                    usage,
                    timings,
                })
            }
            _ if state == 2 => return Err(bad(1, "a finished execution without a verdict")),
            _ => None,
        };
        let order = Order {
            id,
            group,
            plugin,
            version,
            digest,
            action,
            idempotent,
            input,
            rights: rights.unwrap_or_default(),
            idempotency: key.zip(body.map(Digest::from_bytes)),
            submitted,
        };
        let run = holder.filter(|_| state == 1).map(|(runner, assigned)| Run {
            attempt,
            runner,
            assigned,
        });
        let record = LiveRecord {
            order: Arc::new(order),
            attempt,
            losses,
            run,
            cancel: cancel
                .zip(grace)
                .map(|(reason, grace_ms)| CancelAsk { reason, grace_ms }),
        };
        Ok(Self { record, ending })
    }

    pub(super) fn into_live(self) -> LiveRecord {
        self.record
    }

    pub(super) fn into_view(self) -> View {
        let stage = match (self.ending, self.record.run) {
            (Some(ending), _) => Stage::Finished(Arc::new(ending)),
            (None, Some(run)) => Stage::Running {
                run,
                progress: None,
            },
            (None, None) => Stage::Queued {
                attempt: self.record.attempt,
                waiting: None,
            },
        };
        View {
            order: self.record.order,
            stage,
        }
    }
}
