//! A folder that is this user's alone, and files in it that are whole or not there.

use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use cap_std::fs::{
    Dir, DirBuilder, DirBuilderExt as _, Metadata, MetadataExt, OpenOptions, OpenOptionsExt,
};

use super::CacheError;

/// An open folder. Paths are looked up in it, not again from the root.
pub(super) struct Folder {
    dir: Dir,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, or makes it and its parents.
    pub(super) fn open_or_make(path: &Path) -> Result<Self, CacheError> {
        let fail = |what| {
            move |error| CacheError::Io {
                what,
                path: path.display().to_string(),
                error,
            }
        };
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(fail("cannot make the folder"))?;
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority())
            .map_err(fail("cannot open the folder"))?;
        // A data folder may be listed by others; what is in it is guarded by itself.
        Self::checked(dir, path.to_owned(), WRITE)
    }

    /// Opens a folder in this one, or makes it.
    pub(super) fn child(&self, name: &str) -> Result<Self, CacheError> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        match self.dir.create_dir_with(name, &builder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(self.fail("cannot make the folder", name, error));
            }
            _ => {}
        }
        let dir = self
            .dir
            .open_dir(name)
            .map_err(|error| self.fail("cannot open the folder", name, error))?;
        Self::checked(dir, self.path.join(name), ANY)
    }

    fn checked(dir: Dir, path: PathBuf, forbidden: u32) -> Result<Self, CacheError> {
        let shown = path.display().to_string();
        let metadata = dir.dir_metadata().map_err(|error| CacheError::Io {
            what: "cannot look at the folder",
            path: shown.clone(),
            error,
        })?;
        ours_alone(&metadata, forbidden, shown)?;
        Ok(Self { dir, path })
    }

    pub(super) fn path_of(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// The bytes of a file, or none if there is no such file. A file past the limit, of somebody
    /// else, or that others can read or write is an error.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, CacheError> {
        let fail = |error| self.fail("cannot read", name, error);
        let mut file = match self.dir.open(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        let metadata = file.metadata().map_err(fail)?;
        ours_alone(&metadata, ANY, self.path_of(name))?;
        if !metadata.is_file() || metadata.len() > limit {
            return Err(fail(io::Error::other("not a file, or too large")));
        }
        // The length is only a hint: the file is read to its end, and never past the limit.
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        (&mut file)
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .map_err(fail)?;
        if bytes.len() as u64 > limit {
            return Err(fail(io::Error::other("too large")));
        }
        Ok(Some(bytes))
    }

    /// Puts a file in place of what has this name.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        self.through_temporary(name, bytes, |temporary| {
            self.dir.rename(temporary, &self.dir, name)
        })
    }

    /// Puts a file in place if nothing has this name.
    pub(super) fn write_if_missing(&self, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        self.through_temporary(name, bytes, |temporary| {
            let linked = match self.dir.hard_link(temporary, &self.dir, name) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            };
            linked.and(self.dir.remove_file(temporary))
        })
    }

    fn through_temporary(
        &self,
        name: &str,
        bytes: &[u8],
        place: impl FnOnce(&str) -> io::Result<()>,
    ) -> Result<(), CacheError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let temporary = format!(
            "{TEMPORARY}{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        // One of the same number was left by a process that is no more.
        self.dir.remove_file(&temporary).ok();
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let written = self
            .dir
            .open_with(&temporary, &options)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
        written.and_then(|()| place(&temporary)).map_err(|error| {
            self.dir.remove_file(&temporary).ok();
            self.fail("cannot write", name, error)
        })
    }

    /// Notes that a file was used.
    pub(super) fn touch(&self, name: &str) {
        // Only the order of eviction hangs on it.
        if let Ok(file) = self.dir.open(name) {
            file.into_std().set_modified(SystemTime::now()).ok();
        }
    }

    /// Removes the files that were not used for the longest time, until all together have at most
    /// so many bytes. Leftovers of writers that died go as well.
    pub(super) fn shrink_to(&self, limit: u64) -> Result<(), CacheError> {
        let fail = |error| self.fail("cannot list", "", error);
        let mut files = Vec::new();
        for entry in self.dir.entries().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let Ok(metadata) = entry.metadata() else {
                continue; // Removed by another process in between.
            };
            let used = metadata
                .modified()
                .map_or(SystemTime::UNIX_EPOCH, |time| time.into_std());
            let name = entry.file_name();
            let old = used.elapsed().is_ok_and(|age| age > LEFT_BEHIND);
            if old && name.to_string_lossy().starts_with(TEMPORARY) {
                self.dir.remove_file(&name).ok();
            } else {
                files.push((used, metadata.len(), name));
            }
        }
        files.sort();
        let mut total: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, name) in files {
            if total <= limit {
                break;
            }
            if self.dir.remove_file(&name).is_ok() {
                total -= length;
            }
        }
        Ok(())
    }

    fn fail(&self, what: &'static str, name: &str, error: io::Error) -> CacheError {
        CacheError::Io {
            what,
            path: self.path_of(name),
            error,
        }
    }
}

/// Whether this is this user's and the others have none of these permissions.
fn ours_alone(metadata: &Metadata, forbidden: u32, path: String) -> Result<(), CacheError> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(CacheError::Foreign { path });
    }
    if metadata.mode() & forbidden != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(CacheError::Open { path, mode });
    }
    Ok(())
}

/// What nobody else may do with a key or with compiled code.
const ANY: u32 = 0o077;
/// What nobody else may do with the folder around them.
const WRITE: u32 = 0o022;

const TEMPORARY: &str = ".new-";
/// No write takes this long.
const LEFT_BEHIND: std::time::Duration = std::time::Duration::from_secs(600);
