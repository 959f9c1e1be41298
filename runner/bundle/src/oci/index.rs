//! Indexes: which manifests refer to an image.

use serde_json::{Map, Value, json};
use wharf_policy::Digest;

use super::{Descriptor, INDEX_TYPE, MAX_MANIFEST, OciError};
use crate::strict_json;

const WHAT: &str = "the index of its referrers";

/// The tag under which registries without a list of referrers keep one.
pub fn fallback_tag(subject: Digest) -> String {
    format!("sha256-{}", subject.to_hex())
}

/// An index. What is in it of others, also what is not understood, is written as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    document: Map<String, Value>,
    entries: Vec<Descriptor>,
}

impl Default for Index {
    fn default() -> Self {
        let document = json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [] });
        Self {
            document: document.as_object().cloned().unwrap_or_default(),
            entries: Vec::new(),
        }
    }
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// Not an index, or too large.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(OciError::TooLarge {
                what: WHAT,
                size: bytes.len() as u64,
                limit: MAX_MANIFEST,
            });
        }
        let bad = |why: &str| OciError::malformed(WHAT, why);
        let document: Map<String, Value> =
            strict_json::from_slice(bytes).map_err(|error| OciError::malformed(WHAT, error))?;
        if document.get("schemaVersion") != Some(&json!(2)) {
            return Err(bad("its schemaVersion is not 2"));
        }
        if document.get("mediaType") != Some(&json!(INDEX_TYPE)) {
            return Err(bad(&format!("its mediaType is not `{INDEX_TYPE}`")));
        }
        if document.contains_key("layers") || document.contains_key("config") {
            return Err(bad("it is a manifest and an index at once"));
        }
        let entries = document
            .get("manifests")
            .and_then(Value::as_array)
            .ok_or_else(|| bad("it has no manifests"))?;
        let entries = entries
            .iter()
            .map(Descriptor::deserialize_from)
            .collect::<Result<_, _>>()?;
        Ok(Self { document, entries })
    }

    /// What is in it, in its order.
    pub fn entries(&self) -> &[Descriptor] {
        &self.entries
    }

    /// Whether a manifest of that digest is in it.
    pub fn has(&self, digest: Digest) -> bool {
        self.entries.iter().any(|entry| entry.digest == digest)
    }

    /// Adds a manifest, unless it is there already; says whether it was added.
    pub fn add(&mut self, entry: Descriptor) -> bool {
        if self.has(entry.digest) {
            return false;
        }
        if let Some(Value::Array(manifests)) = self.document.get_mut("manifests") {
            manifests.push(json!(entry));
        }
        self.entries.push(entry);
        true
    }

    /// The index as it is stored: sorted members, no white space.
    pub fn to_bytes(&self) -> Vec<u8> {
        Value::Object(self.document.clone())
            .to_string()
            .into_bytes()
    }
}

impl Descriptor {
    fn deserialize_from(value: &Value) -> Result<Self, OciError> {
        strict_json::from_value(value).map_err(|error| OciError::malformed(WHAT, error))
    }
}
