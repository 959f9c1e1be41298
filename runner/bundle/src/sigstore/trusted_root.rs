//! Trusted roots: the certificate authorities, logs and timestamp authorities of one Sigstore
//! instance, and when each was trusted. Read from a file or from the copy in this program; never
//! fetched.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;
use sigstore_trust_root::{
    SIGSTORE_PRODUCTION_TRUSTED_ROOT, SIGSTORE_STAGING_TRUSTED_ROOT, TrustedRoot,
};
use sigstore_types::TimeRange;
use wharf_policy::Digest;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{AnyRef, BitStringRef};
use x509_cert::spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::RootError;
use super::chain::Authority;
use super::hash::Hash;
use super::timestamp::TimestampAuthority;
use super::verifying_key::{Kind, VerifyingKey};
use crate::strict_json;

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
    names_witnesses: bool,
}

type Logs = HashMap<[u8; 32], Log>;

/// A log that is trusted.
#[derive(PartialEq)]
pub(super) struct Log {
    /// Nothing if its kind is not understood. Such a log proves nothing; the others go on to.
    key: Option<VerifyingKey>,
    valid_for: Option<TimeRange>,
}

impl Log {
    /// Whether the log signed these bytes.
    pub(super) fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let key = self.key.as_ref();
        key.is_some_and(|key| key.verifies_bytes(bytes, signature))
    }

    /// The same where the signature says with which hash it was made.
    pub(super) fn verifies_hashed(&self, hash: Hash, bytes: &[u8], signature: &[u8]) -> bool {
        let key = self.key.as_ref();
        key.is_some_and(|key| key.verifies_hashed(hash, bytes, signature))
    }

    /// Whether the kind of its key is understood.
    pub(super) fn is_understood(&self) -> bool {
        self.key.is_some()
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
        let mut text = String::new();
        fs::File::open(path)
            .and_then(|file| file.take(MAX_ROOT as u64 + 1).read_to_string(&mut text))
            .map_err(|error| unreadable(error.to_string()))?;
        if text.len() > MAX_ROOT {
            return Err(unreadable(format!(
                "it has more than {MAX_ROOT} bytes; roots are small"
            )));
        }
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
        let root: TrustedRoot =
            strict_json::from_value(&with_all_fields(text)?).map_err(unusable)?;
        if !MEDIA_TYPES.contains(&root.media_type.as_str()) {
            return Err(unusable(format!(
                "its mediaType is {:?}",
                root.media_type.chars().take(80).collect::<String>()
            )));
        }
        let (mut logs, mut transparency_logs) = (Logs::new(), Logs::new());
        let of_signatures = root.tlogs.iter().map(|log| (&log.log_id, &log.public_key));
        let of_certificates = root.ctlogs.iter().map(|log| (&log.log_id, &log.public_key));
        let all = of_signatures.map(|log| (true, log));
        for (is_of_signatures, (id, key)) in all.chain(of_certificates.map(|log| (false, log))) {
            add_log(
                match is_of_signatures {
                    true => &mut logs,
                    false => &mut transparency_logs,
                },
                id.key_id.as_bytes(),
                key.raw_bytes.as_bytes(),
                key.key_details.as_str(),
                key.valid_for,
            )?;
        }
        let authorities = root.certificate_authorities.iter().map(|authority| {
            let chain = authority.cert_chain.certificates.iter();
            let window = window(authority.valid_for)?;
            Authority::read(chain.map(|each| each.raw_bytes.as_bytes()), window).map_err(unusable)
        });
        let timestamp_authorities = root.timestamp_authorities.iter().map(|authority| {
            let chain = authority.cert_chain.certificates.iter();
            let chain: Vec<&[u8]> = chain.map(|each| each.raw_bytes.as_bytes()).collect();
            TimestampAuthority::read(&chain, window(authority.valid_for)?).map_err(unusable)
        });
        Ok(Self {
            name: name.to_owned(),
            logs,
            transparency_logs,
            authorities: authorities.collect::<Result<_, _>>()?,
            timestamp_authorities: timestamp_authorities.collect::<Result<_, _>>()?,
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

/// Empty texts are left out where JSON is written from protobuf, as cosign does it; the reader asks for
/// these, which nothing here depends on.
fn with_all_fields(text: &str) -> Result<Value, RootError> {
    let mut root: Value = serde_json::from_str(text).map_err(unusable)?;
    for (list, field) in [
        ("tlogs", "baseUrl"),
        ("ctlogs", "baseUrl"),
        ("certificateAuthorities", "uri"),
        ("timestampAuthorities", "uri"),
    ] {
        let list = root.get_mut(list).and_then(Value::as_array_mut);
        let items = list.into_iter().flatten().filter_map(Value::as_object_mut);
        for item in items {
            item.entry(field).or_insert_with(|| Value::from(""));
        }
    }
    Ok(root)
}

fn add_log(
    logs: &mut Logs,
    id: &[u8],
    key: &[u8],
    details: &str,
    valid_for: Option<TimeRange>,
) -> Result<(), RootError> {
    let id =
        <[u8; 32]>::try_from(id).map_err(|_| unusable("the id of a log does not have 32 bytes"))?;
    let log = Log {
        key: log_key(key, details).map_err(|why| {
            let id = Digest::from_bytes(id);
            unusable(format!("the key of the log {}: {why}", id.to_hex()))
        })?,
        valid_for: window(valid_for)?,
    };
    if logs.get(&id).is_some_and(|known| *known != log) {
        return Err(unusable("it has the same log twice, and not alike"));
    }
    logs.insert(id, log);
    Ok(())
}

/// The key of a log, which must be of the kind that the root says; nothing if that is none of ours.
fn log_key(bytes: &[u8], details: &str) -> Result<Option<VerifyingKey>, String> {
    let (kinds, spki): (&[Kind], _) = match details {
        "" | "PUBLIC_KEY_DETAILS_UNSPECIFIED" => (&[], bytes.to_vec()),
        _ if details.starts_with("PKIX_ECDSA_P256_") => (&[Kind::P256], bytes.to_vec()),
        _ if details.starts_with("PKIX_ECDSA_P384_") => (&[Kind::P384], bytes.to_vec()),
        _ if details.starts_with("PKIX_ECDSA_P521_") => (&[Kind::P521], bytes.to_vec()),
        "PKIX_ED25519" | "PKIX_ED25519_PH" => (&[Kind::Ed25519], bytes.to_vec()),
        _ if details.starts_with("PKIX_RSA_") => (&[Kind::Rsa], bytes.to_vec()),
        _ if details.starts_with("PKCS1_RSA_") => (&[Kind::Rsa], rsa_spki(bytes)?),
        _ => return Ok(None),
    };
    let key = VerifyingKey::from_spki(spki).map_err(|error| error.to_string())?;
    if !kinds.is_empty() && !kinds.contains(&key.kind()) {
        return Err(format!("it is not what the root says, {details}"));
    }
    Ok(Some(key))
}

/// A SubjectPublicKeyInfo of an RSA key in PKCS #1 (RFC 8017, appendix A.1).
fn rsa_spki(key: &[u8]) -> Result<Vec<u8>, String> {
    const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef {
            oid: RSA,
            parameters: Some(AnyRef::NULL),
        },
        subject_public_key: BitStringRef::from_bytes(key).map_err(|error| error.to_string())?,
    }
    .to_der()
    .map_err(|error| error.to_string())
}

fn window(window: Option<TimeRange>) -> Result<Option<TimeRange>, RootError> {
    match window {
        Some(window) if window.end.is_some_and(|end| end < window.start) => {
            Err(unusable("a time in it ends before it begins"))
        }
        window => Ok(window),
    }
}

fn unusable(why: impl fmt::Display) -> RootError {
    RootError::Unusable(why.to_string())
}
