//! The `age` kind: files that only this machine can decrypt.
//!
//! What is stored can lie anywhere, in a repository too; the identity that opens it lies on this
//! machine alone. Files that a passphrase opens are refused: there is nobody to ask.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, Identity, IdentityFile};
use async_trait::async_trait;
use wharf_policy::AgeConfig;
use zeroize::Zeroizing;

use crate::file::{self, Readers, without_line_end};
use crate::open::Unusable;
use crate::{Document, LARGEST, Place, SecretStore, SecretValue, StoreError};

/// The largest file that is read: a secret, for many recipients, in armour.
const LARGEST_FILE: usize = 128 << 10;

type Identities = Vec<Box<dyn Identity + Send + Sync>>;

/// Encrypted files, and what opens them.
pub(crate) struct AgeStore {
    base: PathBuf,
    identities: Arc<Identities>,
}

impl AgeStore {
    /// Reads this machine's identities.
    pub(crate) fn open(config: &AgeConfig, folder: &Path) -> Result<Self, Unusable> {
        let path = folder.join(&config.identity);
        let text = file::read(&path, Readers::Owner, LARGEST_FILE)?;
        // Not what the parser says: it may quote a line, and a line may be a key.
        let unreadable = || {
            Unusable::Table(format!(
                "{} is not a file of identities: make one with `age-keygen`",
                path.display()
            ))
        };
        let identities = IdentityFile::from_buffer(&text[..])
            .map_err(|_| unreadable())?
            .into_identities()
            .map_err(|_| unreadable())?;
        if identities.is_empty() {
            return Err(unreadable());
        }
        Ok(Self {
            base: folder.to_owned(),
            identities: Arc::new(identities),
        })
    }
}

#[async_trait]
impl SecretStore for AgeStore {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        // Encrypted, it may be read by anyone.
        let path = self.base.join(&place.path);
        let sealed = file::content(path, Readers::Anyone, LARGEST_FILE).await?;
        let (identities, shown) = (Arc::clone(&self.identities), place.to_string());
        let stopped = shown.clone();
        tokio::task::spawn_blocking(move || decrypt(&sealed, &identities, &shown))
            .await
            .unwrap_or_else(|error| Err(StoreError::Unavailable(stopped, error.to_string())))
    }
}

fn decrypt(sealed: &[u8], identities: &Identities, shown: &str) -> Result<Document, StoreError> {
    let refused = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => StoreError::Denied(
            shown.to_owned(),
            "it is not encrypted for this machine's identity".to_owned(),
        ),
        _ => StoreError::BadAnswer(shown.to_owned(), "it is not a whole age file".to_owned()),
    };
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(sealed)).map_err(refused)?;
    if decryptor.is_scrypt() {
        return Err(StoreError::Denied(
            shown.to_owned(),
            "a passphrase opens it: encrypt it for this machine's recipient instead".to_owned(),
        ));
    }
    let identities = identities
        .iter()
        .map(|identity| identity.as_ref() as &dyn Identity);
    let opened = decryptor.decrypt(identities).map_err(refused)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST + 4));
    opened
        .take(LARGEST as u64 + 3)
        .read_to_end(&mut bytes)
        .map_err(|error| refused(DecryptError::Io(error)))?;
    let value = without_line_end(&bytes);
    Ok(Document::text(SecretValue::new(value.to_vec())))
}

#[cfg(test)]
#[path = "age_tests.rs"]
mod tests;
