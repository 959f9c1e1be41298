//! Certificates: their chain, their transparency, and their validity at every time that is proven.
//!
//! This is done by `sigstore-verify`, with the bundle handed to it in a form that it understands.
//! It never sees JSON that was not read by us, and what it lets pass is checked here as well: see
//! `bundle`, `log_entry` and `log_body`.

use jiff::Timestamp;
use sigstore_types::bundle::{
    CertificateContent, CheckpointData, InclusionPromise, InclusionProof, LogId, MessageDigest,
    MessageSignature, Rfc3161Timestamp, SignatureContent, TimestampVerificationData,
    TransparencyLogEntry, VerificationMaterial, VerificationMaterialContent, X509Certificate,
};
use sigstore_types::{
    ArtifactDigest, CanonicalizedBody, DerCertificate, DigestBytes, DsseEnvelope, DsseSignature,
    HashAlgorithm, KeyId, KindVersion, LogIndex, LogKeyId, MediaType, PayloadBytes, Sha256Hash,
    SignatureBytes, SignedTimestamp, TimestampToken,
};
use sigstore_verify::{Error, VerificationPolicy};

use super::bundle::{Bundle, Content, Entry, Kind, Version};
use super::envelope::pre_authentication_encoding;
use super::hash::Hash;
use super::statement::About;
use super::trusted_root::TrustRoot;
use super::{Artifact, Rejection};

/// How much of the transparency that certificates have is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Transparency {
    /// Log entries, verified.
    pub(super) log: bool,
    /// The certificate in a certificate transparency log.
    pub(super) sct: bool,
}

/// Checks the certificate of a bundle and its signature. The answer is every proven time.
pub(super) fn verify(
    bundle: &Bundle,
    leaf: &[u8],
    intermediates: &[Vec<u8>],
    artifact: &Artifact<'_>,
    about: Option<&About>,
    root: &TrustRoot,
    transparency: Transparency,
) -> Result<Vec<Timestamp>, Rejection> {
    // Entries of the kind dsse/0.0.2 are unknown to it. They know no time either, so it loses
    // nothing by not seeing them; they were verified before.
    let entries: Vec<&Entry> = bundle
        .entries
        .iter()
        .filter(|entry| entry.kind != Kind::DsseV2)
        .collect();
    let mut policy = VerificationPolicy::any_identity();
    if !transparency.log || entries.is_empty() {
        policy = policy.skip_tlog_unsafe();
    }
    if !transparency.sct {
        policy = policy.skip_sct();
    }
    let envelope_entries = entries
        .iter()
        .any(|entry| matches!(entry.kind, Kind::DsseV1 | Kind::IntotoV1));
    let material = material(bundle, leaf, intermediates, &entries)?;
    let media_type = match bundle.version {
        Version::V01 => MediaType::Bundle0_1,
        Version::V02 => MediaType::Bundle0_2,
        Version::V03 => MediaType::Bundle0_3,
    };
    let theirs = |content| sigstore_types::Bundle::new(media_type, material, content);
    let verifier = &root.verifier;
    let result = match (&bundle.content, about) {
        (Content::Message { digest, signature }, _) => {
            let content = message(digest.as_ref(), signature);
            match artifact.bytes() {
                Some(bytes) => verifier.verify(bytes, &theirs(content), &policy),
                None => {
                    let digest = Sha256Hash::new(*artifact.digest().as_bytes());
                    verifier.verify(digest, &theirs(content), &policy)
                }
            }
        }
        (
            Content::Envelope {
                payload_type,
                payload,
                signature,
            },
            Some(about),
        ) if envelope_entries => {
            let envelope = DsseEnvelope::new(
                payload_type.as_str(),
                PayloadBytes::from_bytes(payload),
                DsseSignature::new(SignatureBytes::from_bytes(signature), KeyId::default()),
            );
            let digest = subject_digest(artifact, about)?;
            verifier.verify(
                digest,
                &theirs(SignatureContent::DsseEnvelope(envelope)),
                &policy,
            )
        }
        // An envelope is a message whose bytes are its pre-authentication encoding, and that is how
        // hashedrekord entries log it. What the statement is about was checked before.
        (
            Content::Envelope {
                payload_type,
                payload,
                signature,
            },
            _,
        ) => {
            let signed = pre_authentication_encoding(payload_type, payload);
            verifier.verify(
                signed.as_slice(),
                &theirs(message(None, signature)),
                &policy,
            )
        }
    };
    let result = result.map_err(|error| translate(&error))?;
    if !result.certificate_verified() || result.verified_timestamps().is_empty() {
        return Err(Rejection::NotEnough(
            "no time at which the certificate was valid is proven".to_owned(),
        ));
    }
    Ok(result.verified_timestamps().to_vec())
}

fn material(
    bundle: &Bundle,
    leaf: &[u8],
    intermediates: &[Vec<u8>],
    entries: &[&Entry],
) -> Result<VerificationMaterial, Rejection> {
    let content = if bundle.version == Version::V03 {
        let leaf = DerCertificate::from_bytes(leaf);
        VerificationMaterialContent::Certificate(CertificateContent::new(leaf))
    } else {
        let all = std::iter::once(leaf).chain(intermediates.iter().map(Vec::as_slice));
        VerificationMaterialContent::X509CertificateChain {
            certificates: all
                .map(|der| X509Certificate::new(DerCertificate::from_bytes(der)))
                .collect(),
        }
    };
    let timestamps = bundle
        .timestamps
        .iter()
        .map(|token| Rfc3161Timestamp::new(TimestampToken::from_bytes(token)))
        .collect();
    Ok(VerificationMaterial::new(content)
        .with_tlog_entries(
            entries
                .iter()
                .map(|entry| log_entry(entry))
                .collect::<Result<_, _>>()?,
        )
        .with_timestamp_verification_data(TimestampVerificationData::new(timestamps)))
}

fn log_entry(entry: &Entry) -> Result<TransparencyLogEntry, Rejection> {
    let odd = |error: sigstore_types::Error| Rejection::Log(error.to_string());
    let kind = match entry.kind {
        Kind::HashedRekordV1 => KindVersion::HashedRekordV001,
        Kind::DsseV1 => KindVersion::DsseV001,
        Kind::IntotoV1 => KindVersion::IntotoV002,
        Kind::HashedRekordV2 => KindVersion::HashedRekordV002,
        Kind::DsseV2 => {
            return Err(Rejection::Unsupported(
                "its log entry is dsse/0.0.2".to_owned(),
            ));
        }
    };
    let mut theirs = TransparencyLogEntry::new(
        LogIndex::new(entry.index).map_err(odd)?,
        LogId::new(LogKeyId::from_bytes(&entry.log_id)),
        kind,
        CanonicalizedBody::from_bytes(&entry.body),
    );
    if let Some(seconds) = entry.integrated_time {
        let time = Timestamp::from_second(seconds)
            .map_err(|_| Rejection::Log("its integrated time is out of range".to_owned()))?;
        theirs = theirs.with_integrated_time(time);
    }
    if let Some(promise) = &entry.promise {
        let promise = SignedTimestamp::from_bytes(promise);
        theirs = theirs.with_inclusion_promise(InclusionPromise::new(promise));
    }
    if let Some(proof) = &entry.proof {
        theirs = theirs.with_inclusion_proof(InclusionProof::new(
            LogIndex::new(proof.index).map_err(odd)?,
            Sha256Hash::new(proof.root),
            proof.tree_size,
            proof.path.iter().copied().map(Sha256Hash::new).collect(),
            CheckpointData::new(proof.checkpoint.text()).map_err(odd)?,
        ));
    }
    Ok(theirs)
}

fn message(digest: Option<&(Hash, Vec<u8>)>, signature: &[u8]) -> SignatureContent {
    let message = MessageSignature::new(SignatureBytes::from_bytes(signature));
    SignatureContent::MessageSignature(match digest {
        Some((hash, digest)) => message.with_message_digest(MessageDigest::new(
            match hash {
                Hash::Sha256 => HashAlgorithm::Sha2256,
                Hash::Sha384 => HashAlgorithm::Sha2384,
                Hash::Sha512 => HashAlgorithm::Sha2512,
            },
            DigestBytes::new(digest.clone()),
        )),
        None => message,
    })
}

/// The digest by which the artifact was found among the subjects.
fn subject_digest(artifact: &Artifact<'_>, about: &About) -> Result<ArtifactDigest, Rejection> {
    let algorithm = match about.hash {
        Hash::Sha256 => HashAlgorithm::Sha2256,
        Hash::Sha512 => HashAlgorithm::Sha2512,
        Hash::Sha384 => {
            return Err(Rejection::Unsupported(
                "its statement names the artifact by SHA-384 only, and its log entry is of an old kind".to_owned(),
            ));
        }
    };
    ArtifactDigest::new(algorithm, artifact.hashed(about.hash)?)
        .map_err(|error| Rejection::WrongArtifact(error.to_string()))
}

fn translate(error: &Error) -> Rejection {
    let words = error.to_string();
    match error {
        Error::SignatureInvalid(_) => Rejection::BadSignature(words),
        Error::ArtifactMismatch(_) => Rejection::WrongArtifact(words),
        Error::TransparencyLog(_) => Rejection::Log(words),
        Error::Timestamp(_) => Rejection::Timestamp(words),
        Error::UnsupportedArtifact(_) | Error::UnsupportedBundle(_) => {
            Rejection::Unsupported(words)
        }
        Error::InvalidBundle(_) | Error::Bundle(_) | Error::Types(_) => Rejection::Malformed(words),
        _ => Rejection::Certificate(words),
    }
}
