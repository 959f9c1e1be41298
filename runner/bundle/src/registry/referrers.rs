//! What refers to an image: the registry's own list, or the index under the fallback tag.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::LINK;
use wharf_policy::Digest;

use super::client::Again;
use super::{Client, RegistryError, Silent, answer, retry};
use crate::oci::{
    BUNDLE_TYPE, Descriptor, EMPTY_TYPE, Form, INDEX_TYPE, Index, MANIFEST_TYPE, MAX_MANIFEST,
    MAX_REFERRERS, MAX_SIGNATURE, OciError, Referrer, fallback_tag, is_attestation,
};

const PATIENCE: Duration = Duration::from_secs(60);
const WHAT: &str = "the list of its signatures";
/// The most pages that are read of a list.
const MAX_PAGES: usize = 16;
/// The most entries of which it is not clear from the list what they are.
const MAX_CANDIDATES: usize = 64;
/// How often an index is written that somebody else writes at the same time.
const ATTEMPTS: usize = 5;

/// Which referrers are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Signatures only.
    Signatures,
    /// What is attested as well, as far as there is room for it.
    AttestationsToo,
}

/// The attestations that were found. Unlike signatures, those that are too many, too large or of no
/// form that is understood are passed over: others attest what they like, and a policy that misses
/// one refuses.
#[derive(Default)]
struct Attestations {
    found: Vec<Referrer>,
    size: u64,
}

impl Attestations {
    /// Whether one of that size may be fetched. Each becomes a line of a file.
    fn has_room_for(&self, layer: &Descriptor) -> bool {
        let size = self.size.saturating_add(layer.size).saturating_add(1);
        self.found.len() < MAX_REFERRERS && size <= MAX_SIGNATURE
    }

    fn add(&mut self, referrer: Referrer) {
        if referrer.form() == Form::Attestation {
            self.size += referrer.bundle().len() as u64 + 1;
            self.found.push(referrer);
        }
    }
}

impl Client {
    /// The Sigstore bundles that refer to an image, whole and compared.
    pub(super) async fn referrers(
        &self,
        image: Digest,
        wanted: Wanted,
    ) -> Result<Vec<Referrer>, RegistryError> {
        let mut signatures = Vec::new();
        let mut attestations = Attestations::default();
        let mut candidates = self.candidates(image).await?;
        // What says that it is an attestation has room before what turns out to be one.
        candidates.sort_by_key(|entry| !is_attestation(&entry.annotations));
        for entry in candidates {
            let attests = is_attestation(&entry.annotations);
            if attests && wanted == Wanted::Signatures {
                continue;
            }
            let manifest = match self.manifest_of(&entry).await {
                Err(RegistryError::Oci(_) | RegistryError::NotFound { .. }) if attests => continue,
                manifest => manifest?,
            };
            let unclear = !is_listed_as_bundle(&entry);
            if unclear && !Referrer::is_bundle(&manifest)? {
                continue;
            }
            if attests || Referrer::is_attestation(&manifest)? {
                if wanted == Wanted::AttestationsToo {
                    self.attestation(image, manifest, &mut attestations).await?;
                }
                continue;
            }
            if signatures.len() == MAX_REFERRERS {
                return Err(OciError::TooManySignatures(MAX_REFERRERS + 1).into());
            }
            let layer = Referrer::layer(image, &manifest)?;
            let bundle = self.blob("a signature", &layer, &Silent).await?;
            let referrer = Referrer::from_parts(image, manifest, bundle)?;
            if referrer.form() != Form::Attestation {
                signatures.push(referrer);
            } else if wanted == Wanted::AttestationsToo && attestations.has_room_for(&layer) {
                // It did not say so, and takes the room of none that did.
                attestations.add(referrer);
            }
        }
        signatures.append(&mut attestations.found);
        Ok(signatures)
    }

    /// The manifest of what is listed.
    async fn manifest_of(&self, entry: &Descriptor) -> Result<Vec<u8>, RegistryError> {
        let what = "a signature's manifest";
        entry.check_size(what, MAX_MANIFEST)?;
        let manifest = self
            .manifest(what, &entry.digest.to_string(), MANIFEST_TYPE, entry.size)
            .await?
            .ok_or_else(|| RegistryError::NotFound {
                registry: self.registry.clone(),
                what: format!("signature {}, which it lists", entry.digest),
            })?;
        entry.check(what, &manifest)?;
        Ok(manifest)
    }

    /// Adds the attestation of that manifest, if there is room for it and it is one.
    async fn attestation(
        &self,
        image: Digest,
        manifest: Vec<u8>,
        attestations: &mut Attestations,
    ) -> Result<(), RegistryError> {
        let Ok(layer) = Referrer::layer(image, &manifest) else {
            return Ok(());
        };
        if !attestations.has_room_for(&layer) {
            return Ok(());
        }
        match self.blob("an attestation", &layer, &Silent).await {
            Err(RegistryError::Oci(_) | RegistryError::NotFound { .. }) => {}
            bundle => {
                if let Ok(referrer) = Referrer::from_parts(image, manifest, bundle?) {
                    attestations.add(referrer);
                }
            }
        }
        Ok(())
    }

    /// Refuses to add so many signatures or attestations to an image that nobody would look at them.
    pub(super) async fn check_room(
        &self,
        image: Digest,
        entries: &[Descriptor],
    ) -> Result<(), RegistryError> {
        let mut all = self.candidates(image).await?;
        let mut adds_attestations = false;
        for entry in entries {
            if !all.iter().any(|other| other.digest == entry.digest) {
                adds_attestations |= is_attestation(&entry.annotations);
                all.push(entry.clone());
            }
        }
        let attestations = all
            .iter()
            .filter(|entry| is_attestation(&entry.annotations))
            .count();
        if adds_attestations && attestations > MAX_REFERRERS {
            return Err(OciError::TooManyAttestations(attestations).into());
        }
        Ok(few(&all)?)
    }

    /// What may be Sigstore bundles, by what is said of it where it is listed.
    async fn candidates(&self, image: Digest) -> Result<Vec<Descriptor>, RegistryError> {
        match self.listed(image).await? {
            Some(listed) => Ok(listed),
            None => match self.fallback(image).await? {
                Some(index) => Ok(bundles(&index)?),
                None => Ok(Vec::new()),
            },
        }
    }

    /// The bundles that the registry itself lists. `None` if it keeps no lists.
    async fn listed(&self, image: Digest) -> Result<Option<Vec<Descriptor>>, RegistryError> {
        let mut url = self.url(&format!("referrers/{image}"))?;
        url.query_pairs_mut()
            .append_pair("artifactType", BUNDLE_TYPE);
        let mut all: Vec<Descriptor> = Vec::new();
        for page in 0..MAX_PAGES {
            let response = self.get(url.clone(), INDEX_TYPE, PATIENCE).await?;
            if page == 0 && keeps_no_lists(response.status()) {
                return Ok(None);
            }
            let response = answer::check(&self.registry, WHAT, response).await?;
            let next = response
                .headers()
                .get(LINK)
                .and_then(|link| next(link.to_str().ok()?));
            let body = answer::read(&self.registry, response, WHAT, MAX_MANIFEST, &Silent).await?;
            for entry in bundles(&Index::parse(&body)?)? {
                add(&mut all, entry);
            }
            few(&all)?;
            match next {
                Some(next) => url = self.page_url(&url, &next)?,
                None => return Ok(Some(all)),
            }
        }
        Err(self.misleading(format!(
            "its list of signatures has more than {MAX_PAGES} pages"
        )))
    }

    /// The index under the fallback tag, if there is one.
    async fn fallback(&self, image: Digest) -> Result<Option<Index>, RegistryError> {
        let tag = fallback_tag(image);
        let index = self.manifest(WHAT, &tag, INDEX_TYPE, MAX_MANIFEST).await?;
        Ok(index.map(|bytes| Index::parse(&bytes)).transpose()?)
    }

    /// Lists manifests under the fallback tag where the registry keeps no lists. What others listed
    /// there stays: the index is read again after it was written, and written again if something of
    /// ours is not in it.
    pub(super) async fn list(
        &self,
        image: Digest,
        entries: &[Descriptor],
    ) -> Result<(), RegistryError> {
        let url = self.url(&format!("referrers/{image}"))?;
        let response = self.get(url, INDEX_TYPE, PATIENCE).await?;
        if !keeps_no_lists(response.status()) {
            answer::check(&self.registry, WHAT, response).await?;
            return Ok(());
        }
        let mut tries = 0;
        for _ in 0..ATTEMPTS {
            let mut index = self.fallback(image).await?.unwrap_or_default();
            let mut added = false;
            for entry in entries {
                added |= index.add(entry.clone());
            }
            if !added {
                return Ok(());
            }
            // Once: what broke off may have been stored, and replaced by somebody else since then. The
            // next round reads what there is now.
            let tag = fallback_tag(image);
            let put = self
                .put_manifest(WHAT, &tag, INDEX_TYPE, &index.to_bytes(), Again::Never)
                .await;
            if let Err(why) = put {
                tries += 1;
                match retry::after_error(tries, &why) {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(why),
                }
            }
        }
        Err(RegistryError::Status {
            registry: self.registry.clone(),
            what: format!("to keep the tag {}", fallback_tag(image)),
            status: StatusCode::CONFLICT.as_u16(),
            said: ": others kept replacing it; push again".to_owned(),
        })
    }
}

/// Whether a registry answers so because it keeps no lists: with 404 as the specification says, or as
/// one does that does not know the path.
fn keeps_no_lists(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::BAD_REQUEST
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::NOT_ACCEPTABLE
            | StatusCode::NOT_IMPLEMENTED
    )
}

/// What may be Sigstore bundles in an index, each once. In indexes that cosign keeps, the type of an
/// entry is that of its configuration: whether it is a bundle stands in its manifest only.
fn bundles(index: &Index) -> Result<Vec<Descriptor>, OciError> {
    let mut found: Vec<Descriptor> = Vec::new();
    for entry in index.entries() {
        let may_be = entry.media_type == MANIFEST_TYPE
            && matches!(
                entry.artifact_type.as_deref(),
                Some(BUNDLE_TYPE | EMPTY_TYPE)
            );
        if may_be {
            add(&mut found, entry.clone());
        }
    }
    few(&found)?;
    Ok(found)
}

/// Adds what is not there yet, and of attestations no more than may be looked at.
fn add(all: &mut Vec<Descriptor>, entry: Descriptor) {
    let attestations = all
        .iter()
        .filter(|other| is_attestation(&other.annotations));
    let enough = is_attestation(&entry.annotations) && attestations.count() == MAX_CANDIDATES;
    if !enough && !all.iter().any(|other| other.digest == entry.digest) {
        all.push(entry);
    }
}

/// Whether the list itself says that it is a Sigstore bundle.
fn is_listed_as_bundle(entry: &Descriptor) -> bool {
    entry.artifact_type.as_deref() == Some(BUNDLE_TYPE)
}

fn few(entries: &[Descriptor]) -> Result<(), OciError> {
    let others = entries
        .iter()
        .filter(|entry| !is_attestation(&entry.annotations));
    let others: Vec<_> = others.collect();
    let bundles = others.iter().filter(|entry| is_listed_as_bundle(entry));
    match bundles.count() > MAX_REFERRERS || others.len() > MAX_CANDIDATES {
        true => Err(OciError::TooManySignatures(others.len())),
        false => Ok(()),
    }
}

/// The target of `<URL>; rel="next"`.
fn next(link: &str) -> Option<String> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    let relation = rest.trim_start().strip_prefix(';')?.trim();
    matches!(relation, "rel=\"next\"" | "rel=next").then(|| target.to_owned())
}
