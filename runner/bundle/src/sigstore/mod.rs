//! Sigstore bundles, verified: that somebody signed an artifact, and what proves when.
//!
//! The order is: read the bundle (`bundle`), find the artifact in it (`statement`), check every
//! timestamp (`timestamp`, `token`) and log entry (`log_entry`, `log_body`), then who signed (the key, or
//! `keyless`, with `certificate`, `chain` and `transparency`). Whatever is in a bundle must verify, also where it is not needed:
//! nothing is passed over because something else is good.
//!
//! It reads no file that it was not given, asks no network, and has no mode that accepts less than
//! the caller asked for.

mod artifact;
mod bundle;
mod certificate;
mod chain;
mod checkpoint;
mod envelope;
mod foreign;
mod hash;
mod key_details;
mod keyless;
mod log_body;
mod log_entry;
mod rejection;
mod root_wire;
mod several;
mod statement;
mod timestamp;
mod token;
mod transparency;
mod trusted_log;
mod trusted_root;
mod verify;
mod verifying_key;
mod wire;

pub use artifact::Artifact;
pub use bundle::{MAX_BUNDLE, Version};
pub use certificate::Identity;
pub use checkpoint::Checkpoint;
pub use rejection::{Rejection, RootError};
pub use several::verify_file;
pub use trusted_root::TrustRoot;
pub use verify::{Evidence, Expected, Signer, VerifiedArtifact, verify_artifact};
pub use verifying_key::VerifyingKey;

pub(crate) use bundle::{Bundle, Content, Said};
#[cfg(feature = "keyless")]
pub(crate) use certificate::identity_of;
pub(crate) use envelope::pre_authentication_encoding;
pub(crate) use hash::Hash;
pub(crate) use statement::{PAYLOAD_TYPE, Statement};
pub(crate) use verify::verify_bundle;
