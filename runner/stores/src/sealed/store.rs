//! The store of kind `controller`: sealed secrets, fetched through the controller, opened here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use wharf_bundle::{PublicKey, verify_with_key};
use wharf_policy::{ControllerConfig, SecretName};

use super::{Label, PutAt, SealError, open};
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

/// What a runner remembers of the sealed secrets that it has taken. What was signed once stays signed, so
/// whoever kept an old value could give it out again.
pub trait Newest: Send + Sync + 'static {
    /// Takes note of a secret that is about to be used, for good.
    ///
    /// # Errors
    /// It must not be used.
    fn take(&self, label: &Label, put: PutAt) -> Result<(), NotTaken>;
}

/// Why a sealed secret is not used although it opens.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// A newer one was used before.
    #[error(
        "it was put at {put}, and this runner has already used one that was put at {newest}: somebody gives out an old value; if it is the right one, put it again with `wharf secret put`, or {forget}"
    )]
    Older {
        /// When this one was put.
        put: PutAt,
        /// When the newest was put.
        newest: PutAt,
        /// How the runner is made to forget that one.
        forget: String,
    },
    /// It cannot be remembered.
    #[error("this runner cannot remember that it has used it: {0}")]
    Unwritten(String),
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
        let (value, put) =
            open(&label, &kept.sealed, &self.membership.key).map_err(|error| match error {
                error @ SealError::NotForThisRunner(..) => {
                    StoreError::Denied(label.to_string(), error.to_string())
                }
                error => unusable(error.to_string()),
            })?;
        if put.is_far_ahead_of(PutAt::now()) {
            return Err(unusable(format!(
                "{label} was put at {put}, more than a day from now: set the clock of whoever put it, or this runner's, and put it again"
            )));
        }
        self.membership
            .newest
            .take(&label, put)
            .map_err(|why| StoreError::NotTaken {
                what: label.to_string(),
                why,
            })?;
        Ok(Document::text(value))
    }
}
