//! What the runner itself needs to be let into a store. Only from a file or the environment: a
//! store's credential never comes out of another store.

use std::path::{Path, PathBuf};

use wharf_policy::CredentialRef;

use crate::file::{self, Readers};
use crate::{SecretValue, StoreError};

/// Where a store's credential is.
pub(crate) enum Credential {
    /// Read anew each time, so that a new one is picked up.
    File(PathBuf, Readers),
    /// As it was when the runner started.
    Variable(SecretValue),
}

impl Credential {
    /// Finds it; a file is read only when it is needed.
    pub(crate) fn find(
        reference: &CredentialRef,
        folder: &Path,
        readers: Readers,
    ) -> Result<Self, StoreError> {
        match reference {
            CredentialRef::File(path) => Ok(Self::File(folder.join(path), readers)),
            CredentialRef::Env(name) => {
                use std::os::unix::ffi::OsStringExt as _;
                match std::env::var_os(name) {
                    Some(value) if !value.is_empty() => {
                        Ok(Self::Variable(SecretValue::new(value.into_vec())))
                    }
                    _ => Err(StoreError::NoVariable(name.clone())),
                }
            }
        }
    }

    /// Its value now.
    pub(crate) async fn read(&self) -> Result<SecretValue, StoreError> {
        match self {
            Self::File(path, readers) => {
                let value = file::value(path.clone(), *readers).await;
                value.map_err(|error| StoreError::NoCredential(Box::new(error)))
            }
            Self::Variable(value) => Ok(value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Trouble;

    #[tokio::test]
    async fn a_login_that_is_not_there_is_no_secret_that_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let reference = CredentialRef::File("role.secret-id".into());
        let credential = Credential::find(&reference, folder.path(), Readers::Owner).unwrap();
        let error = credential.read().await.unwrap_err();
        assert_eq!(error.trouble(), Trouble::Unusable, "{error}");
        assert!(
            error.to_string().contains("role.secret-id: create it"),
            "{error}"
        );
    }
}
