//! The store of kind `controller`: sealed secrets, fetched through the controller, opened here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use wharf_bundle::{PublicKey, verify_with_key};
use wharf_policy::{ControllerConfig, SecretName};

use super::{Label, SealError, open};
use crate::open::Unusable;
use crate::store::no_version;
use crate::{Document, Place, SecretStore, StoreError};

/// Where sealed secrets are kept. It is trusted with nothing.
#[async_trait]
pub trait Shelf: Send + Sync + 'static {
    /// What is kept under this name for the runner's group.
    ///
    /// # Errors
    /// Why there is nothing.
    async fn get(&self, name: &SecretName) -> Result<Shelved, ShelfError>;
}

/// A sealed secret as it is kept.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// What was sealed.
    pub sealed: Vec<u8>,
    /// The Sigstore bundle that signs exactly these bytes.
    pub signature: Vec<u8>,
}

/// Why there is no sealed secret.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// There is none of that name.
    #[error("there is none")]
    Missing,
    /// Another time, perhaps.
    #[error("{0}")]
    Unavailable(String),
    /// What came is not one.
    #[error("{0}")]
    Unusable(String),
}

/// What makes a runner one of its group.
#[derive(Clone)]
pub struct Membership {
    /// Where the group's sealed secrets are.
    pub shelf: Arc<dyn Shelf>,
    /// The group.
    pub group: String,
    /// The runner's own key.
    pub key: SigningKey,
}

/// Opens what the operator has sealed to this runner.
pub struct SealedStore {
    membership: Membership,
    signers: Vec<PublicKey>,
    timeout: Duration,
}

impl SealedStore {
    /// A store that opens what one of these signers has signed.
    pub fn new(membership: Membership, signers: Vec<PublicKey>, timeout: Duration) -> Self {
        Self {
            membership,
            signers,
            timeout,
        }
    }

    pub(crate) fn open(
        config: &ControllerConfig,
        folder: &Path,
        membership: &Membership,
    ) -> Result<Self, Unusable> {
        let signers: Result<Vec<_>, _> = config
            .keys
            .iter()
            .map(|key| PublicKey::load(&folder.join(key)))
            .collect();
        let signers = signers.map_err(|error| Unusable::Table(error.to_string()))?;
        if signers.is_empty() {
            return Err(Unusable::Table(
                "`keys` is empty: name the public keys of those who may put secrets there"
                    .to_owned(),
            ));
        }
        Ok(Self::new(
            membership.clone(),
            signers,
            config.timeout.duration(),
        ))
    }

    fn label(&self, place: &Place) -> Result<Label, StoreError> {
        let name = place.path.parse().map_err(|_| StoreError::BadPlace {
            place: place.to_string(),
            why: "what a controller keeps has a name as in `[[secret]]`",
        })?;
        Ok(Label {
            group: self.membership.group.clone(),
            name,
        })
    }
}

#[async_trait]
impl SecretStore for SealedStore {
    fn check(&self, place: &Place) -> Result<(), StoreError> {
        no_version(place)?;
        self.label(place).map(|_| ())
    }

    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        let label = self.label(place)?;
        let unusable = |why: String| StoreError::BadAnswer("the controller".to_owned(), why);
        let unavailable = |why| StoreError::Unavailable("the controller".to_owned(), why);
        let shelf = &self.membership.shelf;
        let kept = match tokio::time::timeout(self.timeout, shelf.get(&label.name)).await {
            Ok(Ok(kept)) => kept,
            Err(_) => return Err(unavailable(format!("no answer in {:?}", self.timeout))),
            Ok(Err(ShelfError::Missing)) => return Err(StoreError::Absent(label.to_string())),
            Ok(Err(ShelfError::Unavailable(why))) => return Err(unavailable(why)),
            Ok(Err(ShelfError::Unusable(why))) => return Err(unusable(why)),
        };
        verify_with_key(&kept.sealed, &kept.signature, &self.signers)
            .map_err(|refusal| unusable(format!("{label}: {refusal}")))?;
        match open(&label, &kept.sealed, &self.membership.key) {
            Ok(value) => Ok(Document::text(value)),
            Err(error @ SealError::NotForThisRunner(..)) => {
                Err(StoreError::Denied(label.to_string(), error.to_string()))
            }
            Err(error) => Err(unusable(error.to_string())),
        }
    }
}
