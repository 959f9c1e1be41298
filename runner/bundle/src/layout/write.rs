//! Writing an archive.

use std::collections::BTreeMap;
use std::io::Write;

use wharf_policy::Digest;

use super::bounds::Entries;
use super::{BLOBS, INDEX_FILE, LAYOUT, LAYOUT_FILE, LayoutError, index, merged, tar};
use crate::MAX_COMPONENT;
use crate::digest;
use crate::oci::{EMPTY, MAX_MANIFEST, Published};

/// Writes plugins, with all that signs them, as an OCI image layout in a tar file.
///
/// # Errors
/// Writing fails, a plugin that is there several times has too many signatures together, or [`super::load`]
/// would refuse so much; then nothing is written.
pub fn save(plugins: &[Published], out: &mut impl Write) -> Result<(), LayoutError> {
    let plugins = merged(plugins)?;
    let index = index(&plugins);
    let uses: Vec<&[u8]> = plugins.iter().flat_map(uses).collect();
    let blobs: BTreeMap<Digest, &[u8]> = uses.iter().map(|bytes| (digest(bytes), *bytes)).collect();
    check(&index, &blobs, &uses)?;
    tar::append(out, LAYOUT_FILE, LAYOUT)?;
    tar::append(out, INDEX_FILE, &index)?;
    for (digest, bytes) in blobs {
        tar::append(out, &format!("{BLOBS}{}", digest.to_hex()), bytes)?;
    }
    Ok(tar::finish(out)?)
}

/// The blobs that a plugin uses, each as often as it does.
fn uses(plugin: &Published) -> Vec<&[u8]> {
    let mut uses = vec![plugin.manifest(), plugin.config(), plugin.component()];
    for referrer in plugin.referrers() {
        uses.extend([referrer.manifest(), referrer.bundle(), EMPTY]);
    }
    uses
}

/// Refuses more than an archive may hold.
fn check(index: &[u8], blobs: &BTreeMap<Digest, &[u8]>, uses: &[&[u8]]) -> Result<(), LayoutError> {
    let mut entries = Entries::default();
    for document in [LAYOUT, index] {
        entries.add(document.len() as u64, MAX_MANIFEST)?;
    }
    for blob in blobs.values() {
        entries.add(blob.len() as u64, MAX_COMPONENT as u64)?;
    }
    let mut left = entries.uses();
    uses.iter().try_for_each(|blob| left.add(blob.len() as u64))
}
