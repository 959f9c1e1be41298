//! The seam between handing out work and doing it: what the runner asks of whoever runs actions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio::sync::mpsc;
use wharf_engine::CacheCounts;
use wharf_policy::Digest;
use wharf_protocol::{Assignment, AttemptKey, LogEntry, Progress};

use crate::audit::Auditor;
use crate::cancel::{Cancel, Gate};
use crate::core::Event;
use crate::logs::Logs;
use crate::tally::Tally;
pub(crate) use crate::verdict::Executed;

/// Runs attempts.
#[async_trait]
pub(crate) trait Execute: Send + Sync + 'static {
    /// Runs one attempt to its end. May be dropped at any time.
    async fn execute(&self, assignment: Assignment, context: &Context) -> Executed;

    /// The components that are ready to run.
    fn held(&self) -> Vec<Digest>;

    /// How often compiled code was found on disk.
    fn cache_counts(&self) -> CacheCounts {
        CacheCounts::default()
    }

    /// Gives back what is still held for attempts that have ended. The last thing that is asked.
    async fn leave(&self) {}
}

/// The newest progress of the attempts that reported any.
#[derive(Debug, Default)]
pub(crate) struct ProgressBoard(Mutex<HashMap<AttemptKey, Progress>>);

impl ProgressBoard {
    fn set(&self, key: AttemptKey, progress: Progress) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.insert(key, progress);
    }

    /// Forgets an attempt that has ended.
    pub(crate) fn forget(&self, key: AttemptKey) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.remove(&key);
    }

    /// Whether anyone reported anything since it was last taken.
    pub(crate) fn is_empty(&self) -> bool {
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.is_empty()
    }

    /// What was reported, once.
    pub(crate) fn take(&self) -> Vec<(AttemptKey, Progress)> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        board.drain().collect()
    }
}

/// Where an attempt tells what it does.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) key: AttemptKey,
    pub(crate) logs: Arc<Logs>,
    pub(crate) progress: Arc<ProgressBoard>,
}

/// The longest progress message.
const PROGRESS_MESSAGE: usize = 1 << 10;

impl Reporter {
    /// One line of log.
    pub(crate) fn log(&self, line: LogEntry) {
        self.logs.push(self.key, line);
    }

    /// The newest progress.
    pub(crate) fn progress(&self, mut progress: Progress) {
        let cut = progress.message.floor_char_boundary(PROGRESS_MESSAGE);
        progress.message.truncate(cut);
        self.progress.set(self.key, progress);
    }
}

/// What an attempt is run with.
pub(crate) struct Context {
    /// Where it tells what it does.
    pub(crate) reporter: Reporter,
    /// How it learns that it should stop.
    pub(crate) cancel: Cancel,
    /// What it must pass before the action runs.
    pub(crate) gate: Arc<Gate>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Where it tells what an auditor wants to know.
    pub(crate) audit: Auditor,
    /// Where what it does is counted.
    pub(crate) tally: Arc<Tally>,
}

/// The attempt was cancelled or withdrawn before its action ran.
#[derive(Debug)]
pub(crate) struct TooLate;

impl Context {
    /// Everything is ready: from here on the action runs.
    pub(crate) async fn start(&self) -> Result<(), TooLate> {
        if !self.gate.pass() {
            return Err(TooLate);
        }
        // If nobody listens any more, the runner is gone and this with it.
        let _ = self.events.send(Event::Started(self.reporter.key)).await;
        Ok(())
    }
}
