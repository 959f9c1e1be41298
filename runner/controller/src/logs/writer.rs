//! The thread that writes logs: many batches at a time, each acknowledged when it is kept.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use wharf_protocol::{AttemptKey, LogEntry};

use super::{Hub, LogTable};
use crate::model::AttemptLog;

/// The most batches that wait. A log pipe that has one more waits with it, and only that pipe.
const MAX_WAITING: usize = 256;

/// The most attempts whose state is kept at hand.
const MAX_STATES: usize = 10_000;

/// Lines of one attempt that an authorized runner sent.
struct Batch {
    key: AttemptKey,
    /// The number of the first of them.
    first: u64,
    entries: Vec<LogEntry>,
    /// Is told the number of the next line that is expected.
    reply: oneshot::Sender<u64>,
}

/// Sends lines to the writer.
#[derive(Clone)]
pub(crate) struct LogHandle(mpsc::Sender<Batch>);

impl LogHandle {
    /// Keeps lines; the number of the next that is expected, or none if they could not be kept.
    pub(crate) async fn append(
        &self,
        key: AttemptKey,
        first: u64,
        entries: Vec<LogEntry>,
    ) -> Option<u64> {
        let (reply, answer) = oneshot::channel();
        let batch = Batch {
            key,
            first,
            entries,
            reply,
        };
        self.0.send(batch).await.ok()?;
        answer.await.ok()
    }
}

/// Starts the thread. It ends when the last handle is gone.
pub(crate) fn start(table: LogTable, hub: Arc<Hub>) -> LogHandle {
    let (sender, receiver) = mpsc::channel(MAX_WAITING);
    std::thread::spawn(move || run(table, &hub, receiver));
    LogHandle(sender)
}

fn run(mut table: LogTable, hub: &Hub, mut batches: mpsc::Receiver<Batch>) {
    let mut states: HashMap<AttemptKey, AttemptLog> = HashMap::new();
    let mut waiting = Vec::new();
    while batches.blocking_recv_many(&mut waiting, MAX_WAITING) > 0 {
        if states.len() > MAX_STATES {
            states.clear();
        }
        let mut work = Vec::with_capacity(waiting.len());
        let mut replies = Vec::with_capacity(waiting.len());
        for batch in waiting.drain(..) {
            replies.push((batch.key, batch.reply));
            work.push((batch.key, batch.first, batch.entries));
        }
        match write(&mut table, &mut states, work) {
            Ok(nexts) => {
                for ((key, reply), next) in replies.into_iter().zip(nexts) {
                    // A pipe that is gone sends the lines again on the next one.
                    let _ = reply.send(next);
                    hub.notify(&key.execution);
                }
            }
            Err(error) => {
                // Dropping the replies leaves the lines unacknowledged: they are sent again.
                states.clear();
                tracing::error!(%error, "log lines could not be kept; they will be sent again");
            }
        }
    }
}

fn write(
    table: &mut LogTable,
    states: &mut HashMap<AttemptKey, AttemptLog>,
    work: Vec<(AttemptKey, u64, Vec<LogEntry>)>,
) -> Result<Vec<u64>, crate::store::StoreError> {
    let mut nexts = Vec::with_capacity(work.len());
    let mut rest = work.into_iter().peekable();
    while rest.peek().is_some() {
        // Each attempt once in a transaction, so that each begins from a state that is true.
        let mut round: Vec<(AttemptKey, u64, Vec<LogEntry>, AttemptLog)> = Vec::new();
        while let Some((key, _, _)) = rest.peek() {
            if round.iter().any(|(known, ..)| known == key) {
                break;
            }
            let state = match states.get(key) {
                Some(state) => *state,
                None => table.state(*key)?,
            };
            if let Some((key, first, entries)) = rest.next() {
                round.push((key, first, entries, state));
            }
        }
        table.append(&mut round)?;
        for (key, _, _, state) in round {
            states.insert(key, state);
            nexts.push(state.next);
        }
    }
    Ok(nexts)
}
