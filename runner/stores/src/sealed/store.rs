//! The store of kind `controller`: sealed secrets, fetched through the controller, opened here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use wharf_bundle::{PublicKey, verify_with_key};
use wharf_policy::{ControllerConfig, SecretName};

use super::{Label, NotTaken, PutAt, SealedRefusal, open};
use crate::open::Unusable;
use crate::store::no_version;
use crate::{Document, Place, SecretStore, SecretValue, StoreError};

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

/// What a runner remembers of the sealed secrets that it has taken, and whom it tells of those that it
/// does not take. What was signed once stays signed, so whoever kept an old value could give it out again.
pub trait Newest: Send + Sync + 'static {
    /// Takes note of a secret that is about to be used, for good.
    ///
    /// # Errors
    /// It must not be used.
    fn take(&self, label: &Label, put: PutAt) -> Result<(), NotTaken>;

    /// Is told of what was given out for a secret and is not used, each time and whatever the reason:
    /// a store that gives out such things is not what it should be.
    fn refused(&self, label: &Label, why: &SealedRefusal);
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
    /// What it has taken before.
    pub newest: Arc<dyn Newest>,
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

    /// The value, if one who may put it there put it there for this runner, and none that is newer
    /// was used before.
    fn take(&self, label: &Label, kept: &Shelved) -> Result<SecretValue, SealedRefusal> {
        verify_with_key(&kept.sealed, &kept.signature, &self.signers)?;
        let (value, put) = open(label, &kept.sealed, &self.membership.key)?;
        if put.is_far_ahead_of(PutAt::now()) {
            return Err(SealedRefusal::Future(put));
        }
        self.membership.newest.take(label, put)?;
        Ok(value)
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
        let unavailable = |why| StoreError::Unavailable("the controller".to_owned(), why);
        let shelf = &self.membership.shelf;
        let kept = match tokio::time::timeout(self.timeout, shelf.get(&label.name)).await {
            Ok(Ok(kept)) => Ok(kept),
            Ok(Err(ShelfError::Unusable(why))) => Err(SealedRefusal::Unusable(why)),
            Ok(Err(ShelfError::Missing)) => return Err(StoreError::Absent(label.to_string())),
            Ok(Err(ShelfError::Unavailable(why))) => return Err(unavailable(why)),
            Err(_) => return Err(unavailable(format!("no answer in {:?}", self.timeout))),
        };
        match kept.and_then(|kept| self.take(&label, &kept)) {
            Ok(value) => Ok(Document::text(value)),
            Err(why) => {
                // Here, and not where a value is wanted: whatever it is wanted for.
                self.membership.newest.refused(&label, &why);
                Err(why.told(&label))
            }
        }
    }
}
