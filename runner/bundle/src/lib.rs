//! Bundles: a plugin's component with its manifest inside and its signature beside it.
//!
//! This crate packs, describes, signs, verifies and publishes. It never runs a component, and has no
//! way to make a [`Verified`] but [`TrustPolicy::verify`]. Two modules talk to a network, each behind
//! the feature of its name: `keyless`, when it is told to sign by way of one, and `registry`, which
//! pushes and pulls. Nothing that verifies uses either.

#![forbid(unsafe_code)]

mod attest;
mod attestation_file;
mod attestation_set;
mod bundle_file;
#[cfg(any(feature = "registry", feature = "keyless"))]
mod cause;
mod error;
mod files;
mod key_file;
#[cfg(feature = "keyless")]
pub mod keyless;
mod keys;
pub mod layout;
mod manifest;
pub mod oci;
mod pack;
mod plugin_toml;
mod refusal;
#[cfg(feature = "registry")]
pub mod registry;
mod schema;
mod sections;
mod shape;
mod sign;
mod signature_file;
mod signature_set;
pub mod sigstore;
mod strict_json;
mod trust;

pub use attest::attest;
pub use attestation_file::{AttestationFile, attestations_path};
pub use attestation_set::add_attestation;
pub use error::{BundleError, KeyError, TrustError};
pub use files::{MAX_CA_FILE, MAX_POLICY, read_file, read_text_file};
pub use key_file::{PRIVATE_KEY_FILE, PUBLIC_KEY_FILE, write_key_pair};
pub use keys::{PublicKey, SigningKey};
pub use manifest::{Action, Command, Description, FORMAT, MANIFEST_SECTION, Manifest};
pub use pack::{PackOptions, pack, pack_with};
pub use plugin_toml::PluginToml;
pub use refusal::{Refusal, Unattested};
pub use shape::{ACTIONS_EXPORT, Kind, Shape, shape};
pub use sign::{sign, signature_path, verify_with_key};
pub use signature_file::SignatureFile;
pub use signature_set::{AddError, Kept, add_signature, may_replace};
pub use trust::{
    AttestationSummary, Beside, KeySummary, RuleSummary, Signer, Term, TrustPolicy, Verified,
};

use sha2::{Digest as _, Sha256};
use wharf_policy::Digest;

/// The largest component that is packed or verified, in bytes.
pub const MAX_COMPONENT: usize = 256 << 20;

/// The largest signature file, which holds all signatures of one plugin, in bytes.
pub const MAX_SIGNATURE_FILE: usize = 1 << 20;

/// The largest file of attestations, in bytes: the same.
pub const MAX_ATTESTATION_FILE: usize = MAX_SIGNATURE_FILE;

/// The SHA-256 digest of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(bytes).into())
}
