//! Private keys: reading them from a secret, and signing with them.
//!
//! A key that signs is read once a handle and kept in it. What is read is PEM (PKCS #8, or the older forms
//! for EC and RSA) or PKCS #8 as DER. Every buffer of ours on the way is wiped.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::Failure;
use crate::bindings::secrets::SignatureAlgorithm;

/// RSA keys in bytes of their modulus. Larger ones take so long that a plugin could keep a thread
/// of the runner busy; smaller ones are broken.
const RSA: std::ops::RangeInclusive<usize> = 256..=512;
const RSA_KEY: &str = "an RSA private key of 2048 to 4096 bits";

/// The kinds of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa,
}

/// The key of a handle, once it was read. ECDSA has one for each way to write a signature.
#[derive(Default)]
pub(super) struct Keys {
    ed25519: Option<Ed25519KeyPair>,
    ecdsa: Vec<(SignatureAlgorithm, EcdsaKeyPair)>,
    rsa: Option<RsaKeyPair>,
}

impl Keys {
    /// The signature of a message.
    pub(super) fn sign(
        &mut self,
        secret: &[u8],
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        use SignatureAlgorithm as A;
        match algorithm {
            A::Ed25519 => self.ed25519(secret, message),
            A::EcdsaP256Sha256 => {
                self.ecdsa(secret, message, algorithm, &ECDSA_P256_SHA256_ASN1_SIGNING)
            }
            A::EcdsaP256Sha256Fixed => {
                self.ecdsa(secret, message, algorithm, &ECDSA_P256_SHA256_FIXED_SIGNING)
            }
            A::EcdsaP384Sha384 => {
                self.ecdsa(secret, message, algorithm, &ECDSA_P384_SHA384_ASN1_SIGNING)
            }
            A::EcdsaP384Sha384Fixed => {
                self.ecdsa(secret, message, algorithm, &ECDSA_P384_SHA384_FIXED_SIGNING)
            }
            A::RsaPkcs1Sha256 => self.rsa(secret, message, &signature::RSA_PKCS1_SHA256),
            A::RsaPkcs1Sha384 => self.rsa(secret, message, &signature::RSA_PKCS1_SHA384),
            A::RsaPkcs1Sha512 => self.rsa(secret, message, &signature::RSA_PKCS1_SHA512),
            A::RsaPssSha256 => self.rsa(secret, message, &signature::RSA_PSS_SHA256),
            A::RsaPssSha384 => self.rsa(secret, message, &signature::RSA_PSS_SHA384),
            A::RsaPssSha512 => self.rsa(secret, message, &signature::RSA_PSS_SHA512),
        }
    }

    fn ed25519(&mut self, secret: &[u8], message: &[u8]) -> Result<Vec<u8>, Failure> {
        let key = match self.ed25519.take() {
            Some(key) => key,
            None => ed25519(secret)?,
        };
        let signature = key.try_sign(message).map_err(|_| unsigned())?;
        self.ed25519 = Some(key);
        Ok(signature.as_ref().to_vec())
    }

    fn ecdsa(
        &mut self,
        secret: &[u8],
        message: &[u8],
        algorithm: SignatureAlgorithm,
        how: &'static EcdsaSigningAlgorithm,
    ) -> Result<Vec<u8>, Failure> {
        let at = match self.ecdsa.iter().position(|(of, _)| *of == algorithm) {
            Some(at) => at,
            None => {
                self.ecdsa.push((algorithm, ecdsa(secret, how)?));
                self.ecdsa.len() - 1
            }
        };
        let signature = self.ecdsa[at].1.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| unsigned())?.as_ref().to_vec())
    }

    fn rsa(
        &mut self,
        secret: &[u8],
        message: &[u8],
        padding: &'static dyn RsaEncoding,
    ) -> Result<Vec<u8>, Failure> {
        let key = match self.rsa.take() {
            Some(key) => key,
            None => rsa(secret)?,
        };
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(padding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| unsigned())?;
        self.rsa = Some(key);
        Ok(signature)
    }
}

/// The kind of key that a secret is, or none if it is no private key.
pub(super) fn kind(secret: &[u8]) -> Option<Kind> {
    if ed25519(secret).is_ok() {
        Some(Kind::Ed25519)
    } else if ecdsa(secret, &ECDSA_P256_SHA256_FIXED_SIGNING).is_ok() {
        Some(Kind::P256)
    } else if ecdsa(secret, &ECDSA_P384_SHA384_FIXED_SIGNING).is_ok() {
        Some(Kind::P384)
    } else if rsa(secret).is_ok() {
        Some(Kind::Rsa)
    } else {
        None
    }
}

fn ed25519(secret: &[u8]) -> Result<Ed25519KeyPair, Failure> {
    let der = der(secret)?;
    // Keys without their public half (PKCS #8 version 1) are what OpenSSL writes.
    Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| not_a("an Ed25519 private key"))
}

fn ecdsa(secret: &[u8], how: &'static EcdsaSigningAlgorithm) -> Result<EcdsaKeyPair, Failure> {
    EcdsaKeyPair::from_private_key_der(how, &der(secret)?).map_err(|_| {
        let on = [
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            &ECDSA_P256_SHA256_FIXED_SIGNING,
        ];
        not_a(if on.contains(&how) {
            "an ECDSA P-256 private key"
        } else {
            "an ECDSA P-384 private key"
        })
    })
}

fn rsa(secret: &[u8]) -> Result<RsaKeyPair, Failure> {
    let der = der(secret)?;
    let key = RsaKeyPair::from_pkcs8(&der)
        .or_else(|_| RsaKeyPair::from_der(&der))
        .map_err(|_| not_a(RSA_KEY))?;
    if RSA.contains(&key.public_modulus_len()) {
        Ok(key)
    } else {
        Err(not_a(RSA_KEY))
    }
}

fn not_a(key: &str) -> Failure {
    Failure::Invalid(format!(
        "the secret is not {key}: store one as PEM, unencrypted, or as PKCS #8 DER, or ask for another algorithm"
    ))
}

fn unsigned() -> Failure {
    Failure::Invalid("the key cannot sign this message".to_owned())
}

/// Whether it is text with a block of PEM in it (RFC 7468), perhaps after an explanation.
pub(super) fn is_pem(secret: &[u8]) -> bool {
    memchr::memmem::find(secret, b"-----BEGIN ").is_some()
}

const NO_KEY: &str = "it holds no unencrypted private key; remove the passphrase, or store the key and not the certificate";

/// The DER of a key: what is between the borders of PEM, or the secret as it is.
fn der(secret: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    const LABELS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];
    let bad = |why: &str| Failure::Invalid(format!("the secret is not a usable PEM file: {why}"));
    if !is_pem(secret) {
        return Ok(Zeroizing::new(secret.to_vec()));
    }
    let text = std::str::from_utf8(secret).map_err(|_| bad("it is not text"))?;
    if text.contains("\nProc-Type: 4,ENCRYPTED") {
        return Err(bad(NO_KEY));
    }
    for label in LABELS {
        let (begin, end) = (
            format!("-----BEGIN {label}-----"),
            format!("-----END {label}-----"),
        );
        let Some((_, rest)) = text.split_once(&begin) else {
            continue;
        };
        let (body, _) = rest
            .split_once(&end)
            .ok_or_else(|| bad("its last line is missing"))?;
        let mut joined = Zeroizing::new(String::with_capacity(body.len()));
        joined.extend(body.chars().filter(|c| !c.is_ascii_whitespace()));
        // Sized for the whole, so that nothing is left behind by growing.
        let mut der = Zeroizing::new(Vec::with_capacity(joined.len()));
        return match STANDARD.decode_vec(joined.as_bytes(), &mut der) {
            Ok(()) => Ok(der),
            Err(_) => Err(bad("what is between its borders is not base64")),
        };
    }
    Err(bad(NO_KEY))
}
