//! Signatures: Sigstore bundles v0.3 made with a key, written and checked.
//!
//! Only one form passes: a message signature by ECDSA P-256 over SHA-256, no certificate. ProtoJSON
//! lets a reader refuse what it does not know, and this one does: unknown, repeated and missing
//! fields, other encodings of base64. What the bundle says about its key is never trusted; a key
//! hint that contradicts the key is refused. Log entries and timestamps may be there and are not
//! looked at: they prove *when*, and trust here is in the key.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use sigstore_types::bundle::{
    Bundle, MediaType, MessageDigest, MessageSignature, PublicKeyIdentifier, SignatureContent,
    VerificationMaterial, VerificationMaterialContent,
};
use sigstore_types::encoding::DigestBytes;
use sigstore_types::{HashAlgorithm, SignatureBytes};
use wharf_policy::Digest;

use crate::{KeyError, PublicKey, Refusal, SigningKey, digest};

/// The largest signature file, in bytes.
const MAX_BUNDLE: usize = 1 << 20;

/// The longest ASN.1 DER signature by a P-256 key, in bytes.
const MAX_SIGNATURE: usize = 72;

/// The two spellings of v0.3 in the Sigstore specification.
const MEDIA_TYPES: [&str; 2] = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
];

/// Where the signature of a file is: `FILE.sigstore.json`.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".sigstore.json");
    PathBuf::from(name)
}

/// Signs bytes. The answer is a Sigstore bundle, to be kept at [`signature_path`].
///
/// # Errors
/// The cryptography fails.
pub fn sign(bytes: &[u8], key: &SigningKey) -> Result<Vec<u8>, KeyError> {
    let signed = digest(bytes);
    let signature =
        MessageSignature::new(key.sign(bytes)?).with_message_digest(MessageDigest::new(
            HashAlgorithm::Sha2256,
            DigestBytes::new(signed.as_bytes().to_vec()),
        ));
    let hint = PublicKeyIdentifier::new(key.public().hint());
    let bundle = Bundle::new(
        MediaType::Bundle0_3,
        VerificationMaterial::new(VerificationMaterialContent::PublicKey(hint)),
        SignatureContent::MessageSignature(signature),
    );
    let json = bundle
        .to_json()
        .map_err(|error| KeyError::Failed(error.to_string()))?;
    Ok(json.into_bytes())
}

/// Checks that one of these keys signed these bytes, and says which.
///
/// # Errors
/// The bundle is not of the accepted form, is about other bytes, or none of the keys made it.
pub fn verify_with_key<'k>(
    bytes: &[u8],
    bundle: &[u8],
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Refusal> {
    let bundle = KeyBundle::parse(bundle)?;
    let actual = digest(bytes);
    bundle.check_digest(actual)?;
    keys.iter()
        .find(|key| bundle.is_by(key))
        .ok_or_else(|| bundle.unknown_signer())
}

/// A signature file that has the accepted form. It proves nothing until a key is tried on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyBundle {
    signed: Digest,
    signature: SignatureBytes,
    hint: String,
}

impl KeyBundle {
    /// Reads a signature file strictly.
    ///
    /// # Errors
    /// [`Refusal::MalformedSignature`] with what is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, Refusal> {
        Self::read(json).map_err(Refusal::MalformedSignature)
    }

    fn read(json: &[u8]) -> Result<Self, String> {
        if json.len() > MAX_BUNDLE {
            return Err(format!(
                "it has {} bytes, more than the {MAX_BUNDLE} that are allowed",
                json.len()
            ));
        }
        let wire: WireBundle = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if !MEDIA_TYPES.contains(&wire.media_type.as_str()) {
            return Err(format!(
                "its mediaType is {:?}",
                shortened(&wire.media_type)
            ));
        }
        let material = wire.verification_material;
        if material.certificate.is_some() || material.x509_certificate_chain.is_some() {
            return Err("it carries a certificate, and only keys are trusted here".to_owned());
        }
        if wire.dsse_envelope.is_some() {
            return Err("it is an attestation (dsseEnvelope), not a signature".to_owned());
        }
        let key = material.public_key.ok_or("it has no publicKey")?;
        let message = wire.message_signature.ok_or("it has no messageSignature")?;
        if message.message_digest.algorithm != "SHA2_256" {
            return Err("the algorithm of its messageDigest is not SHA2_256".to_owned());
        }
        let signed: [u8; 32] = decode("messageDigest", &message.message_digest.digest)?
            .try_into()
            .map_err(|_| "its messageDigest does not have 32 bytes")?;
        let signature = decode("signature", &message.signature)?;
        if signature.is_empty() || signature.len() > MAX_SIGNATURE {
            return Err("its signature does not have the length of a P-256 signature".to_owned());
        }
        Ok(Self {
            signed: Digest::from_bytes(signed),
            signature: SignatureBytes::new(signature),
            hint: key.hint,
        })
    }

    /// The digest of the file that the signature is about.
    pub fn signed(&self) -> Digest {
        self.signed
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

    /// Whether this key made the signature.
    pub(crate) fn is_by(&self, key: &PublicKey) -> bool {
        (self.hint.is_empty() || self.hint == key.hint())
            && key.verifies(self.signed, &self.signature)
    }

    pub(crate) fn unknown_signer(&self) -> Refusal {
        let hint = match STANDARD.decode(&self.hint).map(<[u8; 32]>::try_from) {
            Ok(Ok(bytes)) => format!(
                "it says its key has the fingerprint {}",
                Digest::from_bytes(bytes)
            ),
            _ => "it does not say by which key".to_owned(),
        };
        Refusal::UnknownSigner { hint }
    }
}

/// Standard alphabet, padded, no stray bits: one text for the same bytes.
fn decode(what: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD
        .decode(text)
        .map_err(|error| format!("its {what} is not base64: {error}"))
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

// The form as it stands in the file. Serde refuses unknown and repeated fields in all of these.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireBundle {
    media_type: String,
    verification_material: WireMaterial,
    message_signature: Option<WireMessage>,
    dsse_envelope: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMaterial {
    public_key: Option<WireKey>,
    certificate: Option<IgnoredAny>,
    x509_certificate_chain: Option<IgnoredAny>,
    #[serde(default, rename = "tlogEntries")]
    _tlog_entries: Option<Vec<IgnoredAny>>,
    #[serde(default, rename = "timestampVerificationData")]
    _timestamps: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireKey {
    #[serde(default)]
    hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireMessage {
    message_digest: WireDigest,
    signature: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WireDigest {
    algorithm: String,
    digest: String,
}
