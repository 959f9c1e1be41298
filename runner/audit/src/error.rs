//! What can be wrong with an audit record, and with writing one.

use std::path::PathBuf;

use crate::LineHash;

/// Why a line is not the next line of its chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a JSON object with the members that every line has.
    #[error("it is not a line of an audit record: {0}")]
    NotALine(String),
    /// It names another line before it.
    #[error(
        "the line before it has the hash {expected}, and it names {found}: a line was changed, taken out or put in here or just before"
    )]
    Broken {
        /// The hash of the line before.
        expected: LineHash,
        /// What the line says.
        found: LineHash,
    },
    /// It has another number.
    #[error("its number should be {expected} and is {found}")]
    Number {
        /// The number that follows.
        expected: u64,
        /// What the line says.
        found: u64,
    },
    /// Nothing could follow it.
    #[error("its number is the highest that there is, and no writer comes that far")]
    LastNumber,
    /// It does not end in a line end.
    #[error(
        "it is torn: it has no line end; the writer mends that, and says so, when it starts again"
    )]
    Torn,
    /// The file does not begin as one.
    #[error("`{0}` is what a file begins with, and nothing else is")]
    NoBeginning(&'static str),
    /// The file before it does not end as one that is followed.
    #[error("the file before it does not end with `{0}`: its last lines were cut off")]
    NoEnd(&'static str),
}

/// An audit record that cannot be written, read or trusted.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or folder.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was attempted.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The chain is broken.
    #[error("{path}, line {line}: {fault}")]
    Bad {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: Fault,
    },
    /// Files are missing.
    #[error("{path} should follow {expected}, which is not here: a file was taken away")]
    Missing {
        /// The file that is here.
        path: PathBuf,
        /// The name of the file that is not.
        expected: String,
    },
    /// The oldest files are missing, and the record does not say that the writer removed them.
    #[error(
        "{path} begins with the line {first}, and no line of it says that those before were removed to keep within the room: the oldest files were taken away"
    )]
    NoBeginning {
        /// The folder.
        path: PathBuf,
        /// The number of the first line that is here.
        first: u64,
    },
    /// The last file is not the last.
    #[error(
        "the last file in {0} says that another follows, which is not here: it was taken away, or the writer was killed between the two and makes it when it starts again"
    )]
    Unfinished(PathBuf),
    /// There is nothing.
    #[error("{0} holds no audit record")]
    None(PathBuf),
    /// The head that is known elsewhere is not in the chain.
    #[error(
        "the line {seq} of this record has the hash {found}, and elsewhere it is known as {known}: the record was written anew"
    )]
    OtherHead {
        /// The number.
        seq: u64,
        /// The hash here.
        found: LineHash,
        /// The hash elsewhere.
        known: LineHash,
    },
    /// The head that is known elsewhere is beyond the end of the chain, or before its beginning.
    #[error(
        "the line {seq} is known elsewhere and is not in this record, which holds {first} to {last}: the record was cut"
    )]
    NoHead {
        /// The number.
        seq: u64,
        /// The first number here.
        first: u64,
        /// The last number here.
        last: u64,
    },
    /// A sync failed, and what it was to bring to the disk is gone.
    #[error(
        "{path}: the disk failed and has lost lines from number {from} on that were written: look at the disk, and start the runner again to go on behind what is left"
    )]
    Lost {
        /// Which file.
        path: PathBuf,
        /// The first line that may be gone.
        from: u64,
    },
    /// Another process writes it.
    #[error("{0} is being written by another process")]
    InUse(PathBuf),
    /// The event cannot be a line.
    #[error("an event cannot be written: {0}")]
    Event(String),
    /// The writer has failed, and what it failed at is not made good yet.
    #[error("{0}")]
    Failed(String),
}

impl AuditError {
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: std::io::Error,
    ) -> Self {
        Self::File {
            action,
            path: path.into(),
            source,
        }
    }
}
