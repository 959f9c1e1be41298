//! The cache of compiled code as its operator sees it: what is there, whether it is sound, and away
//! with it. Runs no code and needs no engine. Other processes may use the folder at the same time:
//! a file that goes while it is looked at was simply not there.

use std::path::Path;
use std::time::{Duration, SystemTime};

use wharf_policy::Digest;

use super::folder::{Entry, Folder};
use super::identity::Identity;
use super::key::HostKey;
use super::shrink::older;
use super::{COMPILED, CacheError, Fingerprint, KEY, artifact};

/// No compiled component is as large.
const LARGEST: u64 = 4 << 30;

/// The compiled code that is kept in a folder.
pub struct CodeCache {
    compiled: Folder,
    key: Option<HostKey>,
}

/// A file of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedFile {
    /// Its name in the folder.
    pub name: String,
    /// What it is by its name; none if the cache does not name files so.
    pub code: Option<CachedCode>,
    /// Its size in bytes.
    pub size: u64,
    /// When an engine loaded or wrote it last.
    pub used: SystemTime,
}

/// What compiled code is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedCode {
    /// The component that it was compiled from.
    pub component: Digest,
    /// The engine that compiled it.
    pub engine: Fingerprint,
    /// The machine that it is for, such as `x86_64-linux`.
    pub target: String,
}

/// What is to be said of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// This host wrote it, and this engine would load it.
    Sound,
    /// This host wrote it, for another version or other settings of the engine. It is not loaded,
    /// and goes when it is old enough.
    Stale,
    /// It is not as this host wrote it: it was changed, or was written under another key.
    Changed,
    /// Nothing that this cache made: another name, another owner, or open to others.
    NotOurs,
}

/// Which files are to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clear {
    /// All.
    All,
    /// Those that were not used for so long.
    OlderThan(Duration),
    /// Those of these components.
    Of(Vec<Digest>),
}

/// What went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleared {
    /// Files.
    pub files: usize,
    /// Bytes.
    pub bytes: u64,
}

impl CodeCache {
    /// The cache in this folder; none if there is none. Makes nothing.
    ///
    /// # Errors
    /// It cannot be read, or is not this user's alone.
    pub fn open(root: &Path) -> Result<Option<Self>, CacheError> {
        let Some(folder) = Folder::open(root)? else {
            return Ok(None);
        };
        let Some(compiled) = folder.existing_child(COMPILED)? else {
            return Ok(None);
        };
        let key = match HostKey::read(&folder, KEY) {
            Ok(key) => key,
            // Then nothing verifies, and that is said of each file. It can still be cleared.
            Err(error) => {
                tracing::warn!(%error, "the key of the cache cannot be used");
                None
            }
        };
        Ok(Some(Self { compiled, key }))
    }

    /// All files, those used last first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<CachedFile>, CacheError> {
        let mut files: Vec<_> = self.entries()?.map(file).collect();
        files.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.name.cmp(&b.name)));
        Ok(files)
    }

    /// Checks every file as an engine would that has this fingerprint.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn verify(&self, engine: Fingerprint) -> Result<Vec<(CachedFile, Finding)>, CacheError> {
        let files = self.list()?.into_iter();
        Ok(files
            .filter_map(|file| self.finding(&file, engine).map(|finding| (file, finding)))
            .collect())
    }

    /// Removes files. The key stays: what is compiled later is sealed with it.
    ///
    /// # Errors
    /// The folder cannot be read, or a file cannot be removed.
    pub fn clear(&self, which: &Clear) -> Result<Cleared, CacheError> {
        let now = SystemTime::now();
        let mut cleared = Cleared::default();
        for entry in self.entries()? {
            let file = file(entry);
            let goes = match which {
                Clear::All => true,
                Clear::OlderThan(age) => older(file.used, *age, now),
                Clear::Of(components) => file
                    .code
                    .as_ref()
                    .is_some_and(|code| components.contains(&code.component)),
            };
            if goes && self.compiled.remove(&file.name)? {
                cleared.files += 1;
                cleared.bytes += file.size;
            }
        }
        Ok(cleared)
    }

    /// What stands in the folder but for what another process is just writing.
    fn entries(&self) -> Result<impl Iterator<Item = Entry>, CacheError> {
        let entries = self.compiled.entries()?.into_iter();
        Ok(entries.filter(|entry| !entry.being_written()))
    }

    /// None if it is gone meanwhile.
    fn finding(&self, file: &CachedFile, engine: Fingerprint) -> Option<Finding> {
        let Some(identity) = Identity::of_file(&file.name) else {
            return Some(Finding::NotOurs);
        };
        let bytes = match self.compiled.read(&file.name, LARGEST) {
            Ok(bytes) => bytes?,
            Err(CacheError::Foreign { .. } | CacheError::Open { .. }) => {
                return Some(Finding::NotOurs);
            }
            Err(error) => {
                tracing::warn!(%error, "compiled code cannot be read");
                return Some(Finding::Changed);
            }
        };
        let authentic = self
            .key
            .as_ref()
            .and_then(|key| artifact::open(&bytes, key, &identity));
        Some(match authentic {
            None => Finding::Changed,
            Some(_) if identity == Identity::here(identity.component, engine) => Finding::Sound,
            Some(_) => Finding::Stale,
        })
    }
}

fn file(entry: Entry) -> CachedFile {
    let code = Identity::of_file(&entry.name).map(|identity| CachedCode {
        component: identity.component,
        engine: identity.engine,
        target: format!("{}-{}", identity.arch, identity.os),
    });
    CachedFile {
        code,
        name: entry.name,
        size: entry.size,
        used: entry.used,
    }
}
