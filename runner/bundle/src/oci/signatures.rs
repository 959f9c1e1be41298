//! The Sigstore bundles of a plugin: one file beside it, one referrer each in a registry.

use serde_json::value::RawValue;

use super::{MAX_SIGNATURE, OciError, Referrer};
use crate::sigstore::{Bundle, Content, Version};
use crate::{SignatureFile, digest};

/// What a Sigstore bundle in a registry signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The component: what lies beside it as FILE.sigstore.json.
    OfComponent,
    /// A statement about the image manifest, as `cosign sign` makes it, or any other attestation.
    Statement,
}

impl Form {
    /// Reads a bundle for its form. Nothing of it is verified.
    pub(super) fn of(bundle: &[u8]) -> Result<Self, OciError> {
        let what = "a signature";
        if bundle.len() as u64 > MAX_SIGNATURE {
            return Err(OciError::TooLarge {
                what,
                size: bundle.len() as u64,
                limit: MAX_SIGNATURE,
            });
        }
        let bundle = Bundle::parse(bundle).map_err(|error| OciError::malformed(what, error))?;
        if bundle.version != Version::V03 {
            return Err(OciError::malformed(
                what,
                "it is of an older version than 0.3",
            ));
        }
        Ok(match bundle.content {
            Content::Message { .. } => Self::OfComponent,
            Content::Envelope { .. } => Self::Statement,
        })
    }
}

/// The bundles of a signature file, each as it stands there. They must be about this component.
pub(super) fn split(file: &[u8], component: &[u8]) -> Result<Vec<Vec<u8>>, OciError> {
    SignatureFile::parse(file)?.check_digest(digest(component))?;
    serde_json::Deserializer::from_slice(file)
        .into_iter::<&RawValue>()
        .map(|document| {
            document
                .map(|document| document.get().as_bytes().to_vec())
                .map_err(|error| OciError::malformed("the signature file", error))
        })
        .collect()
}

/// The signature file of these referrers: those of the component, the same whatever order a
/// registry lists them in. `None` if none signs the component.
pub(super) fn join(referrers: &[Referrer]) -> Option<Vec<u8>> {
    let mut bundles: Vec<&[u8]> = referrers
        .iter()
        .filter(|referrer| referrer.form() == Form::OfComponent)
        .map(Referrer::bundle)
        .collect();
    bundles.sort_unstable();
    bundles.dedup();
    (!bundles.is_empty()).then(|| bundles.join(&b'\n'))
}
