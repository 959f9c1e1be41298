//! A file of Sigstore bundles beside a plugin: one bundle, or several one after the other, as lines
//! or simply concatenated. Signatures are kept in one such file, attestations in another.
//!
//! What each bundle must be is for those two to say. Nothing here is proven.

use serde_json::value::RawValue;

use crate::MAX_SIGNATURE_FILE;
use crate::sigstore::{Bundle, Version};

/// The most bundles of one file.
pub(crate) const MAX_BUNDLES: usize = 16;

/// Reads a file of `what`, each bundle of version 0.3 and of the form that `form` takes something from.
pub(crate) fn read<T>(
    bytes: &[u8],
    what: &str,
    form: impl Fn(Bundle) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    if bytes.len() > MAX_SIGNATURE_FILE {
        return Err(format!(
            "it has {} bytes, more than the {MAX_SIGNATURE_FILE} that are allowed",
            bytes.len()
        ));
    }
    let mut all = Vec::new();
    for document in documents(bytes) {
        let document = document.map_err(|error| error.to_string())?;
        if all.len() == MAX_BUNDLES {
            return Err(format!("it has more than {MAX_BUNDLES} {what}"));
        }
        let bundle = Bundle::parse(document.get().as_bytes()).map_err(|error| error.to_string())?;
        if bundle.version != Version::V03 {
            return Err("it is a bundle of an older version than 0.3".to_owned());
        }
        all.push(form(bundle)?);
    }
    match all.is_empty() {
        true => Err("it is empty".to_owned()),
        false => Ok(all),
    }
}

/// The Sigstore bundles in a file, each as it is written there.
pub(crate) fn documents(bytes: &[u8]) -> impl Iterator<Item = serde_json::Result<&RawValue>> {
    serde_json::Deserializer::from_slice(bytes).into_iter()
}
