//! What can keep a runner from starting, or end it. Each message says what to do.

use std::path::{Path, PathBuf};

/// Why a runner does not start, or has ended.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The folder holds no identity.
    #[error("{0} holds no runner identity: enrol first with `wharf runner enroll`")]
    NotEnrolled(PathBuf),
    /// The folder already holds one.
    #[error(
        "{folder} already belongs to runner {runner}: use another folder, or remove this one if that runner is gone"
    )]
    AlreadyEnrolled {
        /// The state folder.
        folder: PathBuf,
        /// Whose it is.
        runner: String,
    },
    /// Another process works in the folder.
    #[error("{0} is in use by another runner process: stop it, or give this one its own folder")]
    InUse(PathBuf),
    /// A file or folder of the state could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that must be private is not.
    #[error(
        "{0} can be read by others: run `chmod 600` on it, and enrol anew if others had access"
    )]
    Exposed(PathBuf),
    /// A state file that does not parse.
    #[error("{path} is damaged: {reason}; enrol anew into an empty folder")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What was newest cannot be read. Passing over it would let in what is older.
    #[error(
        "{path} cannot be used: {reason}; it keeps {what} from being rolled back: restore it, or remove it to forget which were the newest"
    )]
    Remembered {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What it is about, in the plural.
        what: &'static str,
    },
    /// The journal cannot be opened or is corrupt. Results in it would be lost if it were ignored.
    #[error(
        "the journal {path} cannot be used: {reason}; it may hold results that were never delivered: restore it, or move it away to give them up"
    )]
    Journal {
        /// Where it is.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// The audit record cannot be gone on with. Nothing runs without one.
    #[error(
        "the audit record in {path} cannot be gone on with, so the runner does not start: {reason}; look at it with `wharf audit verify`, and move it away (and keep it) to begin another"
    )]
    Audit {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<wharf_audit::AuditError>,
    },
    /// The controller's address is not one, or is not safe to use.
    #[error("the controller address `{url}` cannot be used: {reason}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No usable certificate roots.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The policy does not load. Without a policy nothing runs.
    #[error("the policy {path} cannot be used, so the runner does not start: {reason}")]
    Policy {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the runner does not start.
    #[error("the {part} does not start: {reason}")]
    Part {
        /// Which.
        part: &'static str,
        /// Why.
        reason: String,
    },
    /// The controller could not be reached.
    #[error("the controller at {url} cannot be reached: {reason}")]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The controller answered and said no.
    #[error("the controller refuses: {0}")]
    Rejected(String),
}

impl AgentError {
    pub(crate) fn file(action: &'static str, path: &Path, source: std::io::Error) -> Self {
        Self::File {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn part(part: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Part {
            part,
            reason: reason.to_string(),
        }
    }
}
