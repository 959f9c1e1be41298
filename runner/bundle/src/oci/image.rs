//! The image manifest of a plugin: the CNCF Wasm layout, with exactly one component.
//!
//! The same component always gives the same bytes: there is no time in it, and members are sorted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use wharf_policy::{Digest, PluginName};

use super::descriptor::shortened;
use super::{Descriptor, MANIFEST_TYPE, MAX_CONFIG, MAX_MANIFEST, OciError};
use crate::{MAX_COMPONENT, Manifest, Shape, shape, strict_json};

/// The media type of a component.
pub const COMPONENT_TYPE: &str = "application/wasm";
/// The media type of the configuration in the CNCF Wasm layout.
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";

/// The clients that read this configuration require a time. A true one would give the same plugin
/// another digest each time it is published.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

const TITLE: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const DESCRIPTION: &str = "org.opencontainers.image.description";
const LICENSES: &str = "org.opencontainers.image.licenses";

const WHAT: &str = "the image manifest";

/// What an image manifest says, where it is that of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageManifest {
    /// The configuration. Nothing is decided by it.
    pub config: Descriptor,
    /// The component.
    pub component: Descriptor,
    /// What it says the plugin is called. Only for names of files: what counts is in the component.
    pub name: Option<PluginName>,
    /// What it says the version is, likewise.
    pub version: Option<semver::Version>,
}

/// A manifest as it is written, of an image or of a referrer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Raw {
    schema_version: u32,
    media_type: Option<String>,
    pub(super) artifact_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
    pub(super) subject: Option<Descriptor>,
    #[serde(default)]
    pub(super) annotations: BTreeMap<String, String>,
    manifests: Option<IgnoredAny>,
}

impl Raw {
    /// Reads a manifest. It must say what it is: a document that could be taken for an index as
    /// well is neither.
    pub(super) fn parse(what: &'static str, bytes: &[u8]) -> Result<Self, OciError> {
        if bytes.len() as u64 > MAX_MANIFEST {
            return Err(OciError::TooLarge {
                what,
                size: bytes.len() as u64,
                limit: MAX_MANIFEST,
            });
        }
        let raw: Self =
            strict_json::from_slice(bytes).map_err(|error| OciError::malformed(what, error))?;
        if raw.schema_version != 2 {
            return Err(OciError::malformed(what, "its schemaVersion is not 2"));
        }
        match raw.media_type.as_deref() {
            Some(MANIFEST_TYPE) => {}
            found => {
                return Err(OciError::malformed(
                    what,
                    format_args!(
                        "its mediaType is {:?} and must be `{MANIFEST_TYPE}`",
                        shortened(found.unwrap_or_default())
                    ),
                ));
            }
        }
        if raw.manifests.is_some() {
            return Err(OciError::malformed(
                what,
                "it is a manifest and an index at once",
            ));
        }
        Ok(raw)
    }

    /// The only layer.
    pub(super) fn only_layer(&self, what: &'static str) -> Result<&Descriptor, OciError> {
        match self.layers.as_slice() {
            [layer] => Ok(layer),
            layers => Err(OciError::malformed(
                what,
                format_args!("it has {} layers and must have exactly one", layers.len()),
            )),
        }
    }
}

impl ImageManifest {
    /// Reads the manifest of a plugin strictly.
    ///
    /// # Errors
    /// Not a manifest, not in the CNCF Wasm layout, not exactly one component, or sizes beyond the
    /// limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, OciError> {
        let raw = Raw::parse(WHAT, bytes)?;
        raw.config.check_type("its config", CONFIG_TYPE)?;
        raw.config.check_size("its config", MAX_CONFIG)?;
        let layer = raw.only_layer(WHAT)?;
        layer.check_type("its layer", COMPONENT_TYPE)?;
        layer.check_size("its layer", MAX_COMPONENT as u64)?;
        let annotation = |name: &str| raw.annotations.get(name);
        Ok(Self {
            component: layer.clone(),
            name: annotation(TITLE).and_then(|name| name.parse().ok()),
            version: annotation(VERSION).and_then(|version| version.parse().ok()),
            config: raw.config,
        })
    }
}

/// The digest of the image that a component becomes: always the same for the same component, with
/// exactly it as its layer. `None` for what is not a component.
pub(crate) fn image_digest(component: &[u8], manifest: &Manifest) -> Option<Digest> {
    let shape = shape(component).ok()?;
    Some(crate::digest(&write(component, manifest, &shape).1))
}

/// The configuration and the manifest of a component. What is written for one never changes, in no version:
/// attestations of the image count for the component that it follows from.
pub(super) fn write(component: &[u8], manifest: &Manifest, shape: &Shape) -> (Vec<u8>, Vec<u8>) {
    let layer = Descriptor::of(COMPONENT_TYPE, component);
    let config = json!({
        "created": NO_TIME,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer.digest],
        "component": { "exports": shape.exports, "imports": shape.imports, "target": null },
    });
    let config = config.to_string().into_bytes();
    let mut annotations = serde_json::Map::new();
    for (name, value) in [
        (TITLE, Some(manifest.name.to_string())),
        (VERSION, Some(manifest.version.to_string())),
        (DESCRIPTION, Some(manifest.description.clone())),
        (LICENSES, manifest.license.clone()),
    ] {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            annotations.insert(name.to_owned(), value.into());
        }
    }
    let image = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": Descriptor::of(CONFIG_TYPE, &config),
        "layers": [layer],
        "annotations": annotations,
    });
    (config, image.to_string().into_bytes())
}
