//! Trusted roots: the certificate authorities, logs and timestamp authorities of one Sigstore
//! instance, and when each was trusted. Read from a file or from the copy in this program; never
//! fetched.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use sigstore_crypto::VerificationKey;
use sigstore_trust_root::{
    SIGSTORE_PRODUCTION_TRUSTED_ROOT, SIGSTORE_STAGING_TRUSTED_ROOT, TrustedRoot,
};
use sigstore_types::{SignatureBytes, TimeRange, TsaAuthority};
use sigstore_verify::Verifier;

use super::RootError;

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
    pub(super) verifier: Verifier,
    logs: HashMap<[u8; 32], Log>,
    authorities: Vec<TsaAuthority>,
    names_witnesses: bool,
}

/// A transparency log that is trusted.
pub(super) struct Log {
    key: VerificationKey,
    valid_for: Option<TimeRange>,
}

impl Log {
    /// Whether the log signed these bytes.
    pub(super) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.key
            .verify(bytes, &SignatureBytes::from_bytes(signature))
            .is_ok()
    }

    /// Whether the log was trusted at that time, ends included.
    pub(super) fn is_trusted_at(&self, time: Timestamp) -> bool {
        self.valid_for.is_none_or(|window| window.contains(time))
    }

    /// Whether it has been trusted by now. What it logged while it was remains.
    pub(super) fn has_been_trusted(&self, now: Timestamp) -> bool {
        self.valid_for
            .is_none_or(|window| window.has_started_by(now))
    }
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
        let size = fs::metadata(path)
            .map_err(|error| unreadable(error.to_string()))?
            .len();
        if size > MAX_ROOT as u64 {
            return Err(unreadable(format!("it has {size} bytes; roots are small")));
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Self::named(&path.display().to_string(), &text)
    }

    /// Reads the JSON of a trusted root. Fields that are not known are passed over, since it is
    /// the operator's own file and the format grows; every part that is known must be usable.
    ///
    /// # Errors
    /// Not a trusted root, or a key, certificate or window in it that cannot be used.
    pub fn from_json(text: &str) -> Result<Self, RootError> {
        Self::named("given", text)
    }

    fn named(name: &str, text: &str) -> Result<Self, RootError> {
        if text.len() > MAX_ROOT {
            return Err(unusable("it is far too large"));
        }
        let root = TrustedRoot::from_json(text).map_err(unusable)?;
        if !MEDIA_TYPES.contains(&root.media_type.as_str()) {
            return Err(unusable(format!(
                "its mediaType is {:?}",
                root.media_type.chars().take(80).collect::<String>()
            )));
        }
        let verifier = Verifier::new(&root).map_err(unusable)?;
        let mut logs = HashMap::new();
        for log in &root.tlogs {
            let id = <[u8; 32]>::try_from(log.log_id.key_id.as_bytes())
                .map_err(|_| unusable("the id of a log does not have 32 bytes"))?;
            let key = VerificationKey::from_spki(&log.public_key.raw_bytes).map_err(unusable)?;
            let valid_for = log.public_key.valid_for;
            if logs.insert(id, Log { key, valid_for }).is_some() {
                return Err(unusable("it has the same log twice"));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            verifier,
            logs,
            authorities: root.tsa_authorities(),
            // Also those that cannot be used now: whether a proof is asked for depends on no clock.
            names_witnesses: !root.tlogs.is_empty() || !root.timestamp_authorities.is_empty(),
        })
    }

    /// What it was read from: `public-good`, `staging`, or the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it names a log or a timestamp authority, so that it can prove when something was signed.
    pub fn has_witnesses(&self) -> bool {
        self.names_witnesses
    }

    pub(super) fn log(&self, id: &[u8; 32]) -> Option<&Log> {
        self.logs.get(id)
    }

    pub(super) fn timestamp_authorities(&self) -> &[TsaAuthority] {
        &self.authorities
    }
}

impl fmt::Debug for TrustRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustRoot({})", self.name)
    }
}

fn unusable(why: impl fmt::Display) -> RootError {
    RootError::Unusable(why.to_string())
}
