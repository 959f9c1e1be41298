//! A plugin in the shapes of OCI: references, descriptors, manifests, indexes, and what a whole
//! published plugin is made of.
//!
//! Pure: bytes in, values out, and every document has a limit before it is parsed. The network is
//! in `registry`, archives are in `layout`; both say what they received to the constructors here,
//! which compare every digest and every size.

mod descriptor;
mod error;
mod image;
mod index;
mod published;
mod reference;
mod referrer;
mod signatures;
mod statement;
mod trust;

pub use descriptor::Descriptor;
pub(crate) use descriptor::check_digest;
#[cfg(feature = "registry")]
pub(crate) use descriptor::shortened;
pub use error::OciError;
pub(crate) use image::image_digest;
pub use image::{COMPONENT_TYPE, CONFIG_TYPE, ImageManifest};
pub use index::{Index, fallback_tag};
pub use published::Published;
#[cfg(any(feature = "registry", feature = "keyless"))]
pub(crate) use reference::is_loopback;
pub use reference::{Authority, Reference};
#[cfg(feature = "registry")]
pub(crate) use referrer::is_attestation;
pub use referrer::{BUNDLE_TYPE, Referrer};
pub(crate) use referrer::{EMPTY, EMPTY_TYPE};
pub use signatures::Form;
pub use statement::{PREDICATE, sign_manifest};
pub use trust::{Accepted, Trust};

/// The media type of an image manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The largest manifest or index, in bytes.
pub const MAX_MANIFEST: u64 = 4 << 20;
/// The largest configuration, in bytes.
pub const MAX_CONFIG: u64 = 1 << 20;
/// The largest Sigstore bundle, and all those of one plugin together, in bytes.
pub const MAX_SIGNATURE: u64 = crate::MAX_SIGNATURE_FILE as u64;
/// The most Sigstore bundles of one plugin.
pub const MAX_REFERRERS: usize = crate::bundle_file::MAX_BUNDLES;
