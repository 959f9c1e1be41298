//! Large things as files named by their digest: bundles, their signatures and attestations, payloads.
//!
//! A file appears under its name only when it is whole and on the disk, so a reader never sees a
//! half of one, and a reference that was committed never dangles.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wharf_policy::Digest;

/// Which kind of thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shelf {
    /// Components, by their own digest.
    Bundles,
    /// Sigstore bundles, by the digest of the component that they sign.
    Signatures,
    /// Sigstore bundles that attest something of a component, by its digest.
    Attestations,
    /// JSON documents, by their own digest.
    Payloads,
    /// Sealed secrets, by the digest of their group and name.
    Sealed,
}

impl Shelf {
    const ALL: [Self; 5] = [
        Self::Bundles,
        Self::Signatures,
        Self::Attestations,
        Self::Payloads,
        Self::Sealed,
    ];

    /// Whether what is under a digest has that digest, so that it never changes.
    const fn by_content(self) -> bool {
        matches!(self, Self::Bundles | Self::Payloads)
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Bundles => "bundles",
            Self::Signatures => "signatures",
            Self::Attestations => "attestations",
            Self::Payloads => "payloads",
            Self::Sealed => "sealed",
        }
    }
}

/// A file that could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{action} {path}: {source}; check free space and permissions there")]
pub struct BlobError {
    action: &'static str,
    path: String,
    source: io::Error,
}

/// The folders. Every method blocks.
#[derive(Debug, Clone)]
pub(crate) struct Blobs {
    root: PathBuf,
}

impl Blobs {
    /// Opens the folders, made if missing, for this user only.
    pub(crate) fn open(data: &Path) -> Result<Self, BlobError> {
        let root = data.join("blobs");
        for folder in Shelf::ALL.map(Shelf::folder).into_iter().chain(["new"]) {
            let path = root.join(folder);
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(failed("cannot make", &path))?;
        }
        // What was being written when the process died.
        let unfinished = root.join("new");
        for entry in fs::read_dir(&unfinished).map_err(failed("cannot read", &unfinished))? {
            let path = entry.map_err(failed("cannot read", &unfinished))?.path();
            fs::remove_file(&path).map_err(failed("cannot remove", &path))?;
        }
        Ok(Self { root })
    }

    fn path(&self, shelf: Shelf, digest: &Digest) -> PathBuf {
        self.root.join(shelf.folder()).join(digest.to_hex())
    }

    /// Keeps these bytes, durably, also in place of what was lost or damaged. The caller has checked
    /// that they belong under this digest.
    pub(crate) fn put(&self, shelf: Shelf, digest: &Digest, bytes: &[u8]) -> Result<(), BlobError> {
        let path = self.path(shelf, digest);
        if shelf.by_content() && holds(&path, bytes).unwrap_or(false) {
            return Ok(());
        }
        let new = self
            .root
            .join("new")
            .join(ulid::Ulid::generate().to_string());
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(self.root.join(shelf.folder()))?.sync_all()
        };
        write().map_err(|source| {
            // It is only a file without a name that anyone looks for; the next start removes it.
            let _ = fs::remove_file(&new);
            failed("cannot write", &path)(source)
        })
    }

    /// The bytes under this digest, if there are any.
    pub(crate) fn get(&self, shelf: Shelf, digest: &Digest) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path(shelf, digest);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("cannot read", &path)(error)),
        }
    }

    /// Removes what is under this digest, durably. Whether there was anything.
    pub(crate) fn remove(&self, shelf: Shelf, digest: &Digest) -> Result<bool, BlobError> {
        let path = self.path(shelf, digest);
        let remove = || {
            fs::remove_file(&path)?;
            File::open(self.root.join(shelf.folder()))?.sync_all()
        };
        match remove() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(failed("cannot remove", &path)(error)),
        }
    }

    /// All digests of a shelf, in no order.
    pub(crate) fn list(&self, shelf: Shelf) -> Result<Vec<Digest>, BlobError> {
        let folder = self.root.join(shelf.folder());
        let read = || -> io::Result<Vec<Digest>> {
            let mut found = Vec::new();
            for entry in fs::read_dir(&folder)? {
                let name = entry?.file_name();
                let hex = name.to_str().unwrap_or_default();
                found.extend(format!("sha256:{hex}").parse::<Digest>());
            }
            Ok(found)
        };
        read().map_err(failed("cannot read", &folder))
    }

    /// The size of what is under this digest, if there is anything.
    pub(crate) fn size(&self, shelf: Shelf, digest: &Digest) -> Option<u64> {
        fs::metadata(self.path(shelf, digest))
            .ok()
            .map(|data| data.len())
    }
}

/// Whether a file has these bytes and no others.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() != bytes.len() as u64 {
        return Ok(false);
    }
    let mut there = [0; 64 << 10];
    for part in bytes.chunks(there.len()) {
        let there = &mut there[..part.len()];
        file.read_exact(there)?;
        if there != part {
            return Ok(false);
        }
    }
    Ok(true)
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> BlobError + 'a {
    move |source| BlobError {
        action,
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_after_opening_again_and_leftovers_are_not() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(data.path()).unwrap();
        let digest = wharf_bundle::digest(b"hello");
        blobs.put(Shelf::Payloads, &digest, b"hello").unwrap();
        fs::write(data.path().join("blobs/new/half"), b"hel").unwrap();
        let blobs = Blobs::open(data.path()).unwrap();
        assert_eq!(
            blobs.get(Shelf::Payloads, &digest).unwrap().unwrap(),
            b"hello"
        );
        assert_eq!(blobs.size(Shelf::Payloads, &digest), Some(5));
        assert_eq!(blobs.get(Shelf::Bundles, &digest).unwrap(), None);
        assert_eq!(
            fs::read_dir(data.path().join("blobs/new")).unwrap().count(),
            0
        );
    }

    #[test]
    fn what_is_put_again_is_whole_again_and_what_is_whole_is_not_written() {
        let data = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(data.path()).unwrap();
        let whole = vec![7; (64 << 10) + 1];
        let digest = wharf_bundle::digest(&whole);
        let path = blobs.path(Shelf::Bundles, &digest);
        let put = || blobs.put(Shelf::Bundles, &digest, &whole).unwrap();
        put();
        let inode = |path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let first = inode(&path);
        put();
        assert_eq!(inode(&path), first);
        let mut other = whole.clone();
        *other.last_mut().unwrap() = 8;
        for damaged in [&whole[1..], &other, &[]] {
            fs::write(&path, damaged).unwrap();
            put();
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
        fs::remove_file(&path).unwrap();
        put();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}
