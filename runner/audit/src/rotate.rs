//! From one file of a record to the next, and taking away the oldest.
//!
//! Each step may fail, on a full disk for one, and the next attempt goes on from there. No file is
//! taken away before the line that says so is on disk: whoever checks the record asks for that line.

use std::fs;
use std::sync::Arc;

use crate::files::{self, Numbered};
use crate::open::{Place, take};
use crate::own::Own;
use crate::record_file::RecordFile;
use crate::tail::{Mark, Tail};
use crate::{AuditError, Head, repair};

impl Tail {
    /// Goes on in another file if this one is full.
    pub(crate) fn follow(&mut self) {
        if matches!(self.place, Place::File(_)) || self.end.bytes < self.keep.file_bytes {
            return;
        }
        let followed = self
            .close()
            .and_then(|()| self.go_on())
            .and_then(|()| self.make_room());
        // The event itself is written; that its file could not be followed is the next one's
        // trouble.
        if let Err(error) = followed {
            tracing::error!(%error, "the audit record cannot go on in another file");
            self.failed(error.to_string());
        }
    }

    /// The last line of a file.
    fn close(&mut self) -> Result<(), AuditError> {
        let next = self.place.shown(self.end.number + 1);
        self.put(&(), &Own::FileClosed { next })?;
        self.closed = true;
        Ok(())
    }

    /// Begins the file that is to be begun, if there is one: the one after a closed one, or one
    /// that was made and has no line yet.
    pub(crate) fn go_on(&mut self) -> Result<(), AuditError> {
        if self.closed {
            self.sync()?;
            self.next_file()?;
        }
        if self.end.bytes > 0 {
            return Ok(());
        }
        files::sync_name(&self.place.path(self.end.number))?;
        self.begin()?;
        self.sync()
    }

    fn next_file(&mut self) -> Result<(), AuditError> {
        let number = self.end.number + 1;
        let path = self.place.path(number);
        let file = files::open_private(&path, true)
            .map_err(|error| AuditError::file("begin", &path, error))?;
        take(&file, &path)?;
        self.file = Arc::new(RecordFile::new(file));
        self.end = Mark {
            number,
            bytes: 0,
            chain: self.end.chain,
        };
        // All of the file before is on disk.
        self.durable.is_now(self.end);
        self.closed = false;
        Ok(())
    }

    /// Removes the oldest files until there are no more than may be.
    ///
    /// A file behind which one is missing is not removed as the others are: the line about it would
    /// stand for the missing one as well. It stays, so that whoever checks the record sees the gap,
    /// and those behind it go in their turn.
    fn make_room(&mut self) -> Result<(), AuditError> {
        let Place::Folder { path: folder, .. } = &self.place else {
            return Ok(());
        };
        let files = files::list(folder)?;
        let ends = files
            .windows(2)
            .map(|pair| end(&pair[0], &pair[1]))
            .collect::<Result<Vec<_>, _>>()?;
        self.tell_gap(&files, &ends);
        let followed: Vec<_> = ends.iter().map(Option::is_some).collect();
        let going = going(&followed, self.keep.files);
        if going.is_empty() {
            return Ok(());
        }
        for at in &going {
            let file = self.place.shown(files[*at].number);
            let last = ends[*at];
            self.put(&(), &Own::FileRemoved { file, last })?;
        }
        self.sync()?;
        for at in going {
            let path = &files[at].path;
            fs::remove_file(path).map_err(|error| AuditError::file("remove", path, error))?;
        }
        Ok(())
    }

    /// Says in the log that a file is missing, once for each.
    fn tell_gap(&mut self, files: &[Numbered], ends: &[Option<Head>]) {
        let gap = ends.iter().rposition(Option::is_none);
        let before = gap.map(|at| files[at].number);
        if let Some(number) = before.filter(|_| before != self.gap) {
            tracing::error!(
                file = self.place.shown(number),
                "what followed this file of the audit record was taken away or changed; the file is \
                 kept to show it, until somebody moves it elsewhere"
            );
        }
        self.gap = before;
    }
}

/// The last line of a file, as the next one has it. None where the next one is missing, or does not
/// begin as one of a record.
fn end(file: &Numbered, next: &Numbered) -> Result<Option<Head>, AuditError> {
    if files::follows(file, next).is_err() {
        return Ok(None);
    }
    let before =
        repair::before(&next.path).map_err(|error| AuditError::file("read", &next.path, error))?;
    Ok(before.and_then(|before| before.head()))
}

/// Which files go, oldest first, if so many are kept. Of each but the last, which is being written,
/// `followed` says whether the next one is there. Those before a gap are kept beside the others, and
/// are no more than them: the last gap always shows.
fn going(followed: &[bool], keep: usize) -> Vec<usize> {
    let keep = keep.max(1);
    let (mut going, mut gaps): (Vec<_>, Vec<_>) = (0..followed.len()).partition(|at| followed[*at]);
    // The last file is one of those that are kept.
    going.truncate((going.len() + 1).saturating_sub(keep));
    gaps.truncate(gaps.len().saturating_sub(keep));
    going.append(&mut gaps);
    going.sort_unstable();
    going
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_kept_is_bounded_and_a_gap_is_never_removed_away(
            followed in prop::collection::vec(any::<bool>(), 0..100), keep in 0usize..40
        ) {
            let going = going(&followed, keep);
            let kept = followed.len() + 1 - going.len();
            prop_assert!(kept <= 2 * keep.max(1));
            prop_assert!(kept >= keep.min(followed.len() + 1));
            prop_assert!(going.is_sorted());
            let shows = (0..followed.len()).any(|at| !followed[at] && !going.contains(&at));
            prop_assert_eq!(shows, followed.contains(&false));
            if !followed.contains(&false) {
                // The oldest, and no other.
                prop_assert!(going.iter().copied().eq(0..going.len()));
            }
        }
    }
}
