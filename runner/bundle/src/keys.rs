//! Keys: ECDSA P-256, and nothing else. Private keys are at rest only encrypted, as cosign does it.
//!
//! Neither key is ever printed; what names a key in messages is its fingerprint.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sigstore::crypto::signing_key::ecdsa::ec::{EcdsaKeys, EcdsaSigner};
use sigstore::crypto::signing_key::ecdsa::{ECDSAKeys, EllipticCurve};
use sigstore::crypto::signing_key::{
    COSIGN_PRIVATE_KEY_PEM_LABEL, KeyPair as _, SIGSTORE_PRIVATE_KEY_PEM_LABEL, Signer as _,
    kdf::BOX_NONCE_SIZE,
};
use sigstore_crypto::{SigningScheme, VerificationKey, validate_raw_public_key};
use sigstore_types::{DerPublicKey, SignatureBytes};
use wharf_policy::Digest;
use zeroize::Zeroizing;

use crate::{KeyError, digest, read_file, strict_json};

const SCHEME: SigningScheme = SigningScheme::EcdsaP256Sha256;

/// The largest key file, in bytes. Keys are a few hundred.
const MAX_KEY: usize = 64 << 10;

/// A private key that signs plugins.
pub struct SigningKey {
    keys: EcdsaKeys,
    signer: EcdsaSigner,
    public: PublicKey,
}

impl SigningKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// The randomness or the cryptography fails.
    pub fn generate() -> Result<Self, KeyError> {
        Self::of(EcdsaKeys::new(EllipticCurve::P256).map_err(failed)?)
    }

    /// Opens a key as cosign and `wharf keygen` write it. An unencrypted key is refused, whatever
    /// the password.
    ///
    /// # Errors
    /// Not such a key, not P-256, or the wrong password.
    pub fn from_encrypted_pem(pem: &str, password: &SecretString) -> Result<Self, KeyError> {
        check_envelope(pem)?;
        let password = password.expose_secret().as_bytes();
        match ECDSAKeys::from_encrypted_pem(pem.as_bytes(), password) {
            Ok(ECDSAKeys::P256(keys)) => Self::of(keys),
            Ok(_) => Err(KeyError::NotP256),
            Err(_) => Err(KeyError::WrongPassword),
        }
    }

    /// Opens a key file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`SigningKey::from_encrypted_pem`].
    pub fn load(path: &Path, password: &SecretString) -> Result<Self, KeyError> {
        let pem = Zeroizing::new(read(path)?);
        Self::from_encrypted_pem(&pem, password)
    }

    /// The key as PEM, encrypted with a password (scrypt and NaCl secretbox, as cosign does it).
    ///
    /// # Errors
    /// The randomness or the cryptography fails.
    pub fn to_encrypted_pem(&self, password: &SecretString) -> Result<Zeroizing<String>, KeyError> {
        let pem = self
            .keys
            .private_key_to_encrypted_pem(password.expose_secret().as_bytes())
            .map_err(failed)?;
        Ok(Zeroizing::new(pem.replace("\r\n", "\n")))
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// An ASN.1 DER signature over the SHA-256 of these bytes.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<SignatureBytes, KeyError> {
        let signature = self.signer.sign(bytes).map_err(failed)?;
        Ok(SignatureBytes::new(signature))
    }

    fn of(keys: EcdsaKeys) -> Result<Self, KeyError> {
        let public = PublicKey::from_spki(keys.public_key_to_der().map_err(failed)?)?;
        let signer = keys.to_signer().map_err(failed)?;
        Ok(Self {
            keys,
            signer,
            public,
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.fingerprint)
    }
}

/// A public key that checks signatures.
#[derive(Clone)]
pub struct PublicKey {
    spki: DerPublicKey,
    fingerprint: Digest,
}

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY`.
    ///
    /// # Errors
    /// Not such a block, or not P-256.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::from_spki(read_public_pem(pem)?)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`PublicKey::from_pem`].
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&read(path)?)
    }

    /// The key as PEM.
    pub fn to_pem(&self) -> String {
        self.spki.to_pem().replace("\r\n", "\n")
    }

    /// The SHA-256 of the key's SubjectPublicKeyInfo (DER): what names a key to people.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &DerPublicKey {
        &self.spki
    }

    /// What a Sigstore bundle says about its key: the fingerprint in base64.
    pub(crate) fn hint(&self) -> String {
        STANDARD.encode(self.fingerprint.as_bytes())
    }

    fn from_spki(der: Vec<u8>) -> Result<Self, KeyError> {
        let fingerprint = digest(&der);
        let spki = DerPublicKey::new(der);
        let key =
            VerificationKey::from_spki_with_scheme(&spki, SCHEME).map_err(|_| KeyError::NotP256)?;
        validate_raw_public_key(SCHEME, key.as_bytes()).map_err(|_| KeyError::NotP256)?;
        Ok(Self { spki, fingerprint })
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.fingerprint)
    }
}

/// Refuses what the key code below would take too easily: an unencrypted key, or a nonce of
/// another length than the cipher's, on which it would panic.
fn check_envelope(pem: &str) -> Result<(), KeyError> {
    // All that the key code reads as an object, so that nothing else is taken for one.
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "kdf")]
        _kdf: Kdf,
        cipher: Cipher,
    }
    #[derive(Deserialize)]
    struct Kdf {
        #[serde(rename = "params")]
        _params: Params,
    }
    #[derive(Deserialize)]
    struct Params {}
    #[derive(Deserialize)]
    struct Cipher {
        nonce: String,
    }
    let wrong = |why: &str| KeyError::NotAnEncryptedKey(why.to_owned());
    if pem.len() > MAX_KEY {
        return Err(wrong("it is far too large"));
    }
    let body = [SIGSTORE_PRIVATE_KEY_PEM_LABEL, COSIGN_PRIVATE_KEY_PEM_LABEL]
        .iter()
        .find_map(|label| {
            pem.trim()
                .strip_prefix(&format!("-----BEGIN {label}-----"))?
                .strip_suffix(&format!("-----END {label}-----"))
        })
        .ok_or_else(|| wrong("it is not one PEM block `ENCRYPTED SIGSTORE PRIVATE KEY`"))?;
    let body: String = body.split_whitespace().collect();
    let json = STANDARD
        .decode(body)
        .map_err(|_| wrong("its content is not base64"))?;
    let envelope: Envelope =
        strict_json::from_slice(&json).map_err(|_| wrong("its content is not cosign's"))?;
    let nonce = STANDARD
        .decode(envelope.cipher.nonce)
        .map_err(|_| wrong("its nonce is not base64"))?;
    if nonce.len() != BOX_NONCE_SIZE as usize {
        return Err(wrong("its nonce has the wrong length"));
    }
    Ok(())
}

/// What is given in place of a public key, and how to get one from it.
const OTHER_BLOCKS: [(&str, &str); 6] = [
    (
        "RSA PUBLIC KEY",
        "`openssl rsa -RSAPublicKey_in -in FILE -pubout` converts it",
    ),
    (
        "CERTIFICATE",
        "`openssl x509 -in FILE -noout -pubkey` gives its key",
    ),
    (
        "PRIVATE KEY",
        "`openssl pkey -in FILE -pubout` gives its public half",
    ),
    (
        "EC PRIVATE KEY",
        "`openssl pkey -in FILE -pubout` gives its public half",
    ),
    (
        SIGSTORE_PRIVATE_KEY_PEM_LABEL,
        "give the file with its public half",
    ),
    (
        COSIGN_PRIVATE_KEY_PEM_LABEL,
        "give the file with its public half",
    ),
];

/// The DER in a PEM block `PUBLIC KEY`, if the text has it and no other block.
pub(crate) fn read_public_pem(pem: &str) -> Result<Vec<u8>, KeyError> {
    let not_public = |why: String| KeyError::NotAPublicKey(why);
    if pem.len() > MAX_KEY {
        return Err(not_public("it is far too large".to_owned()));
    }
    if pem.matches("-----BEGIN ").count() > 1 {
        return Err(not_public(
            "the file has more than one PEM block".to_owned(),
        ));
    }
    for (label, instead) in OTHER_BLOCKS {
        if pem.contains(&format!("-----BEGIN {label}-----")) {
            return Err(not_public(format!(
                "it is a PEM block `{label}`; {instead}"
            )));
        }
    }
    DerPublicKey::from_pem(pem)
        .map(DerPublicKey::into_bytes)
        .map_err(|error| not_public(error.to_string()))
}

/// Reads a key file, which is small. What it is read from need not say its size, or end.
pub(crate) fn read(path: &Path) -> Result<String, KeyError> {
    let unreadable = |why: String| KeyError::Unreadable {
        path: path.display().to_string(),
        why,
    };
    let bytes = read_file(path, MAX_KEY).map_err(|error| match error.kind() {
        ErrorKind::FileTooLarge => unreadable(format!("{error}; keys are small")),
        _ => unreadable(error.to_string()),
    })?;
    String::from_utf8(bytes).map_err(|_| {
        unreadable(
            "it is not text, as PEM is; of a public key in DER `openssl pkey -pubin -inform der -in FILE` makes PEM"
                .to_owned(),
        )
    })
}

fn failed(error: impl fmt::Display) -> KeyError {
    KeyError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_that_does_not_end_or_is_no_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let der = folder.path().join("key.der");
        std::fs::write(&der, [0x30, 0x59, 0xff, 0xfe]).unwrap();
        for (path, says) in [
            (Path::new("/dev/zero"), "keys are small"),
            (&der, "-inform der"),
            (&folder.path().join("gone"), "cannot be read"),
        ] {
            let error = PublicKey::load(path).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn what_is_given_in_place_of_a_public_key_is_named_with_the_way_to_one() {
        for (label, instead) in OTHER_BLOCKS {
            let pem = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
            let error = read_public_pem(&pem).unwrap_err().to_string();
            assert!(error.contains(label) && error.contains(instead), "{error}");
        }
    }
}
