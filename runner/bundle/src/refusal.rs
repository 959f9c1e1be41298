//! Why a bundle is not trusted. Every reason is a full stop: there is no way on from a refusal.

use wharf_policy::{Digest, PluginName};

use crate::BundleError;

/// Why a bundle was refused, and what its author or the operator can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature.
    #[error("it is not signed: sign it with `wharf sign`, and keep FILE.sigstore.json beside it")]
    Unsigned,
    /// Nobody is trusted.
    #[error("nobody is trusted to sign plugins: add a [[trust]] block with a key to the policy")]
    NoTrust,
    /// The signature is not a Sigstore bundle of the one form that is accepted.
    #[error(
        "the signature is not a Sigstore v0.3 key bundle: {0}; sign again with `wharf sign` or `cosign sign-blob --key`"
    )]
    MalformedSignature(String),
    /// The signature is about other bytes.
    #[error(
        "it was changed after it was signed, or the signature is of another file: the signature is for {signed}, the file is {actual}; get both again from their author"
    )]
    Tampered {
        /// The digest in the signature.
        signed: Digest,
        /// The digest of the file.
        actual: Digest,
    },
    /// None of the trusted keys made the signature.
    #[error(
        "it is signed by nobody who is trusted ({hint}): if you trust the signer, add their public key to a [[trust]] block"
    )]
    UnknownSigner {
        /// What the signature says about its key. Not authenticated, for people only.
        hint: String,
    },
    /// The signer is known, but not for this plugin.
    #[error(
        "the key {signer} is not trusted for plugins named `{name}`: add the key to a [[trust]] block whose `plugins` cover that name"
    )]
    NotTrustedForName {
        /// The name in the manifest.
        name: PluginName,
        /// The key that signed.
        signer: String,
    },
    /// Older than the policy allows.
    #[error(
        "`{name}` {version} is older than {minimum}, the minimum-version of the policy: use a newer version"
    )]
    TooOld {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Box<semver::Version>,
        /// The oldest that is allowed.
        minimum: Box<semver::Version>,
    },
    /// The operator denied exactly these bytes.
    #[error("{0} is among the denied-digests of the policy: use another version")]
    DeniedDigest(Digest),
    /// Signed, but not a plugin.
    #[error("it is signed, but it is not a plugin: {0}")]
    BadManifest(#[from] BundleError),
}
