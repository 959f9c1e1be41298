//! Following the chain over all files of a record, also of one that is being written meanwhile.
//!
//! A writer goes on to another file, removes the oldest, and is seen in the middle of a line. Where
//! the walk comes to an end that may be due to that, it lists the files again and goes on. What a
//! writer that is there no more has left is told at once, as what it is.

use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::follow::Follow;
use crate::line::LONGEST;
use crate::{AuditError, Fault, Head, files};

/// So often it is looked whether a writer has gone on.
pub(crate) const LOOKS: usize = 100;
/// A writer between two files waits for the disk.
const PAUSE: Duration = Duration::from_millis(50);

/// Gives every line of a record to `each`. Gives how many files there are, and what was followed.
pub(crate) fn walk(
    path: &Path,
    each: impl FnMut(&[u8], Head, &str),
) -> Result<(usize, Follow), AuditError> {
    walk_pausing(path, each, || thread::sleep(PAUSE))
}

/// The same, with something else than sleep while a writer is in the middle of something.
pub(crate) fn walk_pausing(
    path: &Path,
    mut each: impl FnMut(&[u8], Head, &str),
    mut pause: impl FnMut(),
) -> Result<(usize, Follow), AuditError> {
    let mut walk = Walk::default();
    let mut went = walk.on(path, &mut each);
    for _ in 0..LOOKS {
        if !may_be_passing(path, &walk.follow, &went) {
            break;
        }
        // Asked before it is read again: what a writer leaves that ends in between is seen then.
        let writing = is_being_written(path, walk.at.as_ref());
        if writing {
            pause();
        }
        let (listed, at) = (walk.listed.clone(), walk.at.clone());
        went = walk.on(path, &mut each);
        if !writing && walk.listed == listed && walk.at == at {
            break;
        }
    }
    went.map(|()| (walk.listed.len(), walk.follow))
}

/// Whether an end may be due to a writer that is about to go on.
fn may_be_passing(path: &Path, follow: &Follow, went: &Result<(), AuditError>) -> bool {
    match went {
        Ok(()) => follow.closed() && path.is_dir(),
        Err(AuditError::Bad { fault, .. }) => *fault == Fault::Torn,
        Err(AuditError::File { source, .. }) => source.kind() == io::ErrorKind::NotFound,
        Err(_) => false,
    }
}

/// Whether a process holds a record as a writer does: its folder, and the last file until the next
/// one is made.
fn is_being_written(path: &Path, at: Option<&At>) -> bool {
    let lock = path.join(files::LOCK);
    let held = |file: &Path| {
        let opened = File::open(file);
        opened.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    };
    held(&lock) || at.is_some_and(|at| held(&at.file))
}

#[derive(Default)]
struct Walk {
    /// The files as they were last listed.
    listed: Vec<PathBuf>,
    /// Where it has come to. None before the first file.
    at: Option<At>,
    follow: Follow,
}

/// A place between two lines of a file.
#[derive(Clone, PartialEq, Eq)]
struct At {
    file: PathBuf,
    lines: u64,
    bytes: u64,
}

impl At {
    fn beginning(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            lines: 0,
            bytes: 0,
        }
    }
}

impl Walk {
    /// Lists the files, and goes on from where it is as far as the chain holds.
    fn on(
        &mut self,
        path: &Path,
        each: &mut impl FnMut(&[u8], Head, &str),
    ) -> Result<(), AuditError> {
        let files = files::of(path)?;
        self.listed.clone_from(&files);
        let from = match &self.at {
            Some(at) if files[0] <= at.file => {
                files.iter().take_while(|file| **file < at.file).count()
            }
            // All that was followed is removed by now: what is here has to hold by itself.
            _ => {
                self.at = None;
                self.follow = Follow::default();
                0
            }
        };
        for file in &files[from..] {
            self.file(file, each)?;
        }
        Ok(())
    }

    /// Follows one file, from where it stands in it.
    fn file(
        &mut self,
        path: &Path,
        each: &mut impl FnMut(&[u8], Head, &str),
    ) -> Result<(), AuditError> {
        let failed = |error| AuditError::file("read", path, error);
        let mut opened = File::open(path).map_err(failed)?;
        let at = match &mut self.at {
            Some(at) if at.file == path => at,
            at => at.insert(At::beginning(path)),
        };
        opened.seek(SeekFrom::Start(at.bytes)).map_err(failed)?;
        let mut reader = BufReader::with_capacity(256 << 10, opened);
        let mut line = Vec::new();
        while read_line(&mut reader, &mut line).map_err(failed)? {
            let begins_file = at.lines == 0;
            let (whole, head) = whole(&line)
                .and_then(|whole| Ok((whole, self.follow.step(begins_file, whole)?)))
                .map_err(|fault| AuditError::Bad {
                    path: path.to_owned(),
                    line: at.lines + 1,
                    fault,
                })?;
            at.lines += 1;
            at.bytes += line.len() as u64;
            each(whole, head, self.follow.last_event());
        }
        Ok(())
    }
}

/// Reads a line with its end, and no more than a line may have. `false` at the end of the file.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let most = LONGEST as u64 + 2;
    Ok(reader.take(most).read_until(b'\n', line)? > 0)
}

fn whole(line: &[u8]) -> Result<&[u8], Fault> {
    match line.strip_suffix(b"\n") {
        Some(line) => Ok(line),
        None if line.len() > LONGEST => {
            Err(Fault::NotALine(format!("it has over {LONGEST} bytes")))
        }
        None => Err(Fault::Torn),
    }
}
