//! The `file:` store: the content of a file that only its owner can read.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{Document, LARGEST, Place, SecretStore, SecretValue, StoreError};

/// Reads files. Relative paths begin at a folder that is fixed when the store is made.
pub struct FileStore {
    base: PathBuf,
}

impl FileStore {
    /// A store whose relative paths begin at this folder, such as that of the policy file.
    pub fn below(base: impl Into<PathBuf>) -> Self {
        Self { base: base.into() }
    }
}

#[async_trait]
impl SecretStore for FileStore {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let value = value(self.base.join(&place.path), Readers::Owner).await?;
        Ok(Document::whole(value))
    }
}

/// Who may be able to read a file that a secret is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Only its owner.
    Owner,
    /// Anyone. For short-lived tokens that a platform puts into a container of its own.
    Anyone,
}

/// The longest line end.
const LINE_END: usize = b"\r\n".len();

/// The content of a file as a secret: without one line end, not empty, and not too large.
pub(crate) async fn value(path: PathBuf, readers: Readers) -> Result<SecretValue, StoreError> {
    // The bound is that of the secret, and the line end is not part of it.
    let bytes = content(path.clone(), readers, LARGEST + LINE_END).await?;
    match without_line_end(&bytes) {
        [] => Err(StoreError::Empty(path.display().to_string())),
        value if value.len() > LARGEST => Err(StoreError::TooLarge(path.display().to_string())),
        value => Ok(SecretValue::new(value.to_vec())),
    }
}

/// All bytes of a file.
pub(crate) async fn content(
    path: PathBuf,
    readers: Readers,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let shown = path.display().to_string();
    tokio::task::spawn_blocking(move || read(&path, readers, most))
        .await
        .unwrap_or_else(|stopped| Err(StoreError::Unavailable(shown, stopped.to_string())))
}

/// Reads the file. The mode is that of the file that is open, so it cannot be exchanged between
/// the check and the reading.
pub(crate) fn read(
    path: &Path,
    readers: Readers,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let unreadable = |source| unreadable(path, source);
    // Opening a pipe would wait for a writer, so what it is comes first, and again below.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    if readers == Readers::Owner && metadata.mode() & 0o077 != 0 {
        return Err(StoreError::Exposed {
            path: path.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    let runner = rustix::process::geteuid().as_raw();
    if readers == Readers::Owner && !may_own(metadata.uid(), runner) {
        return Err(StoreError::Foreign {
            path: path.to_owned(),
            owner: metadata.uid(),
        });
    }
    // Room for the largest and one more byte, so that the buffer never moves and leaves a copy.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most + 2));
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > most {
        return Err(StoreError::TooLarge(path.display().to_string()));
    }
    Ok(bytes)
}

/// What it means that the system does not read it.
pub(crate) fn unreadable(path: &Path, source: std::io::Error) -> StoreError {
    let path = path.to_owned();
    match source.kind() {
        std::io::ErrorKind::NotFound => StoreError::NoFile(path),
        _ => StoreError::Unreadable { path, source },
    }
}

/// Who else owns a file could put another secret in its place, or let others read it.
const fn may_own(owner: u32, runner: u32) -> bool {
    owner == runner || owner == 0
}

/// Editors and `echo` end a file with a line end that is not part of the secret.
pub(crate) fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn a_system_without_room_is_an_outage_and_a_file_that_is_none_is_not() {
        use crate::Trouble;
        use rustix::io::Errno;
        for (errno, expected) in [
            (Errno::MFILE, Trouble::Outage),
            (Errno::NFILE, Trouble::Outage),
            (Errno::NOMEM, Trouble::Outage),
            (Errno::STALE, Trouble::Outage),
            (Errno::ACCESS, Trouble::Unusable),
            (Errno::NOTDIR, Trouble::Unusable),
            (Errno::NOENT, Trouble::Absent),
        ] {
            let error = unreadable(Path::new("a"), errno.into());
            assert_eq!(error.trouble(), expected, "{errno}");
            // The secret is not the file that a login is in.
            let login = match expected {
                Trouble::Outage => Trouble::Outage,
                _ => Trouble::Unusable,
            };
            let error = StoreError::NoCredential(Box::new(error));
            assert_eq!(error.trouble(), login, "{errno}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("round");
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = read(&path, Readers::Owner, 10).unwrap_err();
        assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
    }

    #[test]
    fn a_secret_is_in_a_file_of_the_runners_user_or_of_root_and_of_nobody_elses() {
        assert!(may_own(1000, 1000) && may_own(0, 1000) && may_own(0, 0));
        assert!(!may_own(1001, 1000) && !may_own(1000, 0));

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "value").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        assert_eq!(*read(&path, Readers::Owner, 10).unwrap(), *b"value");
        // Only root can give a file away, and only root could read it then.
        if chown(&path, Some(12_345), None).is_ok() {
            let error = read(&path, Readers::Owner, 10).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("user 12345") && text.contains("chown"),
                "{text}"
            );
            assert_eq!(error.trouble(), crate::Trouble::Denied);
            assert!(read(&path, Readers::Anyone, 10).is_ok());
        }
    }
}
