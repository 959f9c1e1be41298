//! What is known after a run: how it ended, what it used, where the time went. Plain values that
//! travel in result frames.

use serde::{Deserialize, Serialize};
use wharf_policy::{ByteSize, Period};

use crate::{Refused, Stop};

/// Everything that is known of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// Where its instance came from.
    pub start: Start,
    /// Where the time went.
    pub timings: Timings,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// With this output: a JSON document that fits the action's schema.
    Done(String),
    /// The plugin says that it failed.
    Failed(ActionError),
    /// It was not begun.
    Refused(Refused),
    /// The host ended it at a limit.
    Stopped(Stop),
    /// It was cancelled, and stopped by itself or was killed.
    Cancelled,
}

/// One thing wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where: a JSON Pointer; empty for the whole document.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl FieldError {
    /// All of them in one line.
    pub(crate) fn list(errors: &[Self]) -> String {
        let lines: Vec<_> = errors
            .iter()
            .map(|error| match error.path.as_str() {
                "" => error.message.clone(),
                path => format!("at {path}: {}", error.message),
            })
            .collect();
        lines.join("; ")
    }
}

/// Why an action gave no output, in the words of the plugin (`wharf:plugin/types`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionError {
    /// It cannot work with this input.
    InvalidInput(Vec<FieldError>),
    /// Something that it needed is not granted.
    Denied(String),
    /// Something that it needs does not answer now.
    Unavailable {
        /// Worth another try after this.
        retry_after: Option<Period>,
    },
    /// It ran and failed.
    Failed {
        /// A stable word for scripts.
        code: String,
        /// For a person.
        message: String,
        /// A JSON document with what else is known.
        details: Option<String>,
    },
    /// Anything else.
    Other(String),
}

impl std::fmt::Display for ActionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InvalidInput(errors) => write!(f, "invalid input: {}", FieldError::list(errors)),
            Self::Denied(what) => write!(f, "denied: {what}"),
            Self::Unavailable { retry_after: None } => f.write_str("unavailable"),
            Self::Unavailable {
                retry_after: Some(after),
            } => write!(f, "unavailable; try again after {after}"),
            Self::Failed { code, message, .. } => write!(f, "{code}: {message}"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

/// Where the instance of a run came from. Every run has an instance of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Instantiated before the call came, and never bound before.
    Warm,
    /// Instantiated for this call.
    Cold,
    /// There was none: the run was refused.
    None,
}

/// What a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Usage {
    /// Microseconds from the call to its outcome.
    pub wall_us: u64,
    /// Microseconds on a core, of guest and of host calls together.
    pub cpu_us: u64,
    /// The largest size of all linear memories together.
    pub peak_memory: ByteSize,
    /// Log lines kept.
    pub log_lines: u64,
    /// Log lines past the budget.
    pub log_lines_dropped: u64,
    /// Bytes of log kept.
    pub log_bytes: u64,
    /// Requests sent.
    pub requests: u64,
    /// Bytes of requests.
    pub request_bytes: u64,
    /// Bytes of responses.
    pub response_bytes: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self {
            wall_us: 0,
            cpu_us: 0,
            peak_memory: ByteSize::bytes(0),
            log_lines: 0,
            log_lines_dropped: 0,
            log_bytes: 0,
            requests: 0,
            request_bytes: 0,
            response_bytes: 0,
        }
    }
}

/// Where the time of a run went, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timings {
    /// Checking the input and getting an instance, with waiting for a free slot.
    pub start_us: u64,
    /// The guest, with its host calls.
    pub run_us: u64,
    /// Checking and scrubbing the output.
    pub finish_us: u64,
}
