//! Checking a record, with or without a head that is known elsewhere.

use std::path::Path;

use crate::walk::walk;
use crate::{AuditError, Head};

/// A record whose chain holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Files.
    pub files: usize,
    /// Lines.
    pub lines: u64,
    /// The number of the first line that is here. Not 0 where older files were removed.
    pub first: u64,
    /// Where it ends.
    pub head: Head,
}

/// Checks that every line of a file or folder is the next one of its chain, and that the line that
/// `known` names is in it.
///
/// # Errors
/// The first line at which the chain does not hold, a file that is missing, or that the known head
/// is not in it.
pub fn verify(path: &Path, known: Option<Head>) -> Result<Verified, AuditError> {
    let mut found = None;
    let (files, follow) = walk(path, |_, head, _| {
        if known.is_some_and(|known| known.seq == head.seq) {
            found = Some(head.hash);
        }
    })?;
    // A file that says that another follows is followed by one.
    if path.is_dir() && follow.closed() {
        return Err(AuditError::Unfinished(path.to_owned()));
    }
    // One file alone is a part of a record, and says itself with which line it begins.
    if path.is_dir() && follow.lacks_a_beginning() {
        return Err(AuditError::NoBeginning {
            path: path.to_owned(),
            first: follow.first(),
        });
    }
    let head = follow
        .chain()
        .and_then(|chain| chain.head())
        .ok_or_else(|| AuditError::None(path.to_owned()))?;
    match (known, found) {
        (Some(known), Some(hash)) if hash != known.hash => Err(AuditError::OtherHead {
            seq: known.seq,
            found: hash,
            known: known.hash,
        }),
        (Some(known), None) => Err(AuditError::NoHead {
            seq: known.seq,
            first: follow.first(),
            last: head.seq,
        }),
        _ => Ok(Verified {
            files,
            lines: head.seq - follow.first() + 1,
            first: follow.first(),
            head,
        }),
    }
}
