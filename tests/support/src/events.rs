//! Who a run tells: one that keeps it and lets a test wait for a line, and one that does not listen.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use wharf_host::{AuditEvent, AuditUnavailable, Events, LogLine, Progress};

/// Long enough for the slowest machine; a test that waits as long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a run told.
#[derive(Default)]
pub struct Recorder {
    lines: Mutex<Vec<LogLine>>,
    more: Condvar,
}

impl Recorder {
    /// The lines so far.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.lock().unwrap().clone()
    }

    /// Blocks until a line says this.
    pub fn wait_for(&self, message: &str) {
        let missing = |lines: &mut Vec<LogLine>| !lines.iter().any(|l| l.message == message);
        let lines = self.lines.lock().unwrap();
        let (_lines, late) = self
            .more
            .wait_timeout_while(lines, PATIENCE, missing)
            .unwrap();
        assert!(!late.timed_out(), "nobody said `{message}`");
    }
}

#[async_trait]
impl Events for Recorder {
    fn log(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line);
        self.more.notify_all();
    }

    fn progress(&self, _: Progress) {}

    fn audit(&self, _: AuditEvent) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }
}

/// Does not listen, for benchmarks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

#[async_trait]
impl Events for Nobody {
    fn log(&self, _: LogLine) {}

    fn progress(&self, _: Progress) {}

    fn audit(&self, _: AuditEvent) -> Result<(), AuditUnavailable> {
        Ok(())
    }

    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }
}
