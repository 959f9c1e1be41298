//! Opening a record: taking it for this process, finding its end, mending what a crash left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::chain::Chain;
use crate::durable::Durable;
use crate::own::Own;
use crate::record_file::RecordFile;
use crate::repair::{self, End};
use crate::tail::{Mark, Tail};
use crate::{AuditError, Fault, Keep, files};

/// So often a file is tried to be taken, for about a second in all.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// Where a record is.
pub(crate) enum Place {
    /// In a folder of its own, in numbered files.
    Folder {
        path: PathBuf,
        /// Held for as long as this process writes there.
        _lock: File,
    },
    /// In one file.
    File(PathBuf),
}

impl Place {
    /// A folder, made private and taken for this process.
    pub(crate) fn folder(path: &Path) -> Result<Self, AuditError> {
        let failed = |error| AuditError::file("make the private folder", path, error);
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let lock = path.join(files::LOCK);
        let lock = File::create(&lock).map_err(|error| AuditError::file("open", &lock, error))?;
        take(&lock, path)?;
        Ok(Self::Folder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        match self {
            Self::Folder { path, .. } => path.join(files::name(number)),
            Self::File(path) => path.clone(),
        }
    }

    /// The name of a file, for a line.
    pub(crate) fn shown(&self, number: u64) -> String {
        let path = self.path(number);
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The number of the last file that is there.
    fn last(&self) -> Result<Option<u64>, AuditError> {
        match self {
            Self::Folder { path, .. } => Ok(files::list(path)?.last().map(|file| file.number)),
            Self::File(path) => Ok(path.exists().then_some(1)),
        }
    }
}

/// Takes a file for this process. Beside a folder's lock each file of a record is taken as well:
/// someone may have removed the lock.
pub(crate) fn take(file: &File, path: &Path) -> Result<(), AuditError> {
    take_pausing(file, path, || thread::sleep(PAUSE))
}

/// The same, with something else than sleep while another one has it. Whoever checks a record has it
/// for a moment, to see whether it is being written; whoever writes it keeps it.
fn take_pausing(file: &File, path: &Path, mut pause: impl FnMut()) -> Result<(), AuditError> {
    for attempt in 1.. {
        match file.try_lock() {
            Ok(()) => break,
            Err(fs::TryLockError::WouldBlock) if attempt < TRIES => pause(),
            Err(fs::TryLockError::WouldBlock) => return Err(AuditError::InUse(path.to_owned())),
            Err(fs::TryLockError::Error(error)) => {
                return Err(AuditError::file("lock", path, error));
            }
        }
    }
    Ok(())
}

/// Opens a record at its end, or begins one, and says so in a line.
pub(crate) fn open(place: Place, runner: &str, keep: Keep) -> Result<Tail, AuditError> {
    let last = place.last()?;
    let number = last.unwrap_or(1);
    let path = place.path(number);
    let mut file = files::open_private(&path, last.is_none())
        .map_err(|error| AuditError::file("open", &path, error))?;
    take(&file, &path)?;
    let end = repair::end(&path, &mut file)?;
    let before = match end.before {
        Some(chain) => chain,
        None => before(&place, number)?,
    };
    let mark = |bytes, chain| Mark {
        number,
        bytes,
        chain,
    };
    let mut tail = Tail {
        place,
        runner: runner.to_owned(),
        keep,
        file: Arc::new(RecordFile::new(file)),
        end: mark(end.bytes, end.chain.unwrap_or(before)),
        durable: Durable::new(
            end.stopped
                .map_or(mark(0, before), |(bytes, chain)| mark(bytes, chain)),
        ),
        closed: end.closed && end.torn.is_none(),
        trouble: None,
        gap: None,
        name: ulid::Ulid::generate().to_string(),
    };
    // It may have ended with a sync that failed, which nobody knows of any more. Where the writer
    // ended in order, only that of its last line may have.
    tail.rewrite()?;
    mend(&mut tail, end)?;
    let started = Own::WriterStarted {
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
    };
    tail.put(&(), &started)?;
    tail.sync()?;
    files::sync_name(&path)?;
    Ok(tail)
}

/// Writes what is missing after a crash: the line that tells of a torn one, the first line of a
/// file, or the file that follows.
fn mend(tail: &mut Tail, end: End) -> Result<(), AuditError> {
    // Over what is there, not after taking it away: whenever this breaks off, something is left
    // that is torn, and is told of next time.
    let sought = tail.file.seek(tail.end.bytes);
    sought.map_err(|error| tail.file_error("mend", error))?;
    if end.chain.is_none() {
        tail.begin()?;
    }
    if let Some(torn) = end.torn {
        tracing::warn!(
            "the audit record ended in a torn line: a crash; it is told of in its place"
        );
        tail.put(&(), &torn)?;
        tail.cut()?;
    }
    tail.go_on()
}

/// The chain before a file that holds no whole line: the end of the file before it, if there is
/// one.
fn before(place: &Place, number: u64) -> Result<Chain, AuditError> {
    let path = place.path(number.saturating_sub(1));
    if matches!(place, Place::File(_)) || number <= 1 {
        return Ok(Chain::START);
    }
    let bad = |fault| AuditError::Bad {
        path: path.clone(),
        line: 1,
        fault,
    };
    let mut file = File::open(&path).map_err(|error| AuditError::file("read", &path, error))?;
    let end = repair::end(&path, &mut file)?;
    match end {
        End {
            chain: Some(chain),
            closed: true,
            torn: None,
            ..
        } => Ok(chain),
        _ => Err(bad(Fault::NoBeginning(crate::own::ENDS))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_another_one_looks_at_for_a_moment_is_taken_after_it_and_one_that_it_keeps_is_not()
     {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.lock");
        let file = File::create(&path).unwrap();
        let looked_at = || {
            let other = File::open(&path).unwrap();
            other.lock_shared().unwrap();
            Some(other)
        };

        let mut other = looked_at();
        let mut pauses = 0;
        let lets_go = || {
            pauses += 1;
            other.take();
        };
        take_pausing(&file, &path, lets_go).unwrap();
        assert_eq!(pauses, 1);
        file.unlock().unwrap();

        let _kept = looked_at();
        let mut pauses = 0;
        let error = take_pausing(&file, &path, || pauses += 1).unwrap_err();
        assert!(matches!(error, AuditError::InUse(_)), "{error}");
        assert_eq!(pauses, TRIES - 1);
    }
}
