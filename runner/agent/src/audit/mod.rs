//! This runner's audit record: what runs do with secrets and the network, and what this runner
//! refuses its controller.
//!
//! What a run wants to do is written before it is done, and is not done if it cannot be written.
//! What is refused stays refused either way, and is told one by one up to a bound, then by number.
//! Nothing in here may carry a value, a query or a header.

mod event;
mod fold;
mod oddities;
mod refusal;
mod run;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use wharf_audit::{Audit, Keep};
use wharf_policy::Digest;
use wharf_protocol::{AttemptKey, AuditHead, RunnerId};

use self::fold::{Folded, Folds};
use self::refusal::Refusal;
use crate::AgentError;
use crate::refusals::RefusalKind;
pub use event::Asked;
pub(crate) use event::RunnerEvent;
pub(crate) use oddities::{Oddities, Oddity};
pub use run::{By, RunAudit, Who};

/// The folder of the record within the state folder.
const FOLDER: &str = "audit";

/// The record of a runner. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Auditor {
    record: Audit,
    folds: Refusals,
}

/// The refusals that are not told one by one, of everything that writes to a record.
#[derive(Clone, Default)]
struct Refusals(Arc<Mutex<Folds<Refusal>>>);

impl Refusals {
    /// Whether the line of one refusal, or of so many, is to be told by itself. Otherwise they are
    /// counted.
    fn tell(&self, kind: Refusal, more: u64, key: Option<AttemptKey>) -> bool {
        self.folds().happened(kind, more, key, Instant::now())
    }

    /// Counts what could not be told by itself.
    fn count(&self, kind: Refusal, more: u64, key: Option<AttemptKey>) {
        self.folds().count(kind, more, key, Instant::now());
    }

    fn folds(&self) -> MutexGuard<'_, Folds<Refusal>> {
        // A count that breaks off has counted or not.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Auditor {
    /// Opens the record of a state folder, or begins it.
    pub(crate) fn open(state_dir: &Path, runner: &RunnerId) -> Result<Self, AgentError> {
        let path = state_dir.join(FOLDER);
        Audit::folder(&path, &runner.to_string(), Keep::default())
            .map(|record| Self {
                record,
                folds: Refusals::default(),
            })
            .map_err(|error| AgentError::Audit {
                path,
                reason: Box::new(error),
            })
    }

    /// The part of one run.
    pub(crate) fn run(&self, by: By) -> RunAudit {
        RunAudit::new(self.record.clone(), by).folding(self.folds.clone())
    }

    /// Tells what this runner did or would not do. It is done, or not, whatever becomes of this.
    pub(crate) fn tell(&self, event: &RunnerEvent) {
        self.tell_by(&(), event, Refusal::of(event, None), None);
    }

    /// The same, of an attempt. `why` is of which kind a refusal is.
    pub(crate) fn tell_of(
        &self,
        key: AttemptKey,
        who: Option<Arc<Who>>,
        event: &RunnerEvent,
        why: Option<RefusalKind>,
    ) {
        let kind = Refusal::of(event, why);
        self.tell_by(&By::attempt(key, who), event, kind, Some(key));
    }

    fn tell_by(
        &self,
        by: &impl Serialize,
        event: &RunnerEvent,
        kind: Option<Refusal>,
        key: Option<AttemptKey>,
    ) {
        if kind.is_some_and(|kind| !self.folds.tell(kind, 1, key)) {
            return;
        }
        if !self.write(by, event)
            && let Some(kind) = kind
        {
            self.folds.count(kind, 1, key);
        }
    }

    /// Tells how many there were of something. Gives whether that is written: if not, they are
    /// still to be told.
    pub(crate) fn tell_number(&self, event: &RunnerEvent) -> bool {
        self.write(&(), event)
    }

    /// Tells how many refusals were not told one by one, as far as it is time for that.
    pub(crate) fn tell_folded(&self) {
        let due = self.folds.folds().due(Instant::now());
        self.tell_numbers(due);
    }

    /// The same of all of them, for a runner that leaves.
    pub(crate) fn tell_rest(&self) {
        let rest = self.folds.folds().rest();
        self.tell_numbers(rest);
    }

    fn tell_numbers(&self, counted: Vec<Folded<Refusal>>) {
        for folded in counted {
            if !self.tell_number(&folded.into()) {
                self.folds.folds().take_back(folded, Instant::now());
            }
        }
    }

    /// Whether it is written.
    fn write(&self, by: &impl Serialize, event: &RunnerEvent) -> bool {
        let written = self.record.write(by, event);
        if let Err(error) = &written {
            tracing::error!(%error, ?event, "not in the audit record");
        }
        written.is_ok()
    }

    /// Where the record ends, for someone else to remember.
    pub(crate) fn head(&self) -> Option<AuditHead> {
        let head = self.record.head()?;
        Some(AuditHead {
            seq: head.seq,
            hash: Digest::from_bytes(*head.hash.as_bytes()),
        })
    }
}

#[cfg(test)]
mod tests;
