//! A log of a trusted root: its key, its time, and where it is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::Timestamp;
use sigstore_types::TimeRange;
use wharf_policy::Digest;
use x509_cert::der::Encode as _;
use x509_cert::der::asn1::{AnyRef, BitStringRef};
use x509_cert::spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::RootError;
use super::hash::Hash;
use super::key_details::UNSPECIFIED;
use super::root_wire as wire;
use super::trusted_root::{unusable, window};
use super::verifying_key::{Kind, VerifyingKey};

/// The logs of a root, by their ids.
pub(super) type Logs = HashMap<[u8; 32], Log>;

/// A log that is trusted.
pub(super) struct Log {
    /// Nothing if its kind is not understood. Such a log proves nothing; the others go on to.
    key: Option<VerifyingKey>,
    trusted: TimeRange,
    /// Where the root says that it is: one host, or those of all its entries with this id.
    hosts: Vec<String>,
}

impl Log {
    fn read(log: &wire::Log, id: &[u8; 32]) -> Result<Self, RootError> {
        let odd = |why: &str| {
            let id = Digest::from_bytes(*id);
            unusable(format!("the log {}: {why}", id.to_hex()))
        };
        let public = &log.public_key;
        let key = log_key(&public.raw_bytes.0, &public.key_details)
            .map_err(|why| odd(&format!("its key: {why}")))?;
        let key = match log.hash_algorithm.as_str() {
            "SHA2_256" => key,
            // Unspecified, in any spelling.
            "" | "HASH_ALGORITHM_UNSPECIFIED" | "#0" => return Err(odd("it has no hashAlgorithm")),
            // Its tree is made in a way that is not known here.
            _ => None,
        };
        // A log that nobody limits would be trusted for ever, whatever becomes of its key.
        let trusted = window(public.valid_for.as_ref())?
            .ok_or_else(|| odd("it does not say when its key is trusted (validFor)"))?;
        Ok(Self {
            key,
            trusted,
            hosts: host_of(&log.base_url)
                .map(str::to_owned)
                .into_iter()
                .collect(),
        })
    }

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
        self.trusted.contains(time)
    }

    /// Whether it has been trusted by now. What it logged while it was remains.
    pub(super) fn has_been_trusted(&self, now: Timestamp) -> bool {
        self.trusted.has_started_by(now)
    }

    /// The hosts where the root says that it is. None if it says nothing.
    pub(super) fn hosts(&self) -> &[String] {
        &self.hosts
    }
}

/// Reads the logs of one list.
///
/// # Errors
/// One of them cannot be used, or is there twice and not alike.
pub(super) fn read_logs(list: &[wire::Log]) -> Result<Logs, RootError> {
    let mut logs = Logs::new();
    for entry in list {
        let id = <[u8; 32]>::try_from(entry.log_id.key_id.0.as_slice())
            .map_err(|_| unusable("the id of a log does not have 32 bytes"))?;
        let log = Log::read(entry, &id)?;
        match logs.entry(id) {
            Entry::Vacant(place) => {
                place.insert(log);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                if known.key != log.key || known.trusted != log.trusted {
                    return Err(unusable("it has the same log twice, and not alike"));
                }
                known.hosts.extend(log.hosts);
            }
        }
    }
    Ok(logs)
}

/// The host of a URL, which is what a Rekor v2 log calls itself: without its port.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => host,
        None => authority,
    };
    let host = match host.strip_prefix('[') {
        Some(address) => address.split_once(']')?.0,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

/// The key of a log, which must be of the kind that the root says; nothing if that is none of ours.
fn log_key(bytes: &[u8], details: &str) -> Result<Option<VerifyingKey>, String> {
    let (kinds, spki): (&[Kind], _) = match details {
        "" | UNSPECIFIED => (&[], bytes.to_vec()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_log_is_without_scheme_user_port_and_path() {
        for (url, host) in [
            ("https://log.test", Some("log.test")),
            ("https://log.test/", Some("log.test")),
            ("http://log.test:3000/api?x#y", Some("log.test")),
            ("https://me:secret@log.test:1", Some("log.test")),
            ("http://[::1]:3000", Some("::1")),
            ("http://127.0.0.1:3000", Some("127.0.0.1")),
            ("log.test", None),
            ("https://", None),
            ("https://:1/log.test", None),
            ("", None),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }
}
