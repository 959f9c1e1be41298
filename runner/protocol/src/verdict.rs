//! How an attempt ended, as it travels and as it is kept.

use serde::{Deserialize, Serialize};

use crate::Payload;

/// How an attempt ended. The runner's word on what the plugin did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "outcome")]
pub enum Verdict {
    /// The action gave an output: a JSON document that fits its schema.
    Done {
        /// The document.
        output: Payload,
    },
    /// The action ran and failed, in its own words.
    Failed(ActionFailure),
    /// The runner would not run it: signature, policy or grant.
    Refused {
        /// What is missing, and what would allow it.
        message: String,
    },
    /// A limit or the deadline ended it.
    Stopped {
        /// Which limit, as the grant spells it, such as `deadline` or `memory`; `trap` for a crash.
        limit: String,
        /// What was reached and what would raise it.
        message: String,
    },
    /// It was cancelled.
    Cancelled {
        /// Who or what asked for it.
        reason: String,
    },
    /// The controller's word, when the runner was lost and the action may not be tried again.
    Lost {
        /// What is known.
        message: String,
    },
}

impl Verdict {
    /// The outcome as one word: `done`, `failed`, `refused`, `stopped`, `cancelled` or `lost`.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Failed(_) => "failed",
            Self::Refused { .. } => "refused",
            Self::Stopped { .. } => "stopped",
            Self::Cancelled { .. } => "cancelled",
            Self::Lost { .. } => "lost",
        }
    }
}

/// An action's own failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFailure {
    /// Which of the WIT's cases.
    pub kind: FailureKind,
    /// A stable word for scripts: the plugin's code, or the kind.
    pub code: String,
    /// For a person.
    pub message: String,
    /// A JSON document with what else is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// What is wrong with the input, for `invalid-input`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
    /// Worth a retry after so many milliseconds, for `unavailable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// The cases of the WIT's `action-error` that are failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The input does not fit.
    InvalidInput,
    /// Something needed is not granted.
    Denied,
    /// A dependency does not answer now.
    Unavailable,
    /// The action failed.
    Failed,
    /// Anything else.
    Other,
}

/// One thing wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// A JSON Pointer; empty for the whole document.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Milliseconds on a core, in steps of the epoch tick.
    pub cpu_ms: u64,
    /// The most linear memory it had, in bytes.
    pub peak_memory: u64,
    /// Lines of log that were kept.
    pub log_entries: u64,
    /// Lines of log that went over the budget.
    pub log_dropped: u64,
    /// Requests to the outside.
    pub requests: u64,
    /// Bytes sent in them.
    pub request_bytes: u64,
    /// Bytes received.
    pub response_bytes: u64,
}

/// How long the parts of an attempt took on the runner, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// From assignment to a verified, compiled and linked plugin.
    pub prepare_us: u64,
    /// From binding to output.
    pub run_us: u64,
}
