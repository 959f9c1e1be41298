//! What a run tells while it runs: lines, progress, and the audit trail.
//!
//! Everything here has been scrubbed of the secrets of the run and is within its budgets. Nothing
//! here may carry a secret, a query string or a header value.

use std::time::SystemTime;

use wharf_policy::{Rung, SecretName};

/// Where the host sends what a run tells. Called from within host calls: it must not block.
pub trait Events: Send + Sync {
    /// One line of log.
    fn log(&self, line: LogLine);
    /// The newest progress; only the last one matters.
    fn progress(&self, progress: Progress);
    /// Something that an auditor wants to know of.
    fn audit(&self, event: AuditEvent);
}

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

/// What an auditor wants to know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditEvent {
    /// A request was allowed and is about to be sent. Written before a credential is added.
    Request {
        /// The method.
        method: String,
        /// Scheme, host, port and path; never the query.
        destination: String,
        /// The secrets that will be added to it.
        credentials: Vec<SecretName>,
    },
    /// A request was not sent.
    RequestDenied {
        /// The method.
        method: String,
        /// Scheme, host, port and path; never the query.
        destination: String,
        /// Why, and what would allow it.
        why: String,
    },
    /// A secret was opened for that use; told once a run.
    SecretOpened {
        /// The binding.
        secret: SecretName,
        /// The use.
        rung: Rung,
    },
    /// The value of a secret was given to the plugin; told every time.
    SecretRevealed {
        /// The binding.
        secret: SecretName,
    },
}
