//! Writing an archive.

use std::collections::BTreeMap;
use std::io::Write;

use super::{BLOBS, INDEX_FILE, LAYOUT, LAYOUT_FILE, LayoutError, index, merged, tar};
use crate::digest;
use crate::oci::{EMPTY, Published};

/// Writes plugins, with all that signs them, as an OCI image layout in a tar file.
///
/// # Errors
/// Writing fails, or a plugin that is there several times has too many signatures together.
pub fn save(plugins: &[Published], out: &mut impl Write) -> Result<(), LayoutError> {
    let plugins = merged(plugins)?;
    tar::append(out, LAYOUT_FILE, LAYOUT)?;
    tar::append(out, INDEX_FILE, &index(&plugins))?;
    let mut blobs = BTreeMap::new();
    let mut add = |bytes| blobs.insert(digest(bytes), bytes);
    for plugin in &plugins {
        add(plugin.manifest());
        add(plugin.config());
        add(plugin.component());
        for referrer in plugin.referrers() {
            add(referrer.manifest());
            add(referrer.bundle());
            add(EMPTY);
        }
    }
    for (digest, bytes) in blobs {
        tar::append(out, &format!("{BLOBS}{}", digest.to_hex()), bytes)?;
    }
    Ok(tar::finish(out)?)
}
