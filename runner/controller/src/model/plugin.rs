//! A published plugin.

use wharf_bundle::Manifest;
use wharf_policy::Digest;

use super::Micros;

/// A bundle that was published: its bytes are in the blob store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BundleRecord {
    /// Of the component.
    pub(crate) digest: Digest,
    /// What its author declares. Not verified here: that is the runner's duty.
    pub(crate) manifest: Manifest,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// When it was published.
    pub(crate) published: Micros,
}
