//! The journal's thread: it gathers what arrives at the same time into one commit.
//!
//! A result is told of only when it is on disk. Removals cost no commit of their own while
//! results keep coming: one that is lost makes a duplicate, which the controller knows.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use tokio::sync::oneshot;
use wharf_protocol::AttemptKey;

use crate::AgentError;
use crate::journal_file::JournalFile;
pub(crate) use crate::journal_file::{Kept, Record};

/// Requests of one commit.
const BATCH: usize = 512;
/// How long removals wait for a result to travel with.
const REMOVAL_WAIT: Duration = Duration::from_millis(50);
/// How long after a failed commit it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the journal tells.
#[derive(Debug)]
pub(crate) enum Notice {
    /// These results are on disk now.
    Stored(Vec<Kept>),
    /// These results were asked for.
    Read(Vec<Kept>),
    /// The disk does not take results: none may be asked for.
    Failing(String),
    /// It does again.
    Working,
}

enum Request {
    Put(Record),
    Remove(AttemptKey),
    Read(Vec<AttemptKey>),
    Output(AttemptKey, oneshot::Sender<Result<Vec<u8>, String>>),
}

/// The way to the journal's thread. Requests are bounded by the attempts a runner holds.
#[derive(Clone)]
pub(crate) struct Journal {
    requests: Sender<Request>,
}

/// A journal that is open, and not yet served.
pub(crate) struct Opened {
    file: JournalFile,
    /// The results in it, and what each takes on disk.
    pub(crate) results: Vec<(AttemptKey, u64)>,
}

/// Opens the journal.
pub(crate) fn open(path: &Path) -> Result<Opened, AgentError> {
    let file = JournalFile::open(path)?;
    let results = file.all().map_err(|reason| AgentError::Journal {
        path: path.to_owned(),
        reason,
    })?;
    Ok(Opened { file, results })
}

impl Opened {
    /// Serves the journal on a thread of its own until every [`Journal`] is dropped, and then
    /// lets go of the receiver's other end.
    pub(crate) fn serve(
        self,
        tell: impl Fn(Notice) + Send + 'static,
    ) -> Result<(Journal, oneshot::Receiver<()>), AgentError> {
        let (requests, inbox) = channel();
        let (open, closed) = oneshot::channel();
        std::thread::Builder::new()
            .name("wharf-journal".to_owned())
            .spawn(move || {
                Server::new(self.file, inbox, tell).run();
                drop(open);
            })
            .map_err(|error| AgentError::part("journal", error))?;
        Ok((Journal { requests }, closed))
    }
}

impl Journal {
    /// Keeps a result. [`Notice::Stored`] follows when it is on disk.
    pub(crate) fn put(&self, record: Record) {
        self.send(Request::Put(record));
    }

    /// Forgets a result.
    pub(crate) fn remove(&self, key: AttemptKey) {
        self.send(Request::Remove(key));
    }

    /// Asks for results. [`Notice::Read`] follows.
    pub(crate) fn read(&self, keys: Vec<AttemptKey>) {
        self.send(Request::Read(keys));
    }

    /// The output of a result that goes by reference.
    pub(crate) async fn output(&self, key: AttemptKey) -> Result<Vec<u8>, String> {
        let (answer, answered) = oneshot::channel();
        self.send(Request::Output(key, answer));
        answered
            .await
            .unwrap_or_else(|_| Err("the journal is closed".to_owned()))
    }

    fn send(&self, request: Request) {
        // The thread lives as long as there is a sender.
        if self.requests.send(request).is_err() {
            tracing::error!("the journal's thread is gone");
        }
    }
}

struct Server<F> {
    file: JournalFile,
    inbox: Receiver<Request>,
    tell: F,
    put: Vec<Record>,
    remove: Vec<AttemptKey>,
    read: Vec<AttemptKey>,
    open: bool,
}

impl<F: Fn(Notice)> Server<F> {
    fn new(file: JournalFile, inbox: Receiver<Request>, tell: F) -> Self {
        Self {
            file,
            inbox,
            tell,
            put: Vec::new(),
            remove: Vec::new(),
            read: Vec::new(),
            open: true,
        }
    }

    fn run(mut self) {
        while self.open {
            self.gather();
            self.commit();
            self.answer();
        }
    }

    /// Waits for something, then takes what else is there.
    fn gather(&mut self) {
        let first = if self.remove.is_empty() {
            self.inbox
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            self.inbox.recv_timeout(REMOVAL_WAIT)
        };
        match first {
            Ok(request) => self.take(request),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => {
                self.open = false;
                return;
            }
        }
        for _ in 0..BATCH {
            let Ok(request) = self.inbox.try_recv() else {
                break;
            };
            self.take(request);
        }
        // Removals alone wait for company, once.
        if self.put.is_empty() && self.read.is_empty() && !self.remove.is_empty() {
            match self.inbox.recv_timeout(REMOVAL_WAIT) {
                Ok(request) => self.take(request),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.open = false,
            }
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Put(record) => self.put.push(record),
            Request::Remove(key) => self.remove.push(key),
            Request::Read(keys) => self.read.extend(keys),
            Request::Output(key, answer) => {
                let output = match self.file.output(key) {
                    Ok(Some(output)) => Ok(output),
                    Ok(None) => Err(format!("the journal holds no output of {key}")),
                    Err(error) => Err(error.to_string()),
                };
                // Whoever asked may have gone; nobody misses the answer then.
                let _ = answer.send(output);
            }
        }
    }

    fn commit(&mut self) {
        if self.put.is_empty() && self.remove.is_empty() {
            return;
        }
        let mut failing = false;
        while let Err(error) = self.file.commit(&self.put, &self.remove) {
            tracing::error!(%error, "results cannot be written to the journal; trying again");
            failing = true;
            (self.tell)(Notice::Failing(error.to_string()));
            std::thread::sleep(RETRY);
            if !self.collect_while_failing() {
                return;
            }
        }
        self.remove.clear();
        if failing {
            (self.tell)(Notice::Working);
        }
        if !self.put.is_empty() {
            let stored = self.put.drain(..).map(Record::kept).collect();
            (self.tell)(Notice::Stored(stored));
        }
    }

    /// Whether the runner is still there to try for.
    fn collect_while_failing(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(request) => self.take(request),
                Err(std::sync::mpsc::TryRecvError::Empty) => return true,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.open = false;
                    return false;
                }
            }
        }
    }

    fn answer(&mut self) {
        if self.read.is_empty() {
            return;
        }
        let mut found = Vec::with_capacity(self.read.len());
        for key in self.read.drain(..) {
            match self.file.read(key) {
                Ok(kept) => found.extend(kept),
                Err(error) => tracing::error!(%key, %error, "a result cannot be read back"),
            }
        }
        (self.tell)(Notice::Read(found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;

    #[test]
    fn a_result_is_told_of_only_when_a_reopened_journal_would_hold_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let (notices, told) = channel();
        let (journal, closed) = open(&path)
            .unwrap()
            .serve(move |notice| notices.send(notice).unwrap())
            .unwrap();
        for number in 0..100 {
            journal.put(Record {
                key: key(number),
                frame: vec![0; 10],
                output: None,
            });
        }
        let mut stored = 0;
        while stored < 100 {
            let Notice::Stored(some) = told.recv().unwrap() else {
                panic!("another notice")
            };
            stored += some.len();
        }
        let reader = JournalFile::open(&path).unwrap();
        assert_eq!(reader.all().unwrap().len(), 100);

        journal.remove(key(5));
        journal.read(vec![key(5), key(6)]);
        let Notice::Read(found) = told.recv().unwrap() else {
            panic!("another notice")
        };
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].key, key(6));

        journal.remove(key(6));
        drop(journal);
        let _ = closed.blocking_recv();
        assert_eq!(reader.all().unwrap().len(), 98);
    }
}
