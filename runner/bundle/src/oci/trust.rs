//! Whether a published plugin is to be trusted: the way from bytes that are whole to bytes that
//! may be kept.

use wharf_policy::Digest;

use super::{Form, PREDICATE, Published, Referrer};
use crate::refusal::TRUST_A_KEY;
use crate::sigstore::{Artifact, Evidence, Expected, TrustRoot, VerifyingKey, verify_artifact};
use crate::{Beside, PublicKey, Refusal, TrustPolicy, verify_with_key};

/// Whom to trust.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// Those of a policy, as a runner does.
    Policy(&'a TrustPolicy),
    /// The owner of one key, of the component or of the image.
    Key(&'a PublicKey),
}

/// What was proven of a published plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The digest of the component.
    pub digest: Digest,
    /// Who signed, as the policy names them, or the fingerprint of the key.
    pub signers: Vec<String>,
    /// What they signed.
    pub form: Form,
    /// What a policy wants attested, and is: the types.
    pub attested: Vec<String>,
}

impl Trust<'_> {
    /// Decides whether a published plugin is trusted.
    ///
    /// A policy asks for signatures of the component, since those go with it to runners. A key may
    /// instead have signed the image, as `cosign sign` does. What a policy wants attested goes to
    /// runners too, so it must be about the component, or about the image that it always becomes.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self, published: &Published) -> Result<Accepted, Refusal> {
        let file = published.signature_file();
        match self {
            Self::Policy(policy) => {
                let attestations = match policy.wants_attestations() {
                    true => published.attestations_file(),
                    false => None,
                };
                let beside = Beside {
                    signatures: file.as_deref(),
                    attestations: attestations.as_deref(),
                };
                let verified = policy.verify_with(published.component().clone(), beside)?;
                Ok(Accepted {
                    digest: verified.digest(),
                    signers: verified
                        .signers()
                        .iter()
                        .map(|signer| signer.name.clone())
                        .collect(),
                    form: Form::OfComponent,
                    attested: verified.attested().to_vec(),
                })
            }
            Self::Key(key) => {
                let signed_image = || {
                    let mut referrers = published.referrers().iter();
                    referrers.any(|referrer| referrer.signs_image(published.digest(), key))
                };
                let accepted = |form| Accepted {
                    digest: published.image().component.digest,
                    signers: vec![key.fingerprint().to_string()],
                    form,
                    attested: Vec::new(),
                };
                let of_component = file.map(|file| {
                    verify_with_key(published.component(), &file, std::slice::from_ref(key))
                        .map(|_| ())
                });
                match of_component {
                    Some(Ok(())) => Ok(accepted(Form::OfComponent)),
                    _ if signed_image() => Ok(accepted(Form::Statement)),
                    Some(Err(refusal)) => Err(refusal),
                    None if published.signatures().next().is_none() => Err(Refusal::Unsigned),
                    None => Err(Refusal::UnknownSigner {
                        hint: "there are statements about the image only".to_owned(),
                        line: TRUST_A_KEY.to_owned(),
                    }),
                }
            }
        }
    }
}

impl Referrer {
    /// Whether the owner of a key signed that image with it: by a statement that says that and nothing
    /// else. What else a key attests, such as that an image is bad, does not count.
    pub(crate) fn signs_image(&self, image: Digest, key: &PublicKey) -> bool {
        // A log entry or timestamp is not asked for, and must be good if it is there.
        let Ok(root) = TrustRoot::public_good() else {
            return false;
        };
        self.form() == Form::Statement
            && verify_artifact(
                &Artifact::from_digest(image),
                self.bundle(),
                Expected::Key(&VerifyingKey::from(key)),
                &root,
                Evidence::KeyAlone,
            )
            .is_ok_and(|verified| verified.predicate_type() == Some(PREDICATE))
    }
}
