//! What a secret store is.

use std::time::Duration;

use async_trait::async_trait;

use crate::{Document, Lease, Place, StoreError};

/// A place that holds secrets.
///
/// An implementation asks its store each time. Keeping answers, asking once for many, and taking
/// care of leases is done around it, the same for every store.
#[async_trait]
pub trait SecretStore: Send + Sync + 'static {
    /// Whether there can be such a place at all. Asked once, when the runner starts.
    ///
    /// # Errors
    /// What is wrong with the reference.
    fn check(&self, place: &Place) -> Result<(), StoreError> {
        no_version(place)
    }

    /// What is at a place.
    ///
    /// # Errors
    /// Why there is nothing to be had. The error never carries any part of a value.
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError>;

    /// Asks for a lease for longer. Gives for how long it is had from now.
    ///
    /// # Errors
    /// It is not to be had for longer.
    async fn renew(&self, lease: &Lease) -> Result<Duration, StoreError> {
        let _ = lease;
        Err(StoreError::Absent("a lease".to_owned()))
    }

    /// Gives a lease back: what was lent under it holds no more. Giving back what is gone already
    /// is no error.
    ///
    /// # Errors
    /// It may still hold.
    async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        let _ = lease;
        Ok(())
    }

    /// Leaves the store: what this runner had to be let in is given up.
    async fn leave(&self) {}
}

/// For stores that keep one version only.
pub(crate) fn no_version(place: &Place) -> Result<(), StoreError> {
    match place.version {
        None => Ok(()),
        Some(_) => Err(StoreError::BadPlace {
            place: place.to_string(),
            why: "this store keeps no versions: write the reference without `?version=`",
        }),
    }
}
