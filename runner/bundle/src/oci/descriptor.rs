//! Descriptors: what some bytes are, how many, and their digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wharf_policy::Digest;

use super::OciError;
use crate::digest;

/// An OCI descriptor. Fields that this program has no use for (`urls`, `data`, `platform`) are
/// passed over, as the specification asks: nothing is ever fetched from `urls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The media type of the bytes.
    pub media_type: String,
    /// Their digest.
    pub digest: Digest,
    /// How many they are.
    pub size: u64,
    /// Of a manifest, what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Remarks. Nothing is decided by them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// The descriptor of these bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: digest(bytes),
            size: bytes.len() as u64,
            artifact_type: None,
            annotations: BTreeMap::new(),
        }
    }

    /// Checks that these are its bytes.
    ///
    /// # Errors
    /// Another size, or another digest.
    pub fn check(&self, what: &'static str, bytes: &[u8]) -> Result<(), OciError> {
        if bytes.len() as u64 != self.size {
            return Err(OciError::WrongSize {
                what,
                expected: self.size,
                actual: bytes.len() as u64,
            });
        }
        check_digest(what, self.digest, bytes)
    }

    /// Checks the size that it says against a limit; nothing is empty.
    pub(crate) fn check_size(&self, what: &'static str, limit: u64) -> Result<(), OciError> {
        match self.size {
            0 => Err(OciError::malformed(what, "it is empty")),
            size if size > limit => Err(OciError::TooLarge { what, size, limit }),
            _ => Ok(()),
        }
    }

    /// Checks that it is of a media type.
    pub(super) fn check_type(&self, what: &'static str, expected: &str) -> Result<(), OciError> {
        if self.media_type == expected {
            return Ok(());
        }
        Err(OciError::malformed(
            what,
            format_args!(
                "its media type is {:?} and must be `{expected}`",
                shortened(&self.media_type)
            ),
        ))
    }
}

/// Checks that these bytes have a digest.
pub(crate) fn check_digest(
    what: &'static str,
    expected: Digest,
    bytes: &[u8],
) -> Result<(), OciError> {
    let actual = digest(bytes);
    if actual == expected {
        Ok(())
    } else {
        Err(OciError::WrongDigest {
            what,
            expected,
            actual,
        })
    }
}

/// A text of others, short enough to be shown.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}
