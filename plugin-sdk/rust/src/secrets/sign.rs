//! How the host signs.

/// How to sign, and how the signature is written. The secret is a private key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// Ed25519 (RFC 8032), 64 bytes.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, as ASN.1 DER.
    EcdsaP256Sha256,
    /// The same as the two numbers in 64 bytes, as JOSE and WebCrypto write it.
    EcdsaP256Sha256Fixed,
    /// ECDSA on P-384 with SHA-384, as ASN.1 DER.
    EcdsaP384Sha384,
    /// The same as the two numbers in 96 bytes.
    EcdsaP384Sha384Fixed,
    /// RSA with PKCS #1 v1.5 padding (RFC 8017) and SHA-256.
    RsaPkcs1Sha256,
    /// RSA with PKCS #1 v1.5 padding and SHA-384.
    RsaPkcs1Sha384,
    /// RSA with PKCS #1 v1.5 padding and SHA-512.
    RsaPkcs1Sha512,
    /// RSA with PSS padding and SHA-256, the salt as long as the digest.
    RsaPssSha256,
    /// RSA with PSS padding and SHA-384.
    RsaPssSha384,
    /// RSA with PSS padding and SHA-512.
    RsaPssSha512,
}
