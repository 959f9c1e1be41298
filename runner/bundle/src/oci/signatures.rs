//! The Sigstore bundles of a plugin: two files beside it, for signatures and for attestations; one
//! referrer each in a registry.

use super::{MAX_SIGNATURE, OciError, PREDICATE, Referrer};
use crate::attestation_file::{Attestation, Subject};
use crate::sigstore::{Bundle, Content, Version};
use crate::{AttestationFile, SignatureFile, bundle_file, digest};

/// What a Sigstore bundle in a registry signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The component: what lies beside it as FILE.sigstore.json.
    OfComponent,
    /// A statement that the image is good, as `cosign sign` makes it; or one that cannot be read.
    Statement,
    /// A statement about something else: what lies beside a component as FILE.attestations.jsonl, if
    /// it is about that.
    Attestation,
}

impl Form {
    /// Reads a bundle for its form, and for what it attests. Nothing of it is verified.
    pub(super) fn of(bundle: &[u8]) -> Result<(Self, Option<String>), OciError> {
        let what = "a signature";
        let bundle = parse(bundle)?;
        if bundle.version != Version::V03 {
            return Err(OciError::malformed(
                what,
                "it is of an older version than 0.3",
            ));
        }
        Ok(match bundle.content {
            Content::Message { .. } => (Self::OfComponent, None),
            Content::Envelope { .. } => match Attestation::of(bundle) {
                Ok(attestation) if attestation.statement.predicate_type() != PREDICATE => {
                    let attested = attestation.statement.predicate_type().to_owned();
                    (Self::Attestation, Some(attested))
                }
                _ => (Self::Statement, None),
            },
        })
    }
}

fn parse(bundle: &[u8]) -> Result<Bundle, OciError> {
    let what = "a signature";
    if bundle.len() as u64 > MAX_SIGNATURE {
        return Err(OciError::TooLarge {
            what,
            size: bundle.len() as u64,
            limit: MAX_SIGNATURE,
        });
    }
    Bundle::parse(bundle).map_err(|error| OciError::malformed(what, error))
}

/// The bundles of a signature file, each as it stands there. They must be about this component.
pub(super) fn split(file: &[u8], component: &[u8]) -> Result<Vec<Vec<u8>>, OciError> {
    SignatureFile::parse(file)?.check_digest(digest(component))?;
    each(file, "the signature file")
}

/// The bundles of a file of attestations, likewise.
pub(super) fn split_attestations(file: &[u8], component: &[u8]) -> Result<Vec<Vec<u8>>, OciError> {
    AttestationFile::parse(file)?.check_about(component)?;
    each(file, "the file of attestations")
}

fn each(file: &[u8], what: &'static str) -> Result<Vec<Vec<u8>>, OciError> {
    bundle_file::documents(file)
        .map(|document| {
            document
                .map(|document| document.get().as_bytes().to_vec())
                .map_err(|error| OciError::malformed(what, error))
        })
        .collect()
}

/// The signature file of these referrers: those of the component, the same whatever order a
/// registry lists them in. `None` if none signs the component.
pub(super) fn join(referrers: &[Referrer]) -> Option<Vec<u8>> {
    together(
        referrers
            .iter()
            .filter(|referrer| referrer.form() == Form::OfComponent),
    )
}

/// The file of attestations of these referrers: those about this component, or about the image that it
/// always becomes. What is about another image that has it as its layer stays with that image: nobody
/// who has the component alone could tell. `None` if there are none.
pub(super) fn join_attestations(referrers: &[Referrer], component: &[u8]) -> Option<Vec<u8>> {
    let mut attestations = referrers
        .iter()
        .filter(|referrer| referrer.form() == Form::Attestation)
        .peekable();
    attestations.peek()?;
    let subject = Subject::new(component, digest(component));
    together(attestations.filter(|referrer| {
        let attestation = parse(referrer.bundle()).ok().map(Attestation::of);
        matches!(attestation, Some(Ok(attestation)) if attestation.about(&subject).is_some())
    }))
}

/// Each bundle once, in an order of its own.
fn together<'a>(referrers: impl Iterator<Item = &'a Referrer>) -> Option<Vec<u8>> {
    let mut bundles: Vec<&[u8]> = referrers.map(Referrer::bundle).collect();
    bundles.sort_unstable();
    bundles.dedup();
    (!bundles.is_empty()).then(|| bundles.join(&b'\n'))
}
