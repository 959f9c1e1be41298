//! Bundles on this runner's disk, by digest. Only a place to keep them: what is read here is
//! verified again before it is used.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wharf_bundle::{MAX_COMPONENT, Manifest, read_file};
use wharf_policy::Digest;

use crate::AgentError;
use crate::papers::Papers;
use crate::private_file::{private_folder, write_whole};

/// The folder of bundles in the state folder.
pub(crate) const FOLDER: &str = "bundles";

/// Bytes of all bundles together; past it, the oldest go.
const ROOM: u64 = 4 << 30;

/// The folder of bundles.
#[derive(Debug, Clone)]
pub(crate) struct BundleFiles {
    folder: PathBuf,
}

impl BundleFiles {
    pub(crate) fn open(folder: PathBuf) -> Result<Self, AgentError> {
        private_folder(&folder)?;
        Ok(Self { folder })
    }

    fn component(&self, digest: Digest) -> PathBuf {
        self.folder.join(format!("{}.wasm", digest.to_hex()))
    }

    fn beside(&self, digest: Digest, suffix: &str) -> PathBuf {
        let name = format!("{}.wasm{suffix}", digest.to_hex());
        self.folder.join(name)
    }

    /// The component, if a whole one is here. One that was changed on disk is removed.
    pub(crate) fn read_component(&self, digest: Digest) -> Option<Vec<u8>> {
        let path = self.component(digest);
        let bytes = read(&path, MAX_COMPONENT)?;
        if wharf_bundle::digest(&bytes) == digest {
            return Some(bytes);
        }
        tracing::warn!(path = %path.display(), "a stored bundle was damaged; fetching it again");
        let _ = fs::remove_file(path);
        None
    }

    /// What lies beside a component here.
    pub(crate) fn read_papers(&self, digest: Digest) -> Papers {
        Papers::each(|kind| read(&self.beside(digest, kind.suffix()), kind.limit()))
    }

    /// Keeps a component. That it cannot be kept is no reason not to run it.
    pub(crate) fn keep_component(&self, digest: Digest, bytes: &[u8]) {
        self.keep(&self.component(digest), bytes);
        self.make_room();
    }

    /// Keeps what was verified with a component.
    pub(crate) fn keep_papers(&self, digest: Digest, papers: &Papers) {
        for (kind, bytes) in papers.iter() {
            self.keep(&self.beside(digest, kind.suffix()), bytes);
        }
    }

    fn keep(&self, path: &Path, bytes: &[u8]) {
        if let Err(error) = write_whole(path, bytes) {
            tracing::warn!(%error, "a bundle cannot be kept on disk");
        }
    }

    /// Removes the oldest files until the rest fits.
    fn make_room(&self) {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut all: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if all <= ROOM {
                return;
            }
            if fs::remove_file(path).is_ok() {
                all -= size;
            }
        }
    }
}

/// What the component with this digest says it is, if the runner of that state folder keeps it.
/// The bytes are those of the digest; nobody's signature is checked.
pub fn kept_manifest(state_dir: &Path, digest: Digest) -> Option<Manifest> {
    let files = BundleFiles {
        folder: state_dir.join(FOLDER),
    };
    let bytes = read(&files.component(digest), MAX_COMPONENT)?;
    let whole = wharf_bundle::digest(&bytes) == digest;
    Manifest::read(&bytes).ok().filter(|_| whole)
}

/// The bytes of a file, if it can be read and is no larger than anything that is kept here.
fn read(path: &Path, limit: usize) -> Option<Vec<u8>> {
    match read_file(path, limit) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "a stored bundle cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_that_was_changed_on_disk_is_not_given_out() {
        let folder = tempfile::tempdir().unwrap();
        let files = BundleFiles::open(folder.path().join("bundles")).unwrap();
        let digest = wharf_bundle::digest(b"component");
        assert!(files.read_component(digest).is_none());
        files.keep_component(digest, b"component");
        assert_eq!(files.read_component(digest).unwrap(), b"component");
        fs::write(files.component(digest), b"comp0nent").unwrap();
        assert!(files.read_component(digest).is_none());
        assert!(!files.component(digest).exists());
    }

    #[test]
    fn what_lies_beside_a_component_and_grew_on_disk_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let files = BundleFiles::open(folder.path().join("bundles")).unwrap();
        let digest = wharf_bundle::digest(b"component");
        let of = |size| Papers::each(|kind| Some(vec![b' '; kind.limit() + size]));
        files.keep_papers(digest, &of(0));
        assert_eq!(files.read_papers(digest), of(0));
        files.keep_papers(digest, &of(1));
        assert_eq!(files.read_papers(digest), Papers::default());
    }
}
