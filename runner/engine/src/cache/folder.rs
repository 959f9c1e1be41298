//! A folder that is this user's alone, and files in it that are whole or not there.

use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_std::fs::{
    Dir, DirBuilder, DirBuilderExt as _, Metadata, MetadataExt, OpenOptions, OpenOptionsExt,
};

use super::CacheError;
use super::shrink::{Aged, Keep, older, surplus};

/// An open folder. Paths are looked up in it, not again from the root.
pub(super) struct Folder {
    dir: Dir,
    path: PathBuf,
}

/// A file in a folder.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) used: SystemTime,
}

impl Entry {
    fn temporary(&self) -> bool {
        self.name.starts_with(TEMPORARY)
    }

    /// Whether somebody may be writing it now. Otherwise a temporary file was left behind.
    pub(super) fn being_written(&self) -> bool {
        self.temporary() && !older(self.used, LEFT_BEHIND, SystemTime::now())
    }
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
        Self::open(path)?.ok_or_else(|| fail("cannot open the folder")(gone()))
    }

    /// Opens a folder; none if there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CacheError> {
        match Dir::open_ambient_dir(path, cap_std::ambient_authority()) {
            // A data folder may be listed by others; what is in it is guarded by itself.
            Ok(dir) => Self::checked(dir, path.to_owned(), WRITE).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CacheError::Io {
                what: "cannot open the folder",
                path: path.display().to_string(),
                error,
            }),
        }
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
        self.existing_child(name)?
            .ok_or_else(|| self.fail("cannot open the folder", name, gone()))
    }

    /// Opens a folder in this one; none if there is none.
    pub(super) fn existing_child(&self, name: &str) -> Result<Option<Self>, CacheError> {
        match self.dir.open_dir(name) {
            Ok(dir) => Self::checked(dir, self.path.join(name), ANY).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.fail("cannot open the folder", name, error)),
        }
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
        // A process number would do on one host, but not for containers that share a folder.
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| CacheError::NoRandom {
            path: self.path_of(name),
            why: error.to_string(),
        })?;
        let temporary = format!("{TEMPORARY}{}", hex::encode(random));
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

    /// Everything in the folder.
    pub(super) fn entries(&self) -> Result<Vec<Entry>, CacheError> {
        let fail = |error| self.fail("cannot list", "", error);
        let mut entries = Vec::new();
        for entry in self.dir.entries().map_err(fail)? {
            let entry = entry.map_err(fail)?;
            // Gone if it was removed by another process in between. No file of a cache has a name
            // that is not text.
            if let (Ok(metadata), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) {
                entries.push(Entry {
                    name,
                    size: metadata.len(),
                    used: metadata
                        .modified()
                        .map_or(SystemTime::UNIX_EPOCH, |time| time.into_std()),
                });
            }
        }
        Ok(entries)
    }

    /// Removes a file. Whether it was there.
    pub(super) fn remove(&self, name: &str) -> Result<bool, CacheError> {
        match self.dir.remove_file(name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.fail("cannot remove", name, error)),
        }
    }

    /// Removes the files that are too old, and of the others those that were not used for the
    /// longest time until they are small enough together. Leftovers of writers that died go as well.
    pub(super) fn shrink(&self, keep: Keep) -> Result<(), CacheError> {
        let (temporary, files): (Vec<_>, Vec<_>) =
            self.entries()?.into_iter().partition(Entry::temporary);
        let left = temporary.into_iter().filter(|entry| !entry.being_written());
        let files = files.into_iter().map(|entry| Aged {
            used: entry.used,
            size: entry.size,
            what: entry.name,
        });
        let surplus = surplus(files.collect(), keep, SystemTime::now());
        for name in left.map(|entry| entry.name).chain(surplus) {
            // Something that is no file, and was not put there by a cache, is no reason to stop.
            self.remove(&name).ok();
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
const LEFT_BEHIND: Duration = Duration::from_secs(600);

fn gone() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}
