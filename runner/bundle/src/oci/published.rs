//! A whole plugin as it is published: manifest, configuration, component, signatures.

use std::fmt;
use std::sync::Arc;

use wharf_policy::Digest;

use super::descriptor::check_digest;
use super::{
    Descriptor, ImageManifest, MANIFEST_TYPE, MAX_REFERRERS, MAX_SIGNATURE, OciError, Referrer,
    image, sign_manifest, signatures,
};
use crate::{BundleError, MAX_COMPONENT, Manifest, SigningKey, shape};

/// A plugin as a registry or an archive has it. Every digest and every size in it was compared;
/// whether anybody trusts it was not.
#[derive(Clone, PartialEq, Eq)]
pub struct Published {
    manifest: Vec<u8>,
    digest: Digest,
    image: ImageManifest,
    config: Vec<u8>,
    component: Arc<[u8]>,
    referrers: Vec<Referrer>,
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signatures = self.referrers.len();
        write!(f, "Published({}, {signatures} signatures)", self.digest)
    }
}

impl Published {
    /// A packed plugin, with the content of its signature file if it has one. The same plugin
    /// always gives the same digest.
    ///
    /// # Errors
    /// Not a packed plugin, too large, or a signature of something else.
    pub fn new(component: Arc<[u8]>, signature_file: Option<&[u8]>) -> Result<Self, OciError> {
        if component.len() > MAX_COMPONENT {
            return Err(OciError::NotAPlugin(BundleError::TooLarge {
                what: "the component",
                size: component.len(),
                limit: MAX_COMPONENT,
            }));
        }
        let about = Manifest::read(&component)?;
        let (config, manifest) = image::write(&component, &about, &shape(&component)?);
        let digest = crate::digest(&manifest);
        let mut published = Self::from_parts(digest, manifest, config, component)?;
        if let Some(file) = signature_file {
            for bundle in signatures::split(file, &published.component)? {
                let referrer = Referrer::new(&published.descriptor(), bundle)?;
                published.add(referrer)?;
            }
        }
        Ok(published)
    }

    /// What these bytes are, without signatures.
    ///
    /// # Errors
    /// The manifest is not that of a plugin, or something is not what it says.
    pub fn from_parts(
        digest: Digest,
        manifest: Vec<u8>,
        config: Vec<u8>,
        component: Arc<[u8]>,
    ) -> Result<Self, OciError> {
        check_digest("the image manifest", digest, &manifest)?;
        let image = ImageManifest::parse(&manifest)?;
        image.config.check("the config", &config)?;
        image.component.check("the component", &component)?;
        Ok(Self {
            manifest,
            digest,
            image,
            config,
            component,
            referrers: Vec::new(),
        })
    }

    /// Adds a signature.
    ///
    /// # Errors
    /// There are too many, or they are too large together.
    pub fn add(&mut self, referrer: Referrer) -> Result<(), OciError> {
        let known = self
            .referrers
            .iter()
            .any(|other| other.descriptor().digest == referrer.descriptor().digest);
        if known {
            return Ok(());
        }
        if self.referrers.len() == MAX_REFERRERS {
            return Err(OciError::TooManySignatures(MAX_REFERRERS + 1));
        }
        let size: usize = self
            .referrers
            .iter()
            .map(|other| other.bundle().len())
            .sum();
        let size = (size + referrer.bundle().len()) as u64;
        if size > MAX_SIGNATURE {
            return Err(OciError::TooLarge {
                what: "what signs it, together,",
                size,
                limit: MAX_SIGNATURE,
            });
        }
        self.referrers.push(referrer);
        Ok(())
    }

    /// Signs the image, for `cosign verify IMAGE`.
    ///
    /// # Errors
    /// The cryptography fails, or there are too many signatures.
    pub fn sign(&mut self, key: &SigningKey) -> Result<(), OciError> {
        let bundle = sign_manifest(self.digest, key)?;
        self.add(Referrer::new(&self.descriptor(), bundle)?)
    }

    /// The digest of the image manifest: what a reference resolves to.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The descriptor of the image manifest.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::of(MANIFEST_TYPE, &self.manifest)
    }

    /// The image manifest, as it is stored.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// What the image manifest says.
    pub fn image(&self) -> &ImageManifest {
        &self.image
    }

    /// The configuration, as it is stored.
    pub fn config(&self) -> &[u8] {
        &self.config
    }

    /// The component.
    pub fn component(&self) -> &Arc<[u8]> {
        &self.component
    }

    /// Its signatures, none of them verified.
    pub fn referrers(&self) -> &[Referrer] {
        &self.referrers
    }

    /// What belongs beside the component as FILE.sigstore.json. `None` if nobody signed the
    /// component itself.
    pub fn signature_file(&self) -> Option<Vec<u8>> {
        signatures::join(&self.referrers)
    }
}
