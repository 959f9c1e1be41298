//! This runner's audit record: what runs do with secrets and the network, and what this runner
//! refuses its controller.
//!
//! What a run wants to do is written before it is done, and is not done if it cannot be written.
//! What is refused stays refused either way. Nothing in here may carry a value, a query or a
//! header.

mod event;
mod oddities;
mod run;

use std::path::Path;

use serde::Serialize;
use wharf_audit::{Audit, Keep};
use wharf_policy::Digest;
use wharf_protocol::{AuditHead, RunnerId};

use crate::AgentError;
pub use event::Asked;
pub(crate) use event::RunnerEvent;
pub(crate) use oddities::{Oddities, Oddity};
pub use run::{By, RunAudit, Who};

/// The folder of the record within the state folder.
const FOLDER: &str = "audit";

/// The record of a runner. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Auditor(Audit);

impl Auditor {
    /// Opens the record of a state folder, or begins it.
    pub(crate) fn open(state_dir: &Path, runner: &RunnerId) -> Result<Self, AgentError> {
        let path = state_dir.join(FOLDER);
        Audit::folder(&path, &runner.to_string(), Keep::default())
            .map(Self)
            .map_err(|error| AgentError::Audit {
                path,
                reason: Box::new(error),
            })
    }

    /// The part of one run.
    pub(crate) fn run(&self, by: By) -> RunAudit {
        RunAudit::new(self.0.clone(), by)
    }

    /// Tells what this runner did or would not do. It is done, or not, whatever becomes of this.
    pub(crate) fn tell(&self, event: &RunnerEvent) {
        self.tell_of(&(), event);
    }

    /// The same, of an attempt.
    pub(crate) fn tell_of(&self, by: &impl Serialize, event: &RunnerEvent) {
        if let Err(error) = self.0.write(by, event) {
            tracing::error!(%error, ?event, "not in the audit record");
        }
    }

    /// Where the record ends, for someone else to remember.
    pub(crate) fn head(&self) -> Option<AuditHead> {
        let head = self.0.head()?;
        Some(AuditHead {
            seq: head.seq,
            hash: Digest::from_bytes(*head.hash.as_bytes()),
        })
    }
}
