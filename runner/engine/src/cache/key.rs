//! The key that authenticates compiled code: 32 random bytes that never leave this host.

use zeroize::Zeroizing;

use super::CacheError;
use super::folder::Folder;

const LENGTH: usize = 32;

/// The key of this host.
pub(super) struct HostKey(Zeroizing<[u8; LENGTH]>);

impl HostKey {
    /// Reads the key, or makes it. Of several processes that start together one makes it, and all
    /// use that one.
    pub(super) fn read_or_make(folder: &Folder, name: &str) -> Result<Self, CacheError> {
        if let Some(key) = Self::read(folder, name)? {
            return Ok(key);
        }
        let mut fresh = Zeroizing::new([0; LENGTH]);
        getrandom::fill(fresh.as_mut_slice()).map_err(|error| CacheError::NoRandom {
            path: folder.path_of(name),
            why: error.to_string(),
        })?;
        folder.write_if_missing(name, fresh.as_slice())?;
        // Read back what is there, whoever wrote it.
        Self::read(folder, name)?.ok_or_else(|| CacheError::NoKey {
            path: folder.path_of(name),
        })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The key, if there is one.
    pub(super) fn read(folder: &Folder, name: &str) -> Result<Option<Self>, CacheError> {
        let Some(bytes) = folder.read(name, LENGTH as u64 + 1)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let mut key = Zeroizing::new([0; LENGTH]);
        if bytes.len() != LENGTH {
            return Err(CacheError::NoKey {
                path: folder.path_of(name),
            });
        }
        key.copy_from_slice(&bytes);
        Ok(Some(Self(key)))
    }
}
