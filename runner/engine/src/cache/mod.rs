//! Compiled code on disk, between starts. Compiled code is trusted code: what is read here is used
//! only if this host made it, for this component and this engine. Anything else is compiled again.
//! Never fails a load: a cache that does not work is a warning and a slower start.

mod artifact;
mod deserialize;
mod folder;
mod key;

use std::path::Path;

use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wharf_policy::{ByteSize, Digest};

use self::folder::Folder;
use self::key::HostKey;

/// What an artifact is of. Two that differ in anything are never mistaken for each other.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    component: Digest,
    engine: [u8; 32],
}

impl Identity {
    fn file_name(&self) -> String {
        format!(
            "{}-{}-{}-{}.bin",
            self.component.to_hex(),
            hex::encode(&self.engine[..16]),
            std::env::consts::ARCH,
            std::env::consts::OS,
        )
    }
}

/// The cache of one engine.
pub(crate) struct DiskCache {
    folder: Folder,
    key: HostKey,
    engine: [u8; 32],
    limit: ByteSize,
}

/// Why there is no cache.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("{what} {path}: {error}")]
    Io {
        what: &'static str,
        path: String,
        error: std::io::Error,
    },
    #[error("{path} belongs to somebody else: choose a folder of your own")]
    Foreign { path: String },
    #[error("{path} is open to others (mode {mode:o}): remove it, and it is made anew")]
    Open { path: String, mode: u32 },
    #[error("{path} is not a key of 32 bytes: remove it, and it is made anew")]
    NoKey { path: String },
    #[error("no random numbers for {path}: {why}")]
    NoRandom { path: String, why: String },
}

impl DiskCache {
    /// Opens the cache in this folder, or makes it.
    pub(crate) fn open(
        root: &Path,
        limit: ByteSize,
        engine: &wasmtime::Engine,
    ) -> Result<Self, CacheError> {
        let root_folder = Folder::open_or_make(root)?;
        let key = HostKey::read_or_make(&root_folder, "compiled.key")?;
        let folder = root_folder.child("compiled")?;
        Ok(Self {
            folder,
            key,
            engine: fingerprint(engine),
            limit,
        })
    }

    /// The compiled component, if this host has compiled it for this engine before.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, component: Digest) -> Option<Component> {
        let identity = self.identity(component);
        let name = identity.file_name();
        // One read into one buffer: what is authenticated is what is loaded.
        let bytes = match self.folder.read(&name, self.limit.get()) {
            Ok(bytes) => bytes?,
            Err(error) => {
                tracing::warn!(%error, "compiled code cannot be read; compiling again");
                return None;
            }
        };
        let Some(code) = artifact::open(&bytes, &self.key, &identity) else {
            tracing::warn!(
                file = %self.folder.path_of(&name),
                "compiled code was not written by this host, or was changed; compiling again"
            );
            return None;
        };
        match deserialize::component(engine, code) {
            Ok(component) => {
                self.folder.touch(&name);
                Some(component)
            }
            Err(error) => {
                tracing::warn!(
                    file = %self.folder.path_of(&name), %error,
                    "compiled code does not fit this engine; compiling again"
                );
                None
            }
        }
    }

    /// Keeps what was just compiled, and drops what is oldest where that is too much.
    pub(crate) fn store(&self, component: Digest, code: &[u8]) {
        let identity = self.identity(component);
        let sealed = artifact::seal(code, &self.key, &identity);
        let kept = self
            .folder
            .write(&identity.file_name(), &sealed)
            .and_then(|()| self.folder.shrink_to(self.limit.get()));
        if let Err(error) = kept {
            tracing::warn!(%error, "compiled code cannot be kept; the next start compiles again");
        }
    }

    fn identity(&self, component: Digest) -> Identity {
        Identity {
            component,
            engine: self.engine,
        }
    }
}

/// Everything that compiled code depends on in the engine: version, target, settings.
fn fingerprint(engine: &wasmtime::Engine) -> [u8; 32] {
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
    collect.0.finalize().into()
}

#[cfg(test)]
mod tests;
