//! A whole plugin as it is published: manifest, configuration, component, signatures, attestations.

use std::fmt;
use std::sync::Arc;

use wharf_policy::Digest;

use super::descriptor::check_digest;
use super::{
    Descriptor, Form, ImageManifest, MANIFEST_TYPE, MAX_REFERRERS, MAX_SIGNATURE, OciError,
    Referrer, image, sign_manifest, signatures,
};
use crate::{Beside, BundleError, MAX_COMPONENT, Manifest, SigningKey, shape};

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
        let referrers = self.referrers.len();
        write!(f, "Published({}, {referrers} referrers)", self.digest)
    }
}

impl Published {
    /// A packed plugin, with the content of its signature file if it has one. The same plugin
    /// always gives the same digest.
    ///
    /// # Errors
    /// As [`Published::with`].
    pub fn new(component: Arc<[u8]>, signature_file: Option<&[u8]>) -> Result<Self, OciError> {
        let beside = Beside {
            signatures: signature_file,
            attestations: None,
        };
        Self::with(component, beside)
    }

    /// The same with all that lies beside it.
    ///
    /// # Errors
    /// Not a packed plugin, too large, or a signature or attestation of something else.
    pub fn with(component: Arc<[u8]>, beside: Beside<'_>) -> Result<Self, OciError> {
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
        let mut bundles = Vec::new();
        if let Some(file) = beside.signatures {
            bundles.extend(signatures::split(file, &published.component)?);
        }
        if let Some(file) = beside.attestations {
            let component = &published.component;
            bundles.extend(signatures::split_attestations(file, component)?);
        }
        for bundle in bundles {
            let referrer = Referrer::new(&published.descriptor(), bundle)?;
            published.add(referrer)?;
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

    /// Adds a signature or an attestation. There may be as many of the one as of the other.
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
        let attests = is_attestation(&referrer);
        let like: Vec<usize> = self
            .referrers
            .iter()
            .filter(|other| is_attestation(other) == attests)
            // Each is a line of a file that is as large at the most.
            .map(|other| other.bundle().len() + 1)
            .collect();
        if like.len() == MAX_REFERRERS {
            return Err(match attests {
                true => OciError::TooManyAttestations(MAX_REFERRERS + 1),
                false => OciError::TooManySignatures(MAX_REFERRERS + 1),
            });
        }
        let size = (like.iter().sum::<usize>() + referrer.bundle().len() + 1) as u64;
        if size > MAX_SIGNATURE {
            return Err(OciError::TooLarge {
                what: match attests {
                    true => "what is attested of it, together,",
                    false => "what signs it, together,",
                },
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

    /// Its signatures and attestations, none of them verified.
    pub fn referrers(&self) -> &[Referrer] {
        &self.referrers
    }

    /// The signatures among them, of the component and of the image.
    pub fn signatures(&self) -> impl Iterator<Item = &Referrer> {
        self.referrers.iter().filter(|one| !is_attestation(one))
    }

    /// The attestations among them.
    pub fn attestations(&self) -> impl Iterator<Item = &Referrer> {
        self.referrers.iter().filter(|one| is_attestation(one))
    }

    /// What belongs beside the component as FILE.sigstore.json. `None` if nobody signed the
    /// component itself.
    pub fn signature_file(&self) -> Option<Vec<u8>> {
        signatures::join(&self.referrers)
    }

    /// What belongs beside the component as FILE.attestations.jsonl. `None` if nothing is attested of
    /// it that whoever has the component alone can verify.
    pub fn attestations_file(&self) -> Option<Vec<u8>> {
        signatures::join_attestations(&self.referrers, &self.component)
    }
}

fn is_attestation(referrer: &Referrer) -> bool {
    referrer.form() == Form::Attestation
}
