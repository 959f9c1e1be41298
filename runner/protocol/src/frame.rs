//! The frames, one enum for each direction.

use serde::{Deserialize, Serialize};
use wharf_policy::{ActionName, CallRights, Digest, PluginName};

use crate::{AttemptKey, Challenge, GroupName, Hello, Timings, Usage, Verdict};

/// What a connection is for. Liveness does not share a pipe with logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pipe {
    /// Everything but logs.
    Control,
    /// Logs only.
    Logs,
}

/// What a runner sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToController {
    /// Who it is; the answer to the challenge.
    Hello(Box<Hello>),
    /// Room for so many more attempts. Adds up; forgotten when the connection ends.
    Credit {
        /// How many more.
        add: u32,
    },
    /// The assignment has arrived and will be run.
    Accept(AttemptKey),
    /// The plugin is verified, compiled and bound: the action runs.
    Started(AttemptKey),
    /// Still here. Renews the lease of every attempt that it names.
    Heartbeat {
        /// The attempts that are running or waiting to be.
        running: Vec<AttemptKey>,
        /// The newest progress of those that reported any since the last heartbeat.
        progress: Vec<(AttemptKey, Progress)>,
        /// Where the runner's audit record ends, for the controller to remember: who rewrites the
        /// record later cannot make it end there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audit: Option<AuditHead>,
    },
    /// An attempt has ended. Sent again after every connect until it is acknowledged.
    Result {
        /// Which.
        key: AttemptKey,
        /// How it ended.
        verdict: Verdict,
        /// What it used.
        usage: Usage,
        /// How long it took.
        timings: Timings,
    },
    /// An attempt that was not started is given back.
    HandBack {
        /// Which.
        key: AttemptKey,
        /// Why.
        reason: HandBackReason,
    },
    /// The runner takes no more work and leaves when it is done.
    Draining,
    /// Log lines of one attempt, on the log pipe.
    Log {
        /// Which.
        key: AttemptKey,
        /// The number of the first of these lines in the attempt's log, from 0.
        first: u64,
        /// The lines, in order.
        entries: Vec<LogEntry>,
    },
}

/// What a controller sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToRunner {
    /// The first frame of a connection.
    Challenge(Challenge),
    /// The runner is who it says; it may send credits.
    Welcome {
        /// A bearer token for bundles and payloads, good while this connection lives.
        session: String,
        /// The group it belongs to.
        group: GroupName,
        /// How long an attempt is its own without a heartbeat, in milliseconds.
        lease_ms: u64,
        /// How often to send a heartbeat, in milliseconds.
        heartbeat_ms: u64,
        /// What the operator should know, such as a version mismatch.
        warnings: Vec<String>,
    },
    /// The connection ends, and why.
    Goodbye {
        /// For a person.
        reason: String,
        /// Whether it makes sense to come again.
        retry: bool,
    },
    /// Run this.
    Assign(Box<Assignment>),
    /// A result has been recorded, or will never be: it may leave the journal.
    ResultAck {
        /// Which.
        key: AttemptKey,
        /// What became of it.
        acceptance: Acceptance,
    },
    /// Stop an attempt: ask it, and after the grace end it.
    Cancel {
        /// Which.
        key: AttemptKey,
        /// Who or what asks.
        reason: String,
        /// How long it may take to stop by itself, in milliseconds.
        grace_ms: u64,
    },
    /// Take no more work, finish, leave.
    Drain,
    /// Log lines up to this number are kept; they need not be sent again.
    LogAck {
        /// Which attempt.
        key: AttemptKey,
        /// The number of the next line expected.
        next: u64,
    },
}

/// One attempt handed to a runner. Nothing in it can widen what the runner's policy grants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which attempt.
    pub key: AttemptKey,
    /// The name under which it was asked for; must be what the verified manifest says.
    pub plugin: PluginName,
    /// The component to run. Never a tag.
    pub digest: Digest,
    /// Which action of it.
    pub action: ActionName,
    /// The input: a JSON document.
    pub input: Payload,
    /// How the call narrows its rights.
    pub rights: CallRights,
    /// How long the attempt is the runner's without a heartbeat, in milliseconds.
    pub lease_ms: u64,
}

/// A JSON document, or where to fetch it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The document itself, at most [`crate::MAX_INLINE`] bytes.
    Inline(String),
    /// A document in the controller's payload store.
    Stored {
        /// Of its bytes.
        digest: Digest,
        /// Its length in bytes.
        size: u64,
    },
}

/// What became of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acceptance {
    /// It is the result of the execution.
    Accepted,
    /// It already was.
    Duplicate,
    /// The lease was lost before; it is kept as a dead letter.
    Late,
    /// The controller knows no such attempt.
    Unknown,
}

/// Why an attempt is given back unstarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HandBackReason {
    /// The runner leaves.
    Draining,
    /// The runner has no room after all.
    NoRoom,
}

/// Where a runner's audit record ends: the number of its last line and the hash of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The number, from 0.
    pub seq: u64,
    /// The hash.
    pub hash: Digest,
}

/// As `wharf audit verify --head` takes it.
impl std::fmt::Display for AuditHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash.to_hex())
    }
}

/// How far along an action is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// From 0 to 1, where it is known.
    pub fraction: Option<f32>,
    /// For a person.
    pub message: String,
}

/// One line of log, scrubbed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Names and values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

/// How much a line of log matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Everything.
    Trace,
    /// For whoever writes the plugin.
    Debug,
    /// Normal.
    Info,
    /// Worth a look.
    Warn,
    /// Something failed.
    Error,
}
