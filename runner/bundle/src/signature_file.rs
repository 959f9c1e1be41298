//! The signatures of a plugin: what lies beside it as `FILE.sigstore.json`.
//!
//! One Sigstore bundle, or several one after the other, where a policy asks for several signers.
//! For a plugin each must be of the one accepted form: v0.3, and a message signature that names the
//! SHA-256 of the file. Nothing here is proven until `TrustPolicy` has verified it.

use wharf_policy::Digest;

use crate::refusal::TRUST_A_KEY;
use crate::sigstore::{Bundle, Content, Hash, Identity, Said};
use crate::{Refusal, bundle_file};

/// A signature file that has the accepted form.
#[derive(Debug, Clone)]
pub struct SignatureFile {
    signed: Digest,
    signatures: Vec<Bundle>,
}

impl SignatureFile {
    /// Reads a signature file strictly.
    ///
    /// # Errors
    /// [`Refusal::MalformedSignature`] with what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::read(bytes).map_err(Refusal::MalformedSignature)
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut signed = None;
        let mut signatures = Vec::new();
        for (digest, signature) in bundle_file::read(bytes, "signatures", of_signature)? {
            if *signed.get_or_insert(digest) != digest {
                return Err("its signatures are for different files".to_owned());
            }
            signatures.push(signature);
        }
        let signed = signed.ok_or("it is empty")?;
        Ok(Self { signed, signatures })
    }

    /// The digest of the file that the signatures say they are about.
    pub fn signed(&self) -> Digest {
        self.signed
    }

    /// How many signatures it has.
    pub fn count(&self) -> usize {
        self.signatures.len()
    }

    pub(crate) fn signatures(&self) -> &[Bundle] {
        &self.signatures
    }

    /// Whether it is about the file of that digest.
    pub(crate) fn check_digest(&self, actual: Digest) -> Result<(), Refusal> {
        if self.signed == actual {
            Ok(())
        } else {
            Err(Refusal::Tampered {
                signed: self.signed,
                actual,
            })
        }
    }

    /// The line of a `[[trust]]` block that trusts whoever the signatures say signed.
    pub(crate) fn trusting(&self) -> String {
        let identity = self
            .signatures
            .iter()
            .find_map(|signature| match signature.said() {
                Said::Identity(identity) => identity,
                Said::Key(_) => None,
            });
        match identity {
            Some(Identity { issuer, subject }) => format!(
                "`identities = [{{ issuer = {}, subject = {} }}]`",
                quoted(&issuer),
                quoted(&subject)
            ),
            None => TRUST_A_KEY.to_owned(),
        }
    }

    /// Who the signatures say signed, for people. Nothing of it is proven.
    pub(crate) fn hint(&self) -> String {
        let said: Vec<String> = self.signatures.iter().map(said).collect();
        said.join("; ")
    }
}

/// Text as TOML has it.
pub(crate) fn quoted(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}

fn of_signature(bundle: Bundle) -> Result<(Digest, Bundle), String> {
    let digest = match &bundle.content {
        Content::Message { digest, .. } => digest,
        Content::Envelope { .. } => {
            return Err(
                "it is an attestation (dsseEnvelope), not a signature: attestations belong into FILE.attestations.jsonl"
                    .to_owned(),
            );
        }
    };
    let signed = match digest {
        Some((Hash::Sha256, digest)) => <[u8; 32]>::try_from(digest.as_slice())
            .map_err(|_| "its messageDigest does not have 32 bytes")?,
        Some(_) => return Err("the algorithm of its messageDigest is not SHA2_256".to_owned()),
        None => return Err("it has no messageDigest".to_owned()),
    };
    Ok((Digest::from_bytes(signed), bundle))
}

/// Who a bundle says signed it, for people.
pub(crate) fn said(bundle: &Bundle) -> String {
    match bundle.said() {
        Said::Key(Some(fingerprint)) => {
            format!("it says its key has the fingerprint {fingerprint}")
        }
        Said::Key(None) => "it does not say by which key".to_owned(),
        Said::Identity(Some(Identity { issuer, subject })) => {
            format!("its certificate says {subject} (by {issuer})")
        }
        Said::Identity(None) => "its certificate does not say for whom".to_owned(),
    }
}
