//! The last lines that a program wrote to its standard error: its words for why it failed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use wharf_host::{AuditEvent, AuditUnavailable, Events, LogLine, LogSource, Progress};

/// Lines kept, and the bytes of each.
const LINES: usize = 10;
const BYTES: usize = 500;

/// Passes everything on, and remembers the end of standard error.
pub(crate) struct Tail {
    inner: Arc<dyn Events>,
    lines: Mutex<VecDeque<String>>,
}

impl Tail {
    pub(crate) fn of(inner: Arc<dyn Events>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            lines: Mutex::default(),
        })
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lines).into()
    }
}

#[async_trait]
impl Events for Tail {
    fn log(&self, line: LogLine) {
        if line.source == LogSource::Stderr {
            let mut text = line.message.clone();
            text.truncate(text.floor_char_boundary(BYTES));
            let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(text);
        }
        self.inner.log(line);
    }

    fn progress(&self, progress: Progress) {
        self.inner.progress(progress);
    }

    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable> {
        self.inner.audit(event)
    }

    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        self.inner.audit_synced().await
    }
}
