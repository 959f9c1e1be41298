//! Trusted roots: the certificate authorities, logs and timestamp authorities of one Sigstore
//! instance, and when each was trusted. Read from a file or from the copy in this program; never
//! fetched.

use std::fmt;
use std::path::Path;

use sigstore_trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, SIGSTORE_STAGING_TRUSTED_ROOT};
use sigstore_types::TimeRange;

use super::RootError;
use super::chain::Authority;
use super::root_wire as wire;
use super::timestamp::TimestampAuthority;
use super::trusted_log::{Log, Logs, read_logs};
use crate::{read_text_file, strict_json};

/// The largest trusted root, in bytes.
const MAX_ROOT: usize = 4 << 20;

const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot+json;version=0.2",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

/// The trust anchors of one Sigstore instance, ready to verify with.
pub struct TrustRoot {
    name: String,
    logs: Logs,
    transparency_logs: Logs,
    authorities: Vec<Authority>,
    timestamp_authorities: Vec<TimestampAuthority>,
    names_logs: bool,
    names_witnesses: bool,
}

impl TrustRoot {
    /// The day of the copy of the public-good instance's root that this program carries.
    pub const PUBLIC_GOOD_DATE: &str = "2026-10-23";

    /// The public-good instance, as of [`TrustRoot::PUBLIC_GOOD_DATE`].
    ///
    /// # Errors
    /// The copy cannot be read, which the tests rule out.
    pub fn public_good() -> Result<Self, RootError> {
        Self::named("public-good", SIGSTORE_PRODUCTION_TRUSTED_ROOT)
    }

    /// The public-good instance's staging, where new things are tried and nothing is vouched for. As
    /// of the same day.
    ///
    /// # Errors
    /// The copy cannot be read, which the tests rule out.
    pub fn staging() -> Result<Self, RootError> {
        Self::named("staging", SIGSTORE_STAGING_TRUSTED_ROOT)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file cannot be read, or as [`TrustRoot::from_json`].
    pub fn load(path: &Path) -> Result<Self, RootError> {
        let unreadable = |why: String| RootError::Unreadable {
            path: path.display().to_string(),
            why,
        };
        let text = read_text_file(path, MAX_ROOT).map_err(|error| unreadable(error.to_string()))?;
        Self::named(&path.display().to_string(), &text)
    }

    /// Reads the JSON of a trusted root. Every part of it must be known and usable.
    ///
    /// # Errors
    /// Not a trusted root; a field that is not known or comes twice; or a key, certificate or window
    /// that cannot be used.
    pub fn from_json(text: &str) -> Result<Self, RootError> {
        Self::named("given", text)
    }

    fn named(name: &str, text: &str) -> Result<Self, RootError> {
        if text.len() > MAX_ROOT {
            return Err(unusable("it is far too large"));
        }
        let root: wire::Root = strict_json::from_slice(text.as_bytes()).map_err(unusable)?;
        if !MEDIA_TYPES.contains(&root.media_type.as_str()) {
            return Err(unusable(format!(
                "its mediaType is {:?}",
                root.media_type.chars().take(80).collect::<String>()
            )));
        }
        let authorities = root.certificate_authorities.iter().map(|authority| {
            Authority::read(chain(authority), window(authority.valid_for.as_ref())?)
                .map_err(unusable)
        });
        let timestamp_authorities = root.timestamp_authorities.iter().map(|authority| {
            let chain: Vec<&[u8]> = chain(authority).collect();
            TimestampAuthority::read(&chain, window(authority.valid_for.as_ref())?)
                .map_err(unusable)
        });
        Ok(Self {
            name: name.to_owned(),
            logs: read_logs(&root.tlogs)?,
            transparency_logs: read_logs(&root.ctlogs)?,
            authorities: authorities.collect::<Result<_, _>>()?,
            timestamp_authorities: timestamp_authorities.collect::<Result<_, _>>()?,
            // Also those that cannot be used now: whether a proof is asked for depends on no clock.
            names_logs: !root.tlogs.is_empty(),
            names_witnesses: !root.tlogs.is_empty() || !root.timestamp_authorities.is_empty(),
        })
    }

    /// What it was read from: `public-good`, `staging`, or the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it names a log that signatures can be in.
    pub fn has_logs(&self) -> bool {
        self.names_logs
    }

    /// Whether it names a log or a timestamp authority, so that it can prove when something was signed.
    pub fn has_witnesses(&self) -> bool {
        self.names_witnesses
    }

    pub(super) fn log(&self, id: &[u8; 32]) -> Option<&Log> {
        self.logs.get(id)
    }

    pub(super) fn transparency_log(&self, id: &[u8; 32]) -> Option<&Log> {
        self.transparency_logs.get(id)
    }

    pub(super) fn authorities(&self) -> &[Authority] {
        &self.authorities
    }

    pub(super) fn timestamp_authorities(&self) -> &[TimestampAuthority] {
        &self.timestamp_authorities
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustRoot({})", self.name)
    }
}

/// The certificates of an authority, in DER.
fn chain(authority: &wire::Authority) -> impl Iterator<Item = &[u8]> {
    let chain = authority.cert_chain.certificates.iter();
    chain.map(|each| each.raw_bytes.0.as_slice())
}

/// When somebody is trusted, if that is limited at all. Without a start it is refused, also where clients of
/// Sigstore would trust from ever on: whoever limits trust says from when. No window at all is good for
/// authorities, as it is for those clients: the times in their certificates are looked at besides, up to the
/// last. The key of a log has no such times.
pub(super) fn window(window: Option<&wire::Window>) -> Result<Option<TimeRange>, RootError> {
    let Some(window) = window else {
        return Ok(None);
    };
    let start = window.start.ok_or_else(|| {
        unusable("a time in it (validFor) has no start: write since when that is trusted")
    })?;
    if window.end.is_some_and(|end| end < start) {
        return Err(unusable("a time in it ends before it begins"));
    }
    Ok(Some(TimeRange::new(start, window.end)))
}

pub(super) fn unusable(why: impl fmt::Display) -> RootError {
    RootError::Unusable(why.to_string())
}
