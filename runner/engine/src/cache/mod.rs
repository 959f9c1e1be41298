//! Compiled code on disk, between starts. Compiled code is trusted code: what is read here is used
//! only if this host made it, for this component and this engine. Anything else is compiled again.
//! Never fails a load: a cache that does not work is a warning and a slower start.

mod artifact;
mod deserialize;
mod folder;
mod identity;
mod key;
mod manage;
mod shrink;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wharf_policy::Digest;

use self::folder::Folder;
pub use self::identity::Fingerprint;
use self::identity::Identity;
use self::key::HostKey;
pub use self::manage::{CachedCode, CachedFile, Clear, Cleared, CodeCache, Finding};
pub(crate) use self::shrink::Keep;

/// The folder of compiled code, in that of the cache.
const COMPILED: &str = "compiled";
/// The key, beside it.
const KEY: &str = "compiled.key";

/// The cache of one engine.
pub(crate) struct DiskCache {
    folder: Folder,
    key: HostKey,
    engine: Fingerprint,
    keep: Keep,
    hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
}

/// How often compiled code was found on disk, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// It was there and was used.
    pub hits: u64,
    /// It was not there, so it was compiled.
    pub misses: u64,
    /// It was there and not as this host wrote it, so it was compiled again.
    pub rejected: u64,
}

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file or folder cannot be used.
    #[error("{what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Compiled code is trusted code: it is only taken from a folder of one's own.
    #[error("{path} belongs to somebody else: choose a folder of your own")]
    Foreign {
        /// Which.
        path: String,
    },
    /// Others could read the key or write code.
    #[error("{path} is open to others (mode {mode:o}): remove it, and it is made anew")]
    Open {
        /// Which.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// The key was cut.
    #[error("{path} is not a key of 32 bytes: remove it, and it is made anew")]
    NoKey {
        /// Which.
        path: String,
    },
    /// The system gives none.
    #[error("no random numbers for {path}: {why}")]
    NoRandom {
        /// What for.
        path: String,
        /// What it said.
        why: String,
    },
}

impl DiskCache {
    /// Opens the cache in this folder, or makes it, and drops what is too old or too much.
    pub(crate) fn open(
        root: &Path,
        keep: Keep,
        engine: &wasmtime::Engine,
    ) -> Result<Self, CacheError> {
        let root_folder = Folder::open_or_make(root)?;
        let key = HostKey::read_or_make(&root_folder, KEY)?;
        let folder = root_folder.child(COMPILED)?;
        folder.shrink(keep)?;
        Ok(Self {
            folder,
            key,
            engine: fingerprint(engine),
            keep,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        })
    }

    /// How often compiled code was found here.
    pub(crate) fn counts(&self) -> CacheCounts {
        CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            rejected: self.rejected.load(Ordering::Relaxed),
        }
    }

    /// The compiled component, if this host has compiled it for this engine before.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, component: Digest) -> Option<Component> {
        let (count, found) = match self.find(engine, component) {
            Ok(Some(found)) => (&self.hits, Some(found)),
            Ok(None) => (&self.misses, None),
            Err(Rejected) => (&self.rejected, None),
        };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    fn find(
        &self,
        engine: &wasmtime::Engine,
        component: Digest,
    ) -> Result<Option<Component>, Rejected> {
        let identity = Identity::here(component, self.engine);
        let name = identity.file_name();
        // One read into one buffer: what is authenticated is what is loaded.
        let bytes = match self.folder.read(&name, self.keep.size.get()) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(error) => {
                tracing::warn!(%error, "compiled code cannot be read; compiling again");
                return Err(Rejected);
            }
        };
        let Some(code) = artifact::open(&bytes, &self.key, &identity) else {
            tracing::warn!(
                file = %self.folder.path_of(&name),
                "compiled code was not written by this host, or was changed; compiling again"
            );
            return Err(Rejected);
        };
        match deserialize::component(engine, code) {
            Ok(component) => {
                self.folder.touch(&name);
                Ok(Some(component))
            }
            Err(error) => {
                tracing::warn!(
                    file = %self.folder.path_of(&name), %error,
                    "compiled code does not fit this engine; compiling again"
                );
                Err(Rejected)
            }
        }
    }

    /// Keeps what was just compiled, and drops what is oldest where that is too much.
    pub(crate) fn store(&self, component: Digest, code: &[u8]) {
        let identity = Identity::here(component, self.engine);
        let sealed = artifact::seal(code, &self.key, &identity);
        let kept = self
            .folder
            .write(&identity.file_name(), &sealed)
            .and_then(|()| self.folder.shrink(self.keep));
        if let Err(error) = kept {
            tracing::warn!(%error, "compiled code cannot be kept; the next start compiles again");
        }
    }
}

/// There is a file, and it is not used. Why was logged.
struct Rejected;

/// Everything that compiled code depends on in the engine: version, target, settings.
pub(crate) fn fingerprint(engine: &wasmtime::Engine) -> Fingerprint {
    struct Collect(Sha256);
    impl std::hash::Hasher for Collect {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0 // The digest is taken whole, below.
        }
    }
    let mut collect = Collect(Sha256::new());
    std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut collect);
    Fingerprint::from_bytes(collect.0.finalize().into())
}

#[cfg(test)]
mod tests;
