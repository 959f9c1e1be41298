//! What a runner is doing, as a file for `wharf runner status`. Rewritten when it changes, at
//! most once a second.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wharf_bundle::read_file;
use wharf_protocol::{AuditHead, GroupName, RunnerId};

use crate::AgentError;
use crate::refusals::RecentRefusal;

/// How often the file is written at most.
const PACE: Duration = Duration::from_secs(1);

/// The largest such file, in bytes.
const MAX_FILE: usize = 4 << 20;

/// A snapshot of a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which runner.
    pub runner: RunnerId,
    /// Its group.
    pub group: GroupName,
    /// Where its controller is.
    pub controller: String,
    /// The runner's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// When it started, in milliseconds since the Unix epoch.
    pub started_ms: u64,
    /// How it stands with the controller.
    pub link: Link,
    /// Whether it takes no more work.
    pub draining: bool,
    /// Attempts it can hold.
    pub slots: usize,
    /// Attempts without a result.
    pub running: usize,
    /// Results that wait for the controller.
    pub journaled: usize,
    /// Credits that the controller holds.
    pub credits: usize,
    /// Results that the controller has taken since the start.
    pub delivered: u64,
    /// Log lines that wait for the controller.
    pub log_lines_waiting: usize,
    /// Log lines that were given up since the start.
    pub log_lines_lost: u64,
    /// Where the audit record ends, as far as it is on disk for good.
    #[serde(default)]
    pub audit: Option<AuditHead>,
    /// Why no work is asked for, if something is wrong with this runner.
    pub trouble: Option<String>,
    /// The plugins and actions that were refused last, the newest first.
    #[serde(default)]
    pub refusals: Vec<RecentRefusal>,
}

/// How a runner stands with its controller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum Link {
    /// Trying to connect.
    Connecting {
        /// Why the last try failed; empty at first.
        reason: String,
    },
    /// Connected by WebSocket.
    Connected {
        /// Since when, in milliseconds since the Unix epoch.
        since_ms: u64,
        /// What the controller wants the operator to know.
        warnings: Vec<String>,
    },
    /// The controller will not have this runner.
    Rejected {
        /// Why.
        reason: String,
    },
    /// The runner has ended.
    Stopped,
}

impl Status {
    /// Whether this runner could run something now.
    ///
    /// # Errors
    /// It could not, and this is why.
    pub fn healthy(&self) -> Result<(), String> {
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        match &self.link {
            Link::Connecting { reason } if reason.is_empty() => {
                Err("not connected to the controller yet".to_owned())
            }
            Link::Connecting { reason } => {
                Err(format!("not connected to the controller: {reason}"))
            }
            Link::Rejected { reason } => Err(format!(
                "the controller will not have this runner: {reason}"
            )),
            Link::Stopped => Err("the runner has ended".to_owned()),
            Link::Connected { .. } if self.draining => {
                Err("the runner leaves and takes no more work".to_owned())
            }
            Link::Connected { .. } => Ok(()),
        }
    }

    /// Reads the status of the runner in a state folder.
    ///
    /// # Errors
    /// There is none, or it is not one.
    pub fn read(state_dir: &Path) -> Result<Self, AgentError> {
        let path = file(state_dir);
        let bytes =
            read_file(&path, MAX_FILE).map_err(|error| AgentError::file("read", &path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| AgentError::Damaged {
            path,
            reason: error.to_string(),
        })
    }
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("status.json")
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Writes the file whenever the status changes, until there is nobody to change it.
pub(crate) async fn keep(state_dir: PathBuf, mut status: watch::Receiver<Status>) {
    loop {
        let snapshot = status.borrow_and_update().clone();
        write(&state_dir, snapshot).await;
        if status.changed().await.is_err() {
            break;
        }
        // What changes meanwhile is in the next one.
        tokio::time::sleep(PACE).await;
    }
    let last = status.borrow().clone();
    write(&state_dir, last).await;
}

async fn write(state_dir: &Path, status: Status) {
    let path = file(state_dir);
    let beside = path.with_extension("json.tmp");
    let written = async {
        let bytes = serde_json::to_vec_pretty(&status)?;
        tokio::fs::write(&beside, bytes).await?;
        tokio::fs::rename(&beside, &path).await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, path = %path.display(), "the status cannot be written");
    }
}
