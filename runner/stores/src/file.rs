//! The `file:` store: the content of a file that only its owner can read.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::{LARGEST, SecretStore, SecretValue, StoreError};

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
    async fn get(&self, path: &str, field: Option<&str>) -> Result<SecretValue, StoreError> {
        if let Some(field) = field {
            return Err(StoreError::NoFields {
                store: "file",
                field: field.to_owned(),
            });
        }
        let path = self.base.join(path);
        let shown = path.display().to_string();
        tokio::task::spawn_blocking(move || read(&path))
            .await
            .unwrap_or_else(|stopped| Err(StoreError::Unavailable(shown, stopped.to_string())))
    }
}

/// Reads the file. The mode is that of the file that is open, so it cannot be exchanged between
/// the check and the reading.
fn read(path: &Path) -> Result<SecretValue, StoreError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => StoreError::NoFile(path.to_owned()),
        _ => StoreError::Unreadable {
            path: path.to_owned(),
            source,
        },
    };
    // Opening a pipe would wait for a writer, so what it is comes first, and again below.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(StoreError::NotAFile(path.to_owned()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(StoreError::Exposed {
            path: path.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    // Room for the largest and one more byte, so that the buffer never moves and leaves a copy.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 2));
    file.take(LARGEST as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > LARGEST {
        return Err(StoreError::TooLarge(path.display().to_string()));
    }
    let value = without_line_end(&bytes);
    if value.is_empty() {
        return Err(StoreError::Empty(path.display().to_string()));
    }
    Ok(SecretValue::new(value.to_vec()))
}

/// Editors and `echo` end a file with a line end that is not part of the secret.
fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}
