//! Public keys of every kind that the specification allows for signatures, and what they verify.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use aws_lc_rs::digest as aws_digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, EcdsaVerificationAlgorithm, UnparsedPublicKey,
};
use sha2::{Digest as _, Sha512};
use sigstore_crypto::{KeyAlgorithm, SigningScheme, VerificationKey};
use sigstore_types::{DerPublicKey, SignatureBytes};
use wharf_policy::Digest;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::hash::Hash;
use super::{Artifact, Rejection};
use crate::keys::read_public_pem;
use crate::{KeyError, PublicKey, digest};

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// The length of an uncompressed point of P-521.
const P521_POINT: usize = 133;

/// A public key: ECDSA P-256, P-384 or P-521, Ed25519 (also prehashed), or RSA from 2048 bits.
#[derive(Clone)]
pub struct VerifyingKey {
    spki: DerPublicKey,
    kind: Kind,
    fingerprint: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    P256,
    P384,
    P521,
    Ed25519,
    Rsa,
}

impl VerifyingKey {
    /// Reads one PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    /// Not such a block, or a key of another kind.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::from_spki(read_public_pem(pem)?)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`VerifyingKey::from_pem`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&crate::keys::read(path)?)
    }

    /// The SHA-256 of the key's SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// Whether a hint names another key. A hint is any text that signer and verifier agree on;
    /// only one that has the form of a fingerprint says something that can be wrong.
    pub(super) fn contradicts(&self, hint: &str) -> bool {
        STANDARD
            .decode(hint)
            .is_ok_and(|named| named.len() == 32 && named != self.fingerprint.as_bytes())
    }

    /// The SubjectPublicKeyInfo.
    pub(super) fn spki(&self) -> &[u8] {
        self.spki.as_bytes()
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// From a SubjectPublicKeyInfo in DER.
    pub(super) fn from_spki(der: Vec<u8>) -> Result<Self, KeyError> {
        let kind = kind(&der)?;
        Ok(Self {
            fingerprint: digest(&der),
            spki: DerPublicKey::new(der),
            kind,
        })
    }

    /// Whether the key signed these bytes.
    pub(super) fn verifies_bytes(&self, bytes: &[u8], signature: &[u8]) -> bool {
        if self.kind == Kind::Ed25519 {
            return self.scheme_verifies(SigningScheme::Ed25519, bytes, signature);
        }
        self.hashes(None)
            .into_iter()
            .any(|hash| self.verifies_digest(hash, &hash.of(bytes), signature))
    }

    /// Whether the key signed this artifact. `claimed` is the hash that the bundle names.
    pub(super) fn verifies_artifact(
        &self,
        artifact: &Artifact<'_>,
        claimed: Option<Hash>,
        signature: &[u8],
    ) -> Result<bool, Rejection> {
        if self.kind == Kind::Ed25519 {
            let bytes = artifact.bytes().ok_or_else(|| {
                Rejection::Unsupported(
                    "an Ed25519 key signs the artifact and not its digest; give the file (at most 256 MiB)".to_owned(),
                )
            })?;
            return Ok(
                self.scheme_verifies(SigningScheme::Ed25519, bytes, signature)
                    || self.ed25519ph_verifies(bytes, signature),
            );
        }
        // A digest that cannot be made from what is at hand is one that cannot be tried.
        Ok(self.hashes(claimed).into_iter().any(|hash| {
            artifact
                .hashed(hash)
                .is_ok_and(|digest| self.verifies_digest(hash, &digest, signature))
        }))
    }

    /// Whether the key signed these bytes by way of this hash, which Ed25519 does without. As certificates and
    /// TLS allow it: with any hash.
    pub(super) fn verifies_hashed(&self, hash: Hash, bytes: &[u8], signature: &[u8]) -> bool {
        let algorithm = match (self.kind, hash) {
            (Kind::Ed25519, _) => {
                return self.scheme_verifies(SigningScheme::Ed25519, bytes, signature);
            }
            (Kind::P256, Hash::Sha512) => &ECDSA_P256_SHA512_ASN1,
            (Kind::P384, Hash::Sha512) => &ECDSA_P384_SHA512_ASN1,
            _ => return self.verifies_digest(hash, &hash.of(bytes), signature),
        };
        self.ecdsa_verifies(algorithm, &aws_digest::SHA512, &hash.of(bytes), signature)
    }

    /// The hashes that signatures by this kind of key are made with: what the bundle says, what
    /// the specification says, and SHA-256, which older clients used with every key.
    fn hashes(&self, claimed: Option<Hash>) -> Vec<Hash> {
        let usual = match self.kind {
            Kind::P256 | Kind::Rsa | Kind::Ed25519 => Hash::Sha256,
            Kind::P384 => Hash::Sha384,
            Kind::P521 => Hash::Sha512,
        };
        let mut hashes = Vec::new();
        for hash in claimed.into_iter().chain([usual, Hash::Sha256]) {
            if !hashes.contains(&hash) {
                hashes.push(hash);
            }
        }
        hashes
    }

    fn verifies_digest(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        let schemes: &[SigningScheme] = match (self.kind, hash) {
            (Kind::P521, _) => return self.p521_verifies(hash, digest, signature),
            (Kind::P256, Hash::Sha256) => &[SigningScheme::EcdsaP256Sha256],
            (Kind::P256, Hash::Sha384) => &[SigningScheme::EcdsaP256Sha384],
            (Kind::P384, Hash::Sha256) => &[SigningScheme::EcdsaP384Sha256],
            (Kind::P384, Hash::Sha384) => &[SigningScheme::EcdsaP384Sha384],
            (Kind::Rsa, Hash::Sha256) => {
                &[SigningScheme::RsaPkcs1Sha256, SigningScheme::RsaPssSha256]
            }
            (Kind::Rsa, Hash::Sha384) => {
                &[SigningScheme::RsaPkcs1Sha384, SigningScheme::RsaPssSha384]
            }
            (Kind::Rsa, Hash::Sha512) => {
                &[SigningScheme::RsaPkcs1Sha512, SigningScheme::RsaPssSha512]
            }
            (Kind::P256 | Kind::P384, Hash::Sha512) | (Kind::Ed25519, _) => &[],
        };
        let signature = SignatureBytes::from_bytes(signature);
        schemes.iter().any(|scheme| {
            VerificationKey::from_spki_with_scheme(&self.spki, *scheme)
                .and_then(|key| key.verify_prehashed(digest, &signature))
                .is_ok()
        })
    }

    fn scheme_verifies(&self, scheme: SigningScheme, bytes: &[u8], signature: &[u8]) -> bool {
        VerificationKey::from_spki_with_scheme(&self.spki, scheme)
            .and_then(|key| key.verify(bytes, &SignatureBytes::from_bytes(signature)))
            .is_ok()
    }

    /// The form that signs a SHA-512 (RFC 8032, section 5.1), which is how a log can have a signature by
    /// such a key. No signature is good in both forms.
    fn ed25519ph_verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = SubjectPublicKeyInfoRef::from_der(self.spki())
            .ok()
            .and_then(|spki| spki.subject_public_key.as_bytes()?.try_into().ok())
            .and_then(|raw| ed25519_dalek::VerifyingKey::from_bytes(raw).ok());
        let signature = ed25519_dalek::Signature::from_slice(signature);
        match (key, signature) {
            (Some(key), Ok(signature)) => key
                .verify_prehashed_strict(Sha512::new_with_prefix(bytes), None, &signature)
                .is_ok(),
            _ => false,
        }
    }

    fn p521_verifies(&self, hash: Hash, digest: &[u8], signature: &[u8]) -> bool {
        let (algorithm, function) = match hash {
            Hash::Sha256 => (&ECDSA_P521_SHA256_ASN1, &aws_digest::SHA256),
            Hash::Sha384 => (&ECDSA_P521_SHA384_ASN1, &aws_digest::SHA384),
            Hash::Sha512 => (&ECDSA_P521_SHA512_ASN1, &aws_digest::SHA512),
        };
        self.ecdsa_verifies(algorithm, function, digest, signature)
    }

    fn ecdsa_verifies(
        &self,
        algorithm: &'static EcdsaVerificationAlgorithm,
        function: &'static aws_digest::Algorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> bool {
        let Ok(digest) = aws_digest::Digest::import_less_safe(digest, function) else {
            return false;
        };
        UnparsedPublicKey::new(algorithm, self.spki())
            .verify_digest(&digest, signature)
            .is_ok()
    }
}

impl From<&PublicKey> for VerifyingKey {
    fn from(key: &PublicKey) -> Self {
        Self {
            spki: key.spki().clone(),
            kind: Kind::P256,
            fingerprint: key.fingerprint(),
        }
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({})", self.fingerprint)
    }
}

/// The kind of key, with its encoding checked.
fn kind(der: &[u8]) -> Result<Kind, KeyError> {
    if is_p521(der) {
        return Ok(Kind::P521);
    }
    let unsupported = |why: String| KeyError::NotAPublicKey(why);
    let spki = DerPublicKey::from_bytes(der);
    let (kind, scheme) =
        match KeyAlgorithm::from_spki(&spki).map_err(|error| unsupported(error.to_string()))? {
            KeyAlgorithm::EcdsaP256 => (Kind::P256, SigningScheme::EcdsaP256Sha256),
            KeyAlgorithm::EcdsaP384 => (Kind::P384, SigningScheme::EcdsaP384Sha384),
            KeyAlgorithm::Ed25519 => (Kind::Ed25519, SigningScheme::Ed25519),
            KeyAlgorithm::Rsa => (Kind::Rsa, SigningScheme::RsaPkcs1Sha256),
            other => {
                return Err(unsupported(format!(
                    "keys of the kind {other:?} are not supported"
                )));
            }
        };
    let key = VerificationKey::from_spki_with_scheme(&spki, scheme)
        .map_err(|error| unsupported(error.to_string()))?;
    sigstore_crypto::validate_raw_public_key(scheme, key.as_bytes())
        .map_err(|error| unsupported(error.to_string()))?;
    Ok(kind)
}

fn is_p521(der: &[u8]) -> bool {
    SubjectPublicKeyInfoRef::from_der(der).is_ok_and(|spki| {
        spki.algorithm.oid == EC
            && spki.algorithm.parameters_oid().is_ok_and(|oid| oid == P521)
            && spki
                .subject_public_key
                .as_bytes()
                .is_some_and(|point| point.len() == P521_POINT && point.first() == Some(&4))
    })
}
