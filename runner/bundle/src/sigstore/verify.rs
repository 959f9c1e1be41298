//! The one way through: from an artifact and a bundle to who signed it.

use jiff::Timestamp;
use wharf_policy::Digest;

use super::bundle::{Bundle, Content, Signer as SaidSigner};
use super::certificate::Leaf;
use super::envelope::pre_authentication_encoding;
use super::keyless::{self, Transparency};
use super::log_body::{self, By};
use super::statement::{self, About};
use super::{
    Artifact, Identity, Rejection, TrustRoot, VerifyingKey, Version, log_entry, timestamp,
};

/// Who must have signed.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// The owner of this key.
    Key(&'a VerifyingKey),
    /// Exactly this identity, by a certificate of the trusted root's authorities.
    Identity(&'a Identity),
}

/// What must prove that the signature was made, and when. Whatever else is in the bundle must
/// verify as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing: the key alone is trusted. Not for certificates, which are always asked for a time.
    KeyAlone,
    /// A log entry or a timestamp.
    Any,
    /// A log entry. For certificates also the word of a certificate transparency log.
    Log,
    /// A timestamp; a log entry may be missing. For instances that have no log.
    Timestamp,
    /// Both.
    LogAndTimestamp,
}

/// Who signed, as it was proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// The owner of the key with this fingerprint.
    Key(Digest),
    /// Somebody whom an identity provider knows.
    Identity(Identity),
}

/// What a bundle proves about an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedArtifact {
    digest: Digest,
    signer: Signer,
    version: Version,
    times: Vec<Timestamp>,
    log_entries: usize,
    timestamps: usize,
    predicate_type: Option<String>,
}

impl VerifiedArtifact {
    /// The SHA-256 of the artifact.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Who signed it.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The version of the bundle.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The times at which the signature is proven to have existed, in no order.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// How many log entries were verified.
    pub fn log_entries(&self) -> usize {
        self.log_entries
    }

    /// How many RFC 3161 timestamps were verified.
    pub fn timestamps(&self) -> usize {
        self.timestamps
    }

    /// The type of the attestation; none for a signature of the artifact itself.
    pub fn predicate_type(&self) -> Option<&str> {
        self.predicate_type.as_deref()
    }
}

/// Verifies that a bundle, in JSON, vouches for an artifact.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn verify_artifact(
    artifact: &Artifact<'_>,
    bundle: &[u8],
    expected: Expected<'_>,
    root: &TrustRoot,
    evidence: Evidence,
) -> Result<VerifiedArtifact, Rejection> {
    verify_bundle(artifact, &Bundle::parse(bundle)?, expected, root, evidence)
}

/// The same for a bundle that was read before.
pub(crate) fn verify_bundle(
    artifact: &Artifact<'_>,
    bundle: &Bundle,
    expected: Expected<'_>,
    root: &TrustRoot,
    evidence: Evidence,
) -> Result<VerifiedArtifact, Rejection> {
    enough(bundle, expected, evidence)?;
    let about = about(bundle, artifact)?;
    let now = Timestamp::now();
    let signature = bundle.content.signature();
    let mut times = Vec::new();
    for entry in &bundle.entries {
        times.extend(log_entry::verify(entry, root, now)?);
    }
    let stamped = timestamp::verify_all(&bundle.timestamps, signature, root, now)?;
    times.extend(stamped);

    let (signer, by) = match (expected, &bundle.signer) {
        (Expected::Key(key), SaidSigner::Key { hint }) => {
            if key.contradicts(hint) {
                return Err(Rejection::WrongSigner(format!(
                    "the bundle says that it is signed with another key than {}",
                    key.fingerprint()
                )));
            }
            signed_by(bundle, artifact, key)?;
            (
                Signer::Key(key.fingerprint()),
                By::Key(key.spki(), key.kind()),
            )
        }
        (
            Expected::Identity(wanted),
            SaidSigner::Certificate {
                leaf,
                intermediates,
            },
        ) => {
            let certificate = Leaf::read(leaf)?;
            let transparency = match certificate.has_sct || evidence != Evidence::Timestamp {
                true => Transparency::AsOf(now),
                false => Transparency::NotAsked,
            };
            let entries = &bundle.entries;
            keyless::verify(
                &certificate,
                intermediates,
                entries,
                &times,
                root,
                transparency,
            )?;
            let key = VerifyingKey::from_spki(certificate.spki()?)
                .map_err(|error| Rejection::Certificate(error.to_string()))?;
            signed_by(bundle, artifact, &key)?;
            if certificate.identity != *wanted {
                return Err(Rejection::WrongIdentity {
                    expected: wanted.to_string(),
                    actual: certificate.identity.to_string(),
                });
            }
            (
                Signer::Identity(certificate.identity),
                By::Certificate(leaf, key.kind()),
            )
        }
        (Expected::Key(_), SaidSigner::Certificate { .. }) => {
            return Err(Rejection::WrongSigner(
                "the bundle is signed with a certificate, and a key was asked for: verify it with an identity and its issuer".to_owned(),
            ));
        }
        (Expected::Identity(_), SaidSigner::Key { .. }) => {
            return Err(Rejection::WrongSigner(
                "the bundle is signed with a key, and an identity was asked for: verify it with the public key".to_owned(),
            ));
        }
    };

    logs_trusted_then(bundle, root, &times)?;
    for entry in &bundle.entries {
        log_body::check(entry, &bundle.content, artifact, by)?;
    }
    Ok(VerifiedArtifact {
        digest: artifact.digest(),
        signer,
        version: bundle.version,
        times,
        log_entries: bundle.entries.len(),
        timestamps: bundle.timestamps.len(),
        predicate_type: about.map(|about| about.predicate_type),
    })
}

/// Whether what was asked for is there at all. That it is good comes later.
fn enough(bundle: &Bundle, expected: Expected<'_>, evidence: Evidence) -> Result<(), Rejection> {
    let (logged, stamped) = (bundle.is_logged(), bundle.is_stamped());
    let missing = match (expected, evidence) {
        (Expected::Identity(_), Evidence::KeyAlone | Evidence::Any) if !logged => "a log entry",
        (_, Evidence::Log | Evidence::LogAndTimestamp) if !logged => "a log entry",
        (_, Evidence::Timestamp | Evidence::LogAndTimestamp) if !stamped => "a timestamp",
        (Expected::Key(_), Evidence::Any) if !logged && !stamped => "a log entry or a timestamp",
        _ => return Ok(()),
    };
    Err(Rejection::NotEnough(format!(
        "it has not {missing}, which is asked for"
    )))
}

/// What the bundle says that it is about must be the artifact.
fn about(bundle: &Bundle, artifact: &Artifact<'_>) -> Result<Option<About>, Rejection> {
    match &bundle.content {
        Content::Message { digest: None, .. } => Ok(None),
        Content::Message {
            digest: Some((hash, digest)),
            ..
        } => {
            if artifact.hashed(*hash)? == *digest {
                Ok(None)
            } else {
                Err(Rejection::WrongArtifact(format!(
                    "the digest in the bundle is not that of the artifact, {}",
                    artifact.digest()
                )))
            }
        }
        Content::Envelope {
            payload_type,
            payload,
            ..
        } => statement::find(payload_type, payload, artifact).map(Some),
    }
}

/// Rekor v2 knows no time, so the earliest one that is proven must be in the time of its log.
fn logs_trusted_then(
    bundle: &Bundle,
    root: &TrustRoot,
    times: &[Timestamp],
) -> Result<(), Rejection> {
    let Some(first) = times.iter().min() else {
        return Ok(());
    };
    for entry in bundle
        .entries
        .iter()
        .filter(|entry| entry.promise.is_none())
    {
        if !root
            .log(&entry.log_id)
            .is_some_and(|log| log.is_trusted_at(*first))
        {
            return Err(Rejection::Log(format!(
                "its log was not trusted at {first}"
            )));
        }
    }
    Ok(())
}

fn signed_by(
    bundle: &Bundle,
    artifact: &Artifact<'_>,
    key: &VerifyingKey,
) -> Result<(), Rejection> {
    let signed = match &bundle.content {
        Content::Message { digest, signature } => {
            let claimed = digest.as_ref().map(|(hash, _)| *hash);
            key.verifies_artifact(artifact, claimed, signature)?
        }
        Content::Envelope {
            payload_type,
            payload,
            signature,
        } => {
            let bytes = pre_authentication_encoding(payload_type, payload);
            key.verifies_bytes(&bytes, signature)
        }
    };
    if signed {
        Ok(())
    } else {
        Err(Rejection::BadSignature(format!(
            "the key {} did not make it over this artifact",
            key.fingerprint()
        )))
    }
}
