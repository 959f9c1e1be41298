//! Groups and the runners in them.

use serde::{Deserialize, Serialize};
use wharf_protocol::{AuditHead, BootId, GroupName, RunnerId};

use super::Micros;

/// What happens to runners of a group that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum GroupKind {
    /// They stay, marked unhealthy, until they are removed.
    Persistent,
    /// They are forgotten after ten minutes.
    Ephemeral,
}

/// What work is assigned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Its name.
    pub(crate) name: GroupName,
    /// What happens to its runners that are gone.
    pub(crate) kind: GroupKind,
    /// Since when it exists.
    pub(crate) created: Micros,
}

/// A runner that has enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunnerRecord {
    /// Which.
    pub(crate) id: RunnerId,
    /// Its group.
    pub(crate) group: GroupName,
    /// Its Ed25519 key.
    pub(crate) public_key: [u8; 32],
    /// The process of it that connected last; none before the first connection.
    pub(crate) boot: Option<BootId>,
    /// Its host's name, for people.
    pub(crate) host: String,
    /// Operating system and architecture, such as `linux/x86_64`.
    pub(crate) platform: String,
    /// Its version.
    pub(crate) version: String,
    /// When it enrolled.
    pub(crate) enrolled: Micros,
    /// When it was last heard, as far as that was kept.
    pub(crate) last_seen: Micros,
}

/// How a runner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RunnerState {
    /// Connected, and heard lately.
    Online,
    /// Connected, and takes no more work.
    Draining,
    /// Connected, but not heard for three heartbeats; or not connected.
    Unhealthy,
    /// Not connected, and of an ephemeral group: soon forgotten.
    Gone,
}

/// A runner as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunnerView {
    /// Who it is.
    pub(crate) record: RunnerRecord,
    /// How it is.
    pub(crate) state: RunnerState,
    /// When it was last heard.
    pub(crate) last_seen: Micros,
    /// Attempts that are its own.
    pub(crate) running: u32,
    /// How many more it takes.
    pub(crate) credits: u32,
    /// Where its audit record ends, as it said last.
    pub(crate) audit: Option<AuditHead>,
    /// Whether it is connected.
    pub(crate) connected: bool,
}
