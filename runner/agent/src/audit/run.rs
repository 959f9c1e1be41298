//! The audit of one run: whose secret uses, requests and refusals the lines are.

use std::sync::Arc;

use serde::Serialize;
use wharf_audit::{Audit, AuditError};
use wharf_bundle::{Manifest, Verified};
use wharf_host::{AuditEvent, AuditUnavailable};
use wharf_policy::{ActionName, Digest, PluginName};
use wharf_protocol::AttemptKey;

use super::refusal::Refusal;
use super::{Asked, Refusals};

/// A plugin and an action of it, as the verified bundle has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The plugin, as its signed manifest names it.
    pub plugin: PluginName,
    /// Its version.
    pub version: String,
    /// Its component.
    pub digest: Digest,
    /// The action.
    pub action: ActionName,
    /// Who signed it, as the policy names them.
    pub signers: Arc<[String]>,
}

impl Who {
    /// An action of what was verified.
    pub fn of(verified: &Verified, action: &ActionName) -> Self {
        let signers = verified.signers().iter().map(|signer| signer.name.clone());
        Self::new(
            verified.manifest(),
            verified.digest(),
            action,
            signers.collect(),
        )
    }

    /// An action of a plugin that these have signed.
    pub(crate) fn new(
        manifest: &Manifest,
        digest: Digest,
        action: &ActionName,
        signers: Arc<[String]>,
    ) -> Self {
        Self {
            plugin: manifest.name.clone(),
            version: manifest.version.to_string(),
            digest,
            action: action.clone(),
            signers,
        }
    }
}

/// What an event is by. What stands here was verified, not claimed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct By {
    /// The execution.
    pub execution: String,
    /// Which try at it.
    pub attempt: u32,
    /// The plugin, once it is verified. Shared by all runs of it.
    #[serde(flatten)]
    pub who: Option<Arc<Who>>,
}

impl By {
    /// An attempt at an execution, and what was verified of it so far.
    pub(crate) fn attempt(key: AttemptKey, who: Option<Arc<Who>>) -> Self {
        Self {
            execution: key.execution.to_string(),
            attempt: key.attempt,
            who,
        }
    }
}

/// The audit of one run.
#[derive(Clone)]
pub struct RunAudit {
    record: Audit,
    by: By,
    /// None where there is but this run: its refusals are bounded by themselves.
    folds: Option<Refusals>,
}

impl RunAudit {
    /// The part of a record that is about one run.
    pub const fn new(record: Audit, by: By) -> Self {
        Self {
            record,
            by,
            folds: None,
        }
    }

    /// The part of a record to which other runs tell of their refusals as well.
    pub(super) fn folding(mut self, folds: Refusals) -> Self {
        self.folds = Some(folds);
        self
    }

    /// Writes an event of the run: see [`wharf_host::Events::audit`].
    ///
    /// # Errors
    /// It cannot be written, so it must not happen.
    pub fn audit(&self, event: &AuditEvent) -> Result<(), AuditUnavailable> {
        let refusal = self.folds.as_ref().zip(Refusal::of_run(event));
        if let Some((folds, (kind, more))) = refusal
            && !folds.tell(kind, more, None)
        {
            return Ok(());
        }
        self.record.write(&self.by, event).map_err(|error| {
            if let Some((folds, (kind, more))) = refusal {
                folds.count(kind, more, None);
            }
            unavailable(error)
        })
    }

    /// Writes that the run was not begun, and why. It is not begun, whatever becomes of this.
    pub fn not_begun(&self, asked: &Asked, why: &str) {
        let event = asked.refused("refused", why);
        if let Err(error) = self.record.write(&self.by, &event) {
            tracing::error!(%error, "a refusal is not in the audit record");
        }
    }

    /// See [`wharf_host::Events::audit_synced`].
    ///
    /// # Errors
    /// It cannot be made to outlive the machine.
    pub async fn synced(&self) -> Result<(), AuditUnavailable> {
        self.record.synced().await.map_err(unavailable)
    }
}

/// The plugin learns that it cannot be written; where, only the operator does.
fn unavailable(error: AuditError) -> AuditUnavailable {
    tracing::error!(%error, "the audit record cannot be written");
    AuditUnavailable(match error {
        AuditError::File { source, .. } => source.to_string(),
        AuditError::Event(_) => "an event is too large".to_owned(),
        _ => "the disk does not take it".to_owned(),
    })
}
