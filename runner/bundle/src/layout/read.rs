//! Reading an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use wharf_policy::Digest;

use super::bounds::{Entries, Uses};
use super::tar::{Kind, Reader};
use super::{BLOBS, INDEX_FILE, LAYOUT, LAYOUT_FILE, LayoutError, index};
use crate::MAX_COMPONENT;
use crate::oci::{
    BUNDLE_TYPE, Descriptor, EMPTY, EMPTY_TYPE, ImageManifest, Index, MAX_MANIFEST, OciError,
    Published, Referrer,
};

/// Reads an archive as `save` writes it. Whether anybody trusts what is in it is another question.
///
/// # Errors
/// Anything in it is not what it must be, missing, or too much.
pub fn load(from: impl Read) -> Result<Vec<Published>, LayoutError> {
    let (index_file, mut blobs) = files(from)?;
    let listed = Index::parse(&index_file)?;
    let mut plugins: Vec<Published> = Vec::new();
    for entry in listed.entries() {
        if entry.artifact_type.as_deref() == Some(BUNDLE_TYPE) {
            let manifest = blobs.of(entry, "a manifest")?;
            let referrer = referrer(&mut blobs, &plugins, &manifest)?;
            if let Some(subject) = plugins.last_mut() {
                subject.add(referrer)?;
            }
        } else {
            // Each has a blob of its own, so there are no more of them than entries.
            if plugins
                .last()
                .is_some_and(|last| last.digest() >= entry.digest)
            {
                return Err(LayoutError::Index);
            }
            let manifest = blobs.of(entry, "a manifest")?;
            let image = ImageManifest::parse(&manifest)?;
            let config = blobs.of(&image.config, "a config")?;
            let component = blobs.of(&image.component, "a component")?;
            plugins.push(Published::from_parts(
                entry.digest,
                manifest.to_vec(),
                config.to_vec(),
                component,
            )?);
        }
    }
    if plugins.is_empty() {
        return Err(LayoutError::Missing("plugin".to_owned()));
    }
    // What is listed, in which order and with which remarks: all of it follows from the content.
    if index(&plugins) != index_file {
        return Err(LayoutError::Index);
    }
    blobs.all_used()?;
    Ok(plugins)
}

/// A signature, which stands after the image that it is about.
fn referrer(
    blobs: &mut Blobs,
    plugins: &[Published],
    manifest: &[u8],
) -> Result<Referrer, LayoutError> {
    let subject = plugins.last().ok_or(LayoutError::Index)?.digest();
    let bundle = Referrer::layer(subject, manifest)?;
    let bundle = blobs.of(&bundle, "a signature")?;
    blobs.of(&Descriptor::of(EMPTY_TYPE, EMPTY), "an empty config")?;
    let (manifest, bundle) = (manifest.to_vec(), bundle.to_vec());
    Ok(Referrer::from_parts(subject, manifest, bundle)?)
}

/// What is in an archive by digest, and what of it was needed.
struct Blobs {
    blobs: BTreeMap<Digest, Arc<[u8]>>,
    used: BTreeSet<Digest>,
    uses: Uses,
}

impl Blobs {
    fn of(&mut self, entry: &Descriptor, what: &'static str) -> Result<Arc<[u8]>, LayoutError> {
        let bytes = self
            .blobs
            .get(&entry.digest)
            .ok_or_else(|| LayoutError::Missing(entry.digest.to_string()))?;
        // Their digest was compared with their name when they were read.
        if bytes.len() as u64 != entry.size {
            return Err(LayoutError::Oci(OciError::WrongSize {
                what,
                expected: entry.size,
                actual: bytes.len() as u64,
            }));
        }
        self.uses.add(entry.size)?;
        self.used.insert(entry.digest);
        Ok(Arc::clone(bytes))
    }

    fn all_used(&self) -> Result<(), LayoutError> {
        match self.blobs.keys().find(|digest| !self.used.contains(digest)) {
            Some(digest) => Err(LayoutError::Unused(*digest)),
            None => Ok(()),
        }
    }
}

/// The index and the blobs of an archive, each with the digest that its name says.
fn files(from: impl Read) -> Result<(Vec<u8>, Blobs), LayoutError> {
    let mut reader = Reader::new(from);
    let (mut layout, mut index, mut blobs) = (None, None, BTreeMap::new());
    let mut entries = Entries::default();
    while let Some(entry) = reader.next()? {
        let name = entry.name.strip_prefix("./").unwrap_or(&entry.name);
        if entry.kind == Kind::Folder {
            match name {
                "" | "blobs/" | "blobs/sha256/" => entries.add(0, 0)?,
                _ => return Err(LayoutError::Stranger(entry.name)),
            }
            continue;
        }
        let named: Option<Digest> = name
            .strip_prefix(BLOBS)
            .and_then(|hex| format!("sha256:{hex}").parse().ok());
        let most = match (name, named) {
            (LAYOUT_FILE | INDEX_FILE, _) => MAX_MANIFEST,
            (_, Some(_)) => MAX_COMPONENT as u64,
            _ => return Err(LayoutError::Stranger(entry.name)),
        };
        entries.add(entry.size, most)?;
        let bytes = reader.bytes(entry.size)?;
        let replaced = match named {
            Some(named) => {
                crate::oci::check_digest("a blob", named, &bytes)?;
                blobs.insert(named, bytes.into()).is_some()
            }
            None if name == LAYOUT_FILE => layout.replace(bytes).is_some(),
            None => index.replace(bytes).is_some(),
        };
        if replaced {
            return Err(LayoutError::Twice(entry.name));
        }
    }
    match layout {
        Some(layout) if layout == LAYOUT => {}
        Some(_) => {
            return Err(LayoutError::Oci(OciError::malformed(
                LAYOUT_FILE,
                "it is not `{\"imageLayoutVersion\":\"1.0.0\"}`",
            )));
        }
        None => return Err(LayoutError::Missing(LAYOUT_FILE.to_owned())),
    }
    let index = index.ok_or_else(|| LayoutError::Missing(INDEX_FILE.to_owned()))?;
    let blobs = Blobs {
        blobs,
        used: BTreeSet::new(),
        uses: entries.uses(),
    };
    Ok((index, blobs))
}
