//! What a run tells while it runs: lines, progress, and the audit trail.
//!
//! Everything here has been scrubbed of the secrets of the run and is within its budgets. Nothing
//! here may carry a secret, a query string or a header value.

use std::time::SystemTime;

use async_trait::async_trait;
use serde::Serialize;
use wharf_policy::{Operation, Rung, SecretName};

/// Where the host sends what a run tells. Called from within host calls: it must not wait for long.
#[async_trait]
pub trait Events: Send + Sync {
    /// One line of log.
    fn log(&self, line: LogLine);
    /// The newest progress; only the last one matters.
    fn progress(&self, progress: Progress);
    /// Writes down something that an auditor wants to know of, before it happens. What is written
    /// when this returns outlives this process.
    ///
    /// # Errors
    /// It cannot be written down, so it must not happen.
    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable>;

    /// Comes when everything that was written down so far would outlive the machine as well. For
    /// what can never be taken back: a value that is revealed.
    ///
    /// # Errors
    /// As [`Events::audit`].
    async fn audit_synced(&self) -> Result<(), AuditUnavailable>;
}

/// The audit record cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the audit record cannot be written ({0}), and nothing that belongs in it is done until it can: make room, or mend the disk"
)]
pub struct AuditUnavailable(pub String);

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For whoever runs it.
    Info,
    /// Something is odd.
    Warn,
    /// Something went wrong.
    Error,
}

/// Who wrote a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogSource {
    /// The plugin, through the `log` interface.
    Plugin,
    /// The plugin's standard output.
    Stdout,
    /// The plugin's standard error.
    Stderr,
    /// The host, about this run.
    Host,
}

/// One line of log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: SystemTime,
    /// How much it matters.
    pub level: Level,
    /// Who wrote it.
    pub source: LogSource,
    /// What it says.
    pub message: String,
    /// Named values, in the order given.
    pub fields: Vec<(String, String)>,
}

/// How far along an action is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How much is done, from 0 to 1, where that is known.
    pub fraction: Option<f32>,
    /// What is being done.
    pub message: String,
}

/// What an auditor wants to know of. The names of the events and of their fields, as they are
/// serialised, are part of the audit record's format and do not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
#[non_exhaustive]
pub enum AuditEvent {
    /// A request was allowed and is about to be sent. Written before a credential is added.
    Request {
        /// The method.
        method: String,
        /// Scheme, host, port and path; never the query.
        destination: String,
        /// The secrets that will be added to it, and on which rung.
        credentials: Vec<SecretUse>,
    },
    /// A request was not sent.
    #[serde(rename = "request-refused")]
    RequestDenied {
        /// The method.
        method: String,
        /// Scheme, host, port and path; never the query.
        destination: String,
        /// Why, and what would allow it.
        why: String,
        /// The address that was refused, where the destination itself is granted.
        #[serde(skip_serializing_if = "Option::is_none")]
        address: Option<std::net::IpAddr>,
    },
    /// A connection to an address that is not a public one; told once a run for each.
    SpecialAddress {
        /// Scheme, host and port.
        origin: String,
        /// The address.
        address: std::net::IpAddr,
    },
    /// A secret was opened for that use; told once a run.
    SecretOpened {
        /// The binding.
        secret: SecretName,
        /// The use.
        rung: Rung,
    },
    /// A secret was asked for that may not be used so.
    SecretRefused {
        /// What the plugin called it: scrubbed and cut, for it is the plugin's word.
        secret: String,
        /// The use.
        rung: Rung,
        /// Why, and what would allow it.
        why: String,
    },
    /// The host is about to compute something with a secret for the plugin. What goes on a request
    /// is in the request's own event.
    SecretOperated {
        /// The binding.
        secret: SecretName,
        /// The use, which is `operate`.
        rung: Rung,
        /// What is computed.
        operation: Operation,
    },
    /// The same operation past those of this run that are told one by one.
    OperationsUntold {
        /// The binding.
        secret: SecretName,
        /// The use, which is `operate`.
        rung: Rung,
        /// What was computed.
        operation: Operation,
        /// How often.
        count: u64,
    },
    /// The value of a secret is about to be given to the plugin; told every time.
    SecretRevealed {
        /// The binding.
        secret: SecretName,
    },
    /// More refusals of this run than are told one by one.
    RefusalsUntold {
        /// How many.
        count: u32,
    },
}

/// One use of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretUse {
    /// The binding.
    pub secret: SecretName,
    /// The use.
    pub rung: Rung,
}
