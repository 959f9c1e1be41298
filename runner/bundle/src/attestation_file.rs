//! What is attested of a plugin: what lies beside it as `FILE.attestations.jsonl`.
//!
//! One Sigstore bundle, or several one after the other, each v0.3 with an in-toto statement in a DSSE
//! envelope, as `cosign attest-blob` and the attest action of GitHub make them. An attestation never
//! stands for a signature. Nothing here is proven until `TrustPolicy` has verified it.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use wharf_policy::Digest;

use crate::signature_file::said;
use crate::sigstore::{Artifact, Bundle, Content, Statement};
use crate::{Manifest, Refusal, bundle_file, oci};

/// Where the attestations of a file are: `FILE.attestations.jsonl`.
pub fn attestations_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".attestations.jsonl");
    PathBuf::from(name)
}

/// A file of attestations that has the accepted form.
#[derive(Debug, Clone)]
pub struct AttestationFile {
    attestations: Vec<Attestation>,
}

/// One of them: somebody's statement, as far as it can be read without a key.
#[derive(Debug, Clone)]
pub(crate) struct Attestation {
    pub(crate) bundle: Bundle,
    pub(crate) statement: Statement,
}

impl AttestationFile {
    /// Reads a file of attestations strictly.
    ///
    /// # Errors
    /// [`Refusal::MalformedAttestations`] with what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let attestations = bundle_file::read(bytes, "attestations", Attestation::of)
            .map_err(Refusal::MalformedAttestations)?;
        Ok(Self { attestations })
    }

    /// How many attestations it has.
    pub fn count(&self) -> usize {
        self.attestations.len()
    }

    /// What is attested: the type of each.
    pub fn predicate_types(&self) -> impl Iterator<Item = &str> {
        self.attestations
            .iter()
            .map(|attestation| attestation.statement.predicate_type())
    }

    /// Whether each of them is about this component, or about its image.
    ///
    /// # Errors
    /// [`Refusal::AttestationOfAnother`] for the first that is not.
    pub fn check_about(&self, component: &[u8]) -> Result<(), Refusal> {
        let subject = Subject::new(component, crate::digest(component));
        for attestation in &self.attestations {
            if attestation.about(&subject).is_none() {
                return Err(Refusal::AttestationOfAnother {
                    predicate_type: attestation.statement.predicate_type().to_owned(),
                    actual: subject.digest,
                });
            }
        }
        Ok(())
    }

    pub(crate) fn attestations(&self) -> &[Attestation] {
        &self.attestations
    }
}

impl Attestation {
    pub(crate) fn of(bundle: Bundle) -> Result<Self, String> {
        let statement = match &bundle.content {
            Content::Envelope {
                payload_type,
                payload,
                ..
            } => Statement::read(payload_type, payload).map_err(|error| error.to_string())?,
            Content::Message { .. } => {
                return Err(
                    "it is a signature (messageSignature), not an attestation: signatures belong into FILE.sigstore.json"
                        .to_owned(),
                );
            }
        };
        Ok(Self { bundle, statement })
    }

    /// Who it says made it, for people.
    pub(crate) fn said(&self) -> String {
        said(&self.bundle)
    }

    /// What it is about, if that vouches for the component.
    pub(crate) fn about(&self, subject: &Subject<'_>) -> Option<Artifact<'static>> {
        // By a digest alone: no other than the SHA-256 is looked at.
        if self.statement.names(subject.digest) {
            return Some(Artifact::from_digest(subject.digest));
        }
        let image = subject.image()?;
        let named = self.statement.names(image);
        named.then(|| Artifact::from_digest(image))
    }
}

/// What an attestation may be about to vouch for a component: the component, or the image that it
/// always becomes in a registry, whose one layer is the component.
pub(crate) struct Subject<'a> {
    component: &'a [u8],
    digest: Digest,
    image: OnceCell<Option<Digest>>,
}

impl<'a> Subject<'a> {
    /// The component, of whose digest the caller is sure.
    pub(crate) fn new(component: &'a [u8], digest: Digest) -> Self {
        Self {
            component,
            digest,
            image: OnceCell::new(),
        }
    }

    /// The digest of the image, made only when something is about neither more nor less than that.
    fn image(&self) -> Option<Digest> {
        *self.image.get_or_init(|| {
            let manifest = Manifest::read(self.component).ok()?;
            oci::image_digest(self.component, &manifest)
        })
    }
}
