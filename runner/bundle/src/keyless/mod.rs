//! Signing with the help of a Sigstore instance: with a certificate for an identity in place of a
//! key, and with log entries and timestamps beside either.
//!
//! One of the two modules of this crate that talk to a network. It asks the services that it was given and
//! no other, believes none of them, and gives nothing back that our own verifier does not verify
//! against the trusted root. The key behind a certificate signs once and is dropped.

mod ambient;
mod config;
mod error;
mod fulcio;
mod rekor;
mod service;
mod token;
mod tsa;

pub use ambient::Ambient;
pub use config::Services;
pub use error::{SigningError, SigningFailure};
pub use rekor::{Log, LogVersion};
pub use service::{Service, TlsRoots};
pub use token::IdentityToken;

use std::fmt;

use jiff::Timestamp;
use sigstore_crypto::KeyPair;
use sigstore_types::bundle::{
    CertificateContent, PublicKeyIdentifier, Rfc3161Timestamp, TimestampVerificationData,
    VerificationMaterial, VerificationMaterialContent,
};
use sigstore_types::{DerCertificate, DerPublicKey, SignatureBytes};
use wharf_policy::Digest;

use crate::sign::to_json;
use crate::sigstore::{
    Artifact, Evidence, Expected, TrustRoot, VerifiedArtifact, VerifyingKey, identity_of,
    verify_artifact,
};
use crate::{KeyError, SigningKey, digest};

/// A signature that was made, and verified as whoever gets it will.
#[derive(Debug)]
pub struct Signed {
    json: Vec<u8>,
    verified: VerifiedArtifact,
}

impl Signed {
    /// The Sigstore bundle, to be kept beside the file.
    pub fn json(&self) -> &[u8] {
        &self.json
    }

    /// What it proves.
    pub fn verified(&self) -> &VerifiedArtifact {
        &self.verified
    }
}

/// A signature before anybody has witnessed it.
struct Draft {
    digest: Digest,
    signature: SignatureBytes,
    by: Signatory,
}

/// With what it is verified.
enum Signatory {
    Key { spki: DerPublicKey, hint: String },
    Certificate(DerCertificate),
}

/// Signs with a key, and has the signature logged and timestamped by the services that are named;
/// there may be none.
///
/// # Errors
/// A service cannot be reached or refuses, or what came back does not verify. Nothing was made then.
pub async fn sign_with_key(
    bytes: &[u8],
    key: &SigningKey,
    services: &Services,
    root: &TrustRoot,
) -> Result<Signed, SigningError> {
    let public = key.public();
    let draft = Draft {
        digest: digest(bytes),
        signature: key.sign(bytes)?,
        by: Signatory::Key {
            spki: public.spki().clone(),
            hint: public.hint(),
        },
    };
    let json = witness(draft, services).await?;
    let key = VerifyingKey::from(public);
    let artifact = Artifact::from_bytes(bytes);
    let verified = verify_artifact(
        &artifact,
        &json,
        Expected::Key(&key),
        root,
        evidence(services),
    )?;
    Ok(Signed { json, verified })
}

/// Signs with a certificate for whom the token is of.
///
/// # Errors
/// The token is over, a service cannot be reached or refuses, or what came back does not verify or
/// is for somebody else. Nothing was made then; the log may have an entry of it.
pub async fn sign_keyless(
    bytes: &[u8],
    token: &IdentityToken,
    services: &Services,
    root: &TrustRoot,
) -> Result<Signed, SigningError> {
    let fulcio = services.fulcio.as_ref().ok_or_else(|| {
        SigningError::Config("no certificate authority is named (--fulcio-url)".to_owned())
    })?;
    let says_when = |log: &Log| log.version == LogVersion::V1;
    if !services.logs.iter().any(says_when) && services.authorities.is_empty() {
        return Err(SigningError::NoProofOfTime);
    }
    token.check_time(Timestamp::now())?;
    let key = KeyPair::generate_ecdsa_p256().map_err(failed)?;
    let certificate = fulcio::certificate(fulcio, token, &key).await?;
    // Before anything is logged, where it would stay: it is for us, and for our key.
    let ours = key.public_key_der().map_err(failed)?;
    let identity =
        identity_of(certificate.as_bytes(), &ours).map_err(|why| fulcio.answered(why))?;
    token.check(&identity)?;
    let draft = Draft {
        digest: digest(bytes),
        signature: key.sign(bytes).map_err(failed)?,
        by: Signatory::Certificate(certificate),
    };
    drop(key);
    let json = witness(draft, services).await?;
    let expected = Expected::Identity(&identity);
    let artifact = Artifact::from_bytes(bytes);
    let verified = verify_artifact(&artifact, &json, expected, root, evidence(services))?;
    Ok(Signed { json, verified })
}

/// What must be in the bundle afterwards: everything that was asked for.
fn evidence(services: &Services) -> Evidence {
    match (services.logs.is_empty(), services.authorities.is_empty()) {
        (true, true) => Evidence::KeyAlone,
        (false, true) => Evidence::Log,
        (true, false) => Evidence::Timestamp,
        (false, false) => Evidence::LogAndTimestamp,
    }
}

/// Has a signature logged and timestamped, and makes the bundle.
async fn witness(draft: Draft, services: &Services) -> Result<Vec<u8>, SigningError> {
    let mut entries = Vec::new();
    for log in &services.logs {
        entries.push(rekor::log(log, &draft).await?);
    }
    let mut timestamps = Vec::new();
    for authority in &services.authorities {
        let token = tsa::timestamp(authority, draft.signature.as_bytes()).await?;
        timestamps.push(Rfc3161Timestamp::new(token));
    }
    let content = match draft.by {
        Signatory::Key { hint, .. } => {
            VerificationMaterialContent::PublicKey(PublicKeyIdentifier::new(hint))
        }
        Signatory::Certificate(certificate) => {
            VerificationMaterialContent::Certificate(CertificateContent::new(certificate))
        }
    };
    let mut material = VerificationMaterial::new(content).with_tlog_entries(entries);
    if !timestamps.is_empty() {
        material =
            material.with_timestamp_verification_data(TimestampVerificationData::new(timestamps));
    }
    Ok(to_json(material, draft.digest, draft.signature)?)
}

/// Cryptography that failed.
fn failed(error: impl fmt::Display) -> SigningError {
    SigningError::Key(KeyError::Failed(error.to_string()))
}
