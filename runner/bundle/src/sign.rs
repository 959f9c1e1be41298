//! Signing: a Sigstore bundle v0.3 with a message signature by ECDSA P-256 over SHA-256, which
//! every Sigstore client verifies.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sigstore_types::bundle::{
    Bundle, MediaType, MessageDigest, MessageSignature, PublicKeyIdentifier, SignatureContent,
    VerificationMaterial, VerificationMaterialContent,
};
use sigstore_types::encoding::DigestBytes;
use sigstore_types::{HashAlgorithm, SignatureBytes};
use wharf_policy::Digest;

use crate::sigstore::{Artifact, Evidence, Rejection, TrustRoot};
use crate::trust::{Reasons, signed_by};
use crate::{KeyError, PublicKey, Refusal, SignatureFile, SigningKey, digest};

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
    let hint = PublicKeyIdentifier::new(key.public().hint());
    let material = VerificationMaterial::new(VerificationMaterialContent::PublicKey(hint));
    to_json(material, digest(bytes), key.sign(bytes)?)
}

/// A Sigstore bundle of the one form that is accepted for plugins, as JSON.
pub(crate) fn to_json(
    material: VerificationMaterial,
    signed: Digest,
    signature: SignatureBytes,
) -> Result<Vec<u8>, KeyError> {
    let signature = MessageSignature::new(signature).with_message_digest(MessageDigest::new(
        HashAlgorithm::Sha2256,
        DigestBytes::new(signed.as_bytes().to_vec()),
    ));
    let bundle = Bundle::new(
        MediaType::Bundle0_3,
        material,
        SignatureContent::MessageSignature(signature),
    );
    let json = bundle
        .to_json()
        .map_err(|error| KeyError::Failed(error.to_string()))?;
    Ok(json.into_bytes())
}

/// Checks that one of these keys signed these bytes, as plugins are signed, and says which. Log
/// entries and timestamps may be missing; those that are there must be of the public-good instance.
///
/// # Errors
/// The bundle is not of the accepted form, is about other bytes, or none of the keys made it.
pub fn verify_with_key<'k>(
    bytes: &[u8],
    bundle: &[u8],
    keys: &'k [PublicKey],
) -> Result<&'k PublicKey, Refusal> {
    let file = SignatureFile::parse(bundle)?;
    file.check_digest(digest(bytes))?;
    let root = TrustRoot::public_good()
        .map_err(|error| Refusal::NotProven(Rejection::NotEnough(error.to_string())))?;
    let artifact = Artifact::from_bytes(bytes);
    let mut reasons = Reasons::default();
    for signature in file.signatures() {
        for key in keys {
            match signed_by(&artifact, signature, key, &root, Evidence::KeyAlone) {
                Ok(()) => return Ok(key),
                Err(reason) => reasons.add(reason),
            }
        }
    }
    Err(reasons.refusal(&file))
}
