//! Archives for networks without a registry: an OCI image layout in one tar file.
//!
//! The same plugins always give the same bytes. Reading one compares every digest, every size and the
//! index, and refuses whatever it has no use for; whether anybody trusts what is in it is decided
//! afterwards, by the same code as for a registry. Nothing here touches a file or a network: names in
//! an archive never become paths.

mod bounds;
mod error;
mod read;
mod tar;
mod write;

pub use error::LayoutError;
pub use read::load;
pub use write::save;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use wharf_policy::Digest;

use crate::oci::{Descriptor, Index, OciError, Published};

const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
const INDEX_FILE: &str = "index.json";
const BLOBS: &str = "blobs/sha256/";

/// The index of these plugins, which are in the order of their digests: each image, followed by what signs it.
fn index(plugins: &[Published]) -> Vec<u8> {
    let mut index = Index::default();
    for plugin in plugins {
        index.add(plugin.descriptor());
        let mut referrers: Vec<&Descriptor> = plugin
            .referrers()
            .iter()
            .map(|referrer| referrer.descriptor())
            .collect();
        referrers.sort_by_key(|descriptor| descriptor.digest);
        for referrer in referrers {
            index.add(referrer.clone());
        }
    }
    index.to_bytes()
}

/// Each plugin once, with all that signs it, in the order of their digests: the order of arguments makes
/// no difference.
fn merged(plugins: &[Published]) -> Result<Vec<Published>, OciError> {
    let mut merged: BTreeMap<Digest, Published> = BTreeMap::new();
    for plugin in plugins {
        match merged.entry(plugin.digest()) {
            Entry::Vacant(place) => {
                place.insert(plugin.clone());
            }
            Entry::Occupied(mut known) => {
                for referrer in plugin.referrers() {
                    known.get_mut().add(referrer.clone())?;
                }
            }
        }
    }
    Ok(merged.into_values().collect())
}
