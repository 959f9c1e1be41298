//! Referrers: a Sigstore bundle that says of which image it is, as cosign publishes signatures and
//! attestations.

use std::collections::BTreeMap;

use serde_json::json;
use wharf_policy::Digest;

use super::descriptor::shortened;
use super::image::Raw;
use super::{Descriptor, Form, MANIFEST_TYPE, MAX_SIGNATURE, OciError, PREDICATE};

/// The media type of a Sigstore bundle, and the artifact type of a referrer that holds one.
pub const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// The media type of a configuration that says nothing.
pub(crate) const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// Its content.
pub(crate) const EMPTY: &[u8] = b"{}";

const CONTENT: &str = "dev.sigstore.bundle.content";
const PREDICATE_TYPE: &str = "dev.sigstore.bundle.predicateType";

const WHAT: &str = "a signature's manifest";

/// Whether remarks say that a bundle attests something else than that an image is good: a list of its
/// parts, how it was built. Those can be many and large, so those that are too many or too large are
/// passed over, and no signature is looked for in them. Who remarks that falsely of a signature takes it
/// away, which they could have done anyway.
pub(crate) fn is_attestation(annotations: &BTreeMap<String, String>) -> bool {
    annotations
        .get(PREDICATE_TYPE)
        .is_some_and(|predicate| predicate != PREDICATE)
}

/// A signature of an image in a registry: a manifest that refers to the image, and the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrer {
    manifest: Vec<u8>,
    descriptor: Descriptor,
    bundle: Vec<u8>,
    form: Form,
}

impl Referrer {
    /// The referrer that publishes a bundle.
    ///
    /// # Errors
    /// The bundle is not a Sigstore bundle v0.3, or too large.
    pub(super) fn new(subject: &Descriptor, bundle: Vec<u8>) -> Result<Self, OciError> {
        let (form, attested) = Form::of(&bundle)?;
        let mut annotations = serde_json::Map::new();
        let mut annotate = |name: &str, value: &str| annotations.insert(name.into(), value.into());
        match form {
            Form::OfComponent => annotate(CONTENT, "message-signature"),
            Form::Statement | Form::Attestation => {
                annotate(CONTENT, "dsse-envelope");
                annotate(PREDICATE_TYPE, attested.as_deref().unwrap_or(PREDICATE))
            }
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "artifactType": BUNDLE_TYPE,
            "config": Descriptor::of(EMPTY_TYPE, EMPTY),
            "layers": [Descriptor::of(BUNDLE_TYPE, &bundle)],
            "subject": subject,
            "annotations": annotations,
        });
        let manifest = manifest.to_string().into_bytes();
        Self::from_parts(subject.digest, manifest, bundle)
    }

    /// The referrer that these bytes are.
    ///
    /// # Errors
    /// As [`Referrer::layer`]; or another bundle than the manifest names, or not a Sigstore bundle
    /// v0.3.
    pub fn from_parts(
        subject: Digest,
        manifest: Vec<u8>,
        bundle: Vec<u8>,
    ) -> Result<Self, OciError> {
        Self::layer(subject, &manifest)?.check("a signature", &bundle)?;
        let (form, _) = Form::of(&bundle)?;
        let raw = Raw::parse(WHAT, &manifest)?;
        let mut descriptor = Descriptor::of(MANIFEST_TYPE, &manifest);
        descriptor.artifact_type = raw.artifact_type;
        descriptor.annotations = raw.annotations;
        Ok(Self {
            manifest,
            descriptor,
            bundle,
            form,
        })
    }

    /// Whether a manifest says that it holds a Sigstore bundle.
    ///
    /// # Errors
    /// Not a manifest.
    pub fn is_bundle(manifest: &[u8]) -> Result<bool, OciError> {
        let raw = Raw::parse(WHAT, manifest)?;
        Ok(raw.artifact_type.as_deref() == Some(BUNDLE_TYPE))
    }

    /// Whether a manifest says that its bundle attests something else than that an image is good.
    ///
    /// # Errors
    /// Not a manifest.
    pub fn is_attestation(manifest: &[u8]) -> Result<bool, OciError> {
        Ok(is_attestation(&Raw::parse(WHAT, manifest)?.annotations))
    }

    /// Where the bundle of a referrer's manifest is.
    ///
    /// # Errors
    /// Not the manifest of one Sigstore bundle, or about another image.
    pub fn layer(subject: Digest, manifest: &[u8]) -> Result<Descriptor, OciError> {
        let raw = Raw::parse(WHAT, manifest)?;
        let bad = |why: String| OciError::Malformed { what: WHAT, why };
        if raw.artifact_type.as_deref() != Some(BUNDLE_TYPE) {
            return Err(bad(format!(
                "its artifactType is {:?} and must be `{BUNDLE_TYPE}`",
                shortened(raw.artifact_type.as_deref().unwrap_or_default())
            )));
        }
        match &raw.subject {
            Some(about) if about.digest == subject && about.media_type == MANIFEST_TYPE => {}
            Some(about) => {
                return Err(bad(format!("it is about {}, not {subject}", about.digest)));
            }
            None => return Err(bad("it has no subject".to_owned())),
        }
        // What an archive keeps of it, and what a registry needs, follows from the bundle alone.
        if raw.config.digest != crate::digest(EMPTY) {
            return Err(bad("its config is not empty".to_owned()));
        }
        let layer = raw.only_layer(WHAT)?;
        layer.check_type("a signature", BUNDLE_TYPE)?;
        layer.check_size("a signature", MAX_SIGNATURE)?;
        Ok(layer.clone())
    }

    /// Its manifest, as it is stored.
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// The descriptor of its manifest, as an index has it.
    pub fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    /// The Sigstore bundle.
    pub fn bundle(&self) -> &[u8] {
        &self.bundle
    }

    /// What the bundle signs.
    pub fn form(&self) -> Form {
        self.form
    }
}
