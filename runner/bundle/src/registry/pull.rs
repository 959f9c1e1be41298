//! Pull: a name becomes a digest once, and from then on there are only digests.

use std::sync::Arc;

use super::referrers::Wanted;
use super::{Client, Progress, RegistryError, Silent};
use crate::oci::{Form, ImageManifest, MANIFEST_TYPE, MAX_MANIFEST, Published};

/// What a pull brought. Nobody has said yet that it is trusted.
#[derive(Debug)]
pub struct Pulled {
    /// The plugin, whole: every digest and size was compared.
    pub published: Published,
    /// How many bytes of the component went over the network: none, if it was here already.
    pub transferred: u64,
}

impl Client {
    /// Pulls the plugin, what signs it and what is attested of it. `here` may be what is at its target
    /// already: if that is the component, it is not fetched again.
    ///
    /// # Errors
    /// The registry cannot be reached or does not allow it, or something is not what it must be.
    pub async fn pull(
        &self,
        here: Option<Arc<[u8]>>,
        progress: &dyn Progress,
    ) -> Result<Pulled, RegistryError> {
        let what = "the image manifest";
        let name = match (self.reference.digest(), self.reference.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.unwrap_or_default().to_owned(),
        };
        let manifest = self
            .manifest(what, &name, MANIFEST_TYPE, MAX_MANIFEST)
            .await?
            .ok_or_else(|| RegistryError::NotFound {
                registry: self.registry.clone(),
                what: format!("{}:{name}", self.reference.repository()),
            })?;
        let digest = crate::digest(&manifest);
        if let Some(asked) = self.reference.digest() {
            crate::oci::check_digest(what, asked, &manifest)?;
        }
        let image = ImageManifest::parse(&manifest)?;
        let config = self.blob("the config", &image.config, &Silent).await?;
        let here = here.filter(|here| {
            here.len() as u64 == image.component.size
                && crate::digest(here) == image.component.digest
        });
        let (component, transferred) = match here {
            Some(here) => (here, 0),
            None => {
                let bytes = self
                    .blob("the component", &image.component, progress)
                    .await?;
                (Arc::from(bytes), image.component.size)
            }
        };
        let mut published = Published::from_parts(digest, manifest, config, component)?;
        let referrers = self.referrers(digest, Wanted::AttestationsToo).await?;
        for referrer in referrers {
            // Anybody may attest anything: what there is no room for is passed over, here as well.
            let may_be_missed = referrer.form() == Form::Attestation;
            match published.add(referrer) {
                Err(_) if may_be_missed => {}
                added => added?,
            }
        }
        Ok(Pulled {
            published,
            transferred,
        })
    }
}
