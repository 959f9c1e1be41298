//! The log lines of the attempts until the controller has them.
//!
//! Lines have numbers from 0 in each attempt; what is not acknowledged is sent again after a
//! reconnect. Memory is bounded: past the budget, lines are dropped and counted, and a result
//! never waits for its logs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use wharf_protocol::{AttemptKey, LogEntry, ToController, encode};

/// Bytes of one attempt's lines that wait.
const ATTEMPT_BUDGET: usize = 4 << 20;
/// Bytes of all lines that wait.
const BUDGET: usize = 64 << 20;
/// Bytes of lines in one frame, about.
const FRAME_TARGET: usize = 128 << 10;
/// The longest message of a line; longer ones are cut.
const LONGEST_MESSAGE: usize = 64 << 10;

#[derive(Debug, Default)]
struct AttemptLog {
    lines: VecDeque<LogEntry>,
    bytes: usize,
    /// The number of the first line here: all before it are acknowledged.
    first: u64,
    /// The number of the next line to send on this connection.
    next: u64,
    queued: bool,
    finished: bool,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Book {
    attempts: HashMap<AttemptKey, AttemptLog>,
    /// Attempts with lines to send.
    ready: VecDeque<AttemptKey>,
    /// Attempts that have ended, in that order: what goes first when room is short.
    finished: VecDeque<AttemptKey>,
    bytes: usize,
    /// Lines of ended attempts that were given up.
    lost: u64,
}

/// The log lines that wait for the controller.
#[derive(Debug, Default)]
pub(crate) struct Logs {
    book: Mutex<Book>,
    wake: Notify,
    delivered: Notify,
}

fn size(line: &LogEntry) -> usize {
    let fields: usize = line
        .fields
        .iter()
        .map(|(k, v)| k.len() + v.len() + 16)
        .sum();
    line.message.len() + fields + 64
}

impl Logs {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Every change below is complete before the lock is left.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line of an attempt.
    pub(crate) fn push(&self, key: AttemptKey, mut line: LogEntry) {
        if line.message.len() > LONGEST_MESSAGE {
            let cut = line.message.floor_char_boundary(LONGEST_MESSAGE);
            line.message.truncate(cut);
            line.message.push('…');
        }
        if self.book().push(key, line) {
            self.wake.notify_one();
        }
    }

    /// An attempt has ended. Gives the number of its lines that were dropped here.
    pub(crate) fn finish(&self, key: AttemptKey) -> u64 {
        self.book().finish(key)
    }

    /// The controller has all lines of an attempt below this number.
    pub(crate) fn acknowledged(&self, key: AttemptKey, next: u64) {
        self.book().acknowledged(key, next);
        self.delivered.notify_waiters();
    }

    /// A new log connection: everything that is not acknowledged is sent again.
    pub(crate) fn reconnected(&self) {
        self.book().reconnected();
        self.wake.notify_one();
    }

    /// The next message for the log connection. Dropping the future loses nothing.
    pub(crate) async fn next(&self) -> Option<Vec<u8>> {
        loop {
            let woken = self.wake.notified();
            let frame = self.book().take();
            if let Some(frame) = frame {
                let mut message = Vec::new();
                match encode(&mut message, &frame) {
                    Ok(()) => return Some(message),
                    Err(error) => tracing::error!(%error, "log lines cannot be encoded"),
                }
            } else {
                woken.await;
            }
        }
    }

    /// Comes when the controller has every line.
    pub(crate) async fn delivered(&self) {
        loop {
            let delivered = self.delivered.notified();
            tokio::pin!(delivered);
            delivered.as_mut().enable();
            if self.book().bytes == 0 {
                return;
            }
            delivered.await;
        }
    }

    /// Lines that wait, and lines that were given up after their attempts had ended.
    pub(crate) fn counts(&self) -> (usize, u64) {
        let book = self.book();
        let waiting = book.attempts.values().map(|log| log.lines.len()).sum();
        (waiting, book.lost)
    }
}

impl Book {
    /// Whether there is something new to send.
    fn push(&mut self, key: AttemptKey, line: LogEntry) -> bool {
        let bytes = size(&line);
        while self.bytes + bytes > BUDGET && self.give_up_oldest() {}
        let full = self.bytes + bytes > BUDGET;
        let log = self.attempts.entry(key).or_default();
        if full || log.bytes + bytes > ATTEMPT_BUDGET {
            log.dropped += 1;
            return false;
        }
        log.bytes += bytes;
        self.bytes += bytes;
        log.lines.push_back(line);
        if !std::mem::replace(&mut log.queued, true) {
            self.ready.push_back(key);
        }
        true
    }

    /// Gives up the lines of the attempt that ended first, if one has.
    fn give_up_oldest(&mut self) -> bool {
        let Some(key) = self.finished.pop_front() else {
            return false;
        };
        if let Some(log) = self.attempts.remove(&key) {
            self.bytes -= log.bytes;
            self.lost += log.lines.len() as u64;
        }
        true
    }

    fn finish(&mut self, key: AttemptKey) -> u64 {
        let Some(log) = self.attempts.get_mut(&key) else {
            return 0;
        };
        let dropped = log.dropped;
        if log.lines.is_empty() {
            self.attempts.remove(&key);
        } else if !std::mem::replace(&mut log.finished, true) {
            self.finished.push_back(key);
        }
        dropped
    }

    fn acknowledged(&mut self, key: AttemptKey, next: u64) {
        let Some(log) = self.attempts.get_mut(&key) else {
            return;
        };
        // Never past what was sent: a controller that is wrong about it loses nothing.
        let next = next.min(log.next);
        while log.first < next
            && let Some(line) = log.lines.pop_front()
        {
            let bytes = size(&line);
            log.first += 1;
            log.bytes -= bytes;
            self.bytes -= bytes;
        }
        if log.lines.is_empty() && log.finished {
            self.attempts.remove(&key);
            self.finished.retain(|other| *other != key);
        }
    }

    fn reconnected(&mut self) {
        self.ready.clear();
        for (key, log) in &mut self.attempts {
            log.next = log.first;
            log.queued = !log.lines.is_empty();
            if log.queued {
                self.ready.push_back(*key);
            }
        }
    }

    /// The next lines of the attempt whose turn it is.
    fn take(&mut self) -> Option<ToController> {
        while let Some(key) = self.ready.pop_front() {
            let Some(log) = self.attempts.get_mut(&key) else {
                continue;
            };
            let sent = usize::try_from(log.next - log.first).unwrap_or(usize::MAX);
            let mut bytes = 0;
            let entries: Vec<_> = log
                .lines
                .iter()
                .skip(sent)
                .take_while(|line| {
                    let fits = bytes < FRAME_TARGET;
                    bytes += size(line);
                    fits
                })
                .cloned()
                .collect();
            let first = log.next;
            log.next += entries.len() as u64;
            log.queued = sent + entries.len() < log.lines.len();
            if log.queued {
                self.ready.push_back(key);
            }
            if !entries.is_empty() {
                return Some(ToController::Log {
                    key,
                    first,
                    entries,
                });
            }
        }
        None
    }
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
