//! Push: blobs, then the image by its digest, then what signs it and is attested of it, and the tag
//! last. So whoever resolves the tag finds the signatures.

use std::sync::Arc;

use bytes::Bytes;
use wharf_policy::Digest;

use super::client::Again;
use super::referrers::Wanted;
use super::{Client, Progress, RegistryError, Silent};
use crate::PublicKey;
use crate::oci::{Descriptor, EMPTY, MANIFEST_TYPE, Published};

/// What was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the image manifest: the one name of it that nobody can move.
    pub digest: Digest,
    /// How many signatures it has there from this push.
    pub signatures: usize,
    /// How many attestations.
    pub attestations: usize,
    /// How many bytes of the component went over the network: none, if the registry had it.
    pub transferred: u64,
}

impl Client {
    /// Publishes a plugin and what signs it.
    ///
    /// # Errors
    /// The registry cannot be reached or does not allow it, or the reference says another digest.
    pub async fn push(
        &self,
        published: &Published,
        progress: Arc<dyn Progress>,
    ) -> Result<Pushed, RegistryError> {
        let digest = published.digest();
        if let Some(asked) = self.reference.digest().filter(|asked| *asked != digest) {
            return Err(RegistryError::OtherDigest {
                asked,
                actual: digest,
            });
        }
        let referrers: Vec<Descriptor> = published
            .referrers()
            .iter()
            .map(|referrer| referrer.descriptor().clone())
            .collect();
        self.check_room(digest, &referrers).await?;
        let silent: Arc<dyn Progress> = Arc::new(Silent);
        let copy = Bytes::copy_from_slice;
        self.upload("the config", copy(published.config()), &silent)
            .await?;
        let component = Bytes::from_owner(published.component().clone());
        let transferred = self.upload("the component", component, &progress).await?;
        let (what, again) = ("the image manifest", Again::IfItMayHelp);
        self.put_manifest(
            what,
            &digest.to_string(),
            MANIFEST_TYPE,
            published.manifest(),
            again,
        )
        .await?;
        self.push_referrers(published, &silent).await?;
        if let Some(tag) = self.reference.tag() {
            self.put_manifest(what, tag, MANIFEST_TYPE, published.manifest(), again)
                .await?;
        }
        Ok(Pushed {
            digest,
            signatures: published.signatures().count(),
            attestations: published.attestations().count(),
            transferred,
        })
    }

    /// Whether the registry has a signature of the image by this key already, as `cosign verify` asks
    /// for one.
    ///
    /// # Errors
    /// As for a pull.
    pub async fn is_signed(
        &self,
        published: &Published,
        key: &PublicKey,
    ) -> Result<bool, RegistryError> {
        let there = self
            .referrers(published.digest(), Wanted::Signatures)
            .await?;
        Ok(there
            .iter()
            .any(|referrer| referrer.signs_image(published.digest(), key)))
    }

    async fn push_referrers(
        &self,
        published: &Published,
        silent: &Arc<dyn Progress>,
    ) -> Result<(), RegistryError> {
        let mut unlisted: Vec<Descriptor> = Vec::new();
        for (count, referrer) in published.referrers().iter().enumerate() {
            if count == 0 {
                self.upload("an empty config", Bytes::from_static(EMPTY), silent)
                    .await?;
            }
            let bundle = Bytes::copy_from_slice(referrer.bundle());
            self.upload("a signature", bundle, silent).await?;
            let descriptor = referrer.descriptor();
            let listed = self
                .put_manifest(
                    "a signature's manifest",
                    &descriptor.digest.to_string(),
                    MANIFEST_TYPE,
                    referrer.manifest(),
                    Again::IfItMayHelp,
                )
                .await?;
            if !listed {
                unlisted.push(descriptor.clone());
            }
        }
        match unlisted.is_empty() {
            true => Ok(()),
            false => self.list(published.digest(), &unlisted).await,
        }
    }
}
