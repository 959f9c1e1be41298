//! A bundle that has a meaning: what signed it, over what, and what is said to prove when.
//!
//! Reading checks everything that can be seen without a key. It proves nothing.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_policy::Digest;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::certificate::Leaf;
use super::checkpoint::Checkpoint;
use super::foreign::explain;
use super::hash::Hash;
use super::wire;
use super::{Identity, Rejection};
use crate::strict_json;

/// The largest bundle, in bytes. Attestations carry whole bills of materials.
pub const MAX_BUNDLE: usize = 16 << 20;

/// The most log entries and the most timestamps of one bundle: each costs signatures to check.
const MAX_PROOFS: usize = 16;

/// The most certificates of one chain.
const MAX_CHAIN: usize = 8;

/// The most bytes of a certificate or a timestamp. Reading the sets in them takes time by the square of their size.
const MAX_DER: usize = 16 << 10;

/// The most hashes of an inclusion proof: a tree has less than 2^63 leaves.
const MAX_PATH: usize = 63;

/// The version of the format, which says what must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// `application/vnd.dev.sigstore.bundle+json;version=0.1`, or `….bundle.v0.1+json`
    V01,
    /// `application/vnd.dev.sigstore.bundle+json;version=0.2`, or `….bundle.v0.2+json`
    V02,
    /// `application/vnd.dev.sigstore.bundle.v0.3+json`, or with `;version=0.3`
    V03,
}

/// A bundle, read and well formed.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) version: Version,
    pub(super) signer: Signer,
    pub(crate) content: Content,
    pub(super) entries: Vec<Entry>,
    /// RFC 3161 tokens.
    pub(super) timestamps: Vec<Vec<u8>>,
}

/// What is said to have signed.
#[derive(Debug, Clone)]
pub(super) enum Signer {
    /// A key that only the verifier has, and a word about which.
    Key { hint: String },
    /// A certificate and those between it and a root.
    Certificate {
        leaf: Vec<u8>,
        intermediates: Vec<Vec<u8>>,
    },
}

/// What is signed.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// The artifact itself.
    Message {
        /// What it is said to be about. Not needed to check the signature.
        digest: Option<(Hash, Vec<u8>)>,
        signature: Vec<u8>,
    },
    /// A statement about the artifact, in a DSSE envelope.
    Envelope {
        payload_type: String,
        payload: Vec<u8>,
        signature: Vec<u8>,
    },
}

impl Content {
    pub(super) fn signature(&self) -> &[u8] {
        match self {
            Self::Message { signature, .. } | Self::Envelope { signature, .. } => signature,
        }
    }
}

/// The kinds of log entries there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    HashedRekordV1,
    DsseV1,
    IntotoV1,
    HashedRekordV2,
    DsseV2,
}

impl Kind {
    fn named(kind: &str, version: &str) -> Option<Self> {
        match (kind, version) {
            ("hashedrekord", "0.0.1") => Some(Self::HashedRekordV1),
            ("dsse", "0.0.1") => Some(Self::DsseV1),
            ("intoto", "0.0.2") => Some(Self::IntotoV1),
            ("hashedrekord", "0.0.2") => Some(Self::HashedRekordV2),
            ("dsse", "0.0.2") => Some(Self::DsseV2),
            _ => None,
        }
    }

    /// As the entry itself names its kind and version.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::HashedRekordV1 => ("hashedrekord", "0.0.1"),
            Self::DsseV1 => ("dsse", "0.0.1"),
            Self::IntotoV1 => ("intoto", "0.0.2"),
            Self::HashedRekordV2 => ("hashedrekord", "0.0.2"),
            Self::DsseV2 => ("dsse", "0.0.2"),
        }
    }

    /// Whether it is of Rekor v2, which promises nothing and knows no time.
    pub(super) fn is_v2(self) -> bool {
        matches!(self, Self::HashedRekordV2 | Self::DsseV2)
    }
}

/// An entry of a transparency log.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) log_id: [u8; 32],
    pub(super) index: u64,
    pub(super) kind: Kind,
    /// Seconds since 1970. Means something only with a promise.
    pub(super) integrated_time: Option<i64>,
    /// The signed entry timestamp.
    pub(super) promise: Option<Vec<u8>>,
    pub(super) proof: Option<Proof>,
    pub(super) body: Vec<u8>,
}

/// That an entry is in the log.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) index: u64,
    pub(super) tree_size: u64,
    pub(super) root: [u8; 32],
    pub(super) path: Vec<[u8; 32]>,
    pub(super) checkpoint: Checkpoint,
}

impl Bundle {
    /// Reads a bundle.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Rejection> {
        if json.len() > MAX_BUNDLE {
            return Err(malformed(format!(
                "it has {} bytes, more than the {MAX_BUNDLE} that are allowed",
                json.len()
            )));
        }
        let wire: wire::Bundle =
            strict_json::from_slice(json).map_err(|error| explain(json, &error))?;
        let version = version(&wire.media_type)?;
        let material = wire.verification_material;
        let signer = signer(
            version,
            material.public_key,
            material.certificate,
            material.x509_certificate_chain,
        )?;
        let content = content(wire.message_signature, wire.dsse_envelope)?;
        let entries = entries(version, material.tlog_entries)?;
        let timestamps = timestamps(material.timestamp_verification_data)?;
        Ok(Self {
            version,
            signer,
            content,
            entries,
            timestamps,
        })
    }
}

/// Who a bundle says signed it. Not proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// The owner of a key, perhaps named by its fingerprint.
    Key(Option<Digest>),
    /// The owner of a certificate.
    Identity(Option<Identity>),
}

impl Bundle {
    /// Who it says signed it: to choose what to try, and for people.
    pub(crate) fn said(&self) -> Said {
        match &self.signer {
            Signer::Key { hint } => Said::Key(
                STANDARD
                    .decode(hint)
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Digest::from_bytes),
            ),
            Signer::Certificate { leaf, .. } => {
                Said::Identity(Leaf::read(leaf).ok().map(|leaf| leaf.identity))
            }
        }
    }

    /// Whether it has a log entry.
    pub(crate) fn is_logged(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Whether it has a timestamp.
    pub(crate) fn is_stamped(&self) -> bool {
        !self.timestamps.is_empty()
    }

    /// What it says about its key, if it is signed with one.
    pub(crate) fn hint(&self) -> Option<&str> {
        match &self.signer {
            Signer::Key { hint } => Some(hint),
            Signer::Certificate { .. } => None,
        }
    }
}

fn version(media_type: &str) -> Result<Version, Rejection> {
    match media_type {
        "application/vnd.dev.sigstore.bundle+json;version=0.1"
        | "application/vnd.dev.sigstore.bundle.v0.1+json" => Ok(Version::V01),
        "application/vnd.dev.sigstore.bundle+json;version=0.2"
        | "application/vnd.dev.sigstore.bundle.v0.2+json" => Ok(Version::V02),
        "application/vnd.dev.sigstore.bundle.v0.3+json"
        | "application/vnd.dev.sigstore.bundle+json;version=0.3" => Ok(Version::V03),
        other => Err(Rejection::Unsupported(format!(
            "its mediaType is {:?}; bundles of version 0.1, 0.2 and 0.3 are understood",
            other.chars().take(80).collect::<String>()
        ))),
    }
}

fn signer(
    version: Version,
    key: Option<wire::Key>,
    certificate: Option<wire::Certificate>,
    chain: Option<wire::Chain>,
) -> Result<Signer, Rejection> {
    match (key, certificate, chain) {
        (Some(key), None, None) => Ok(Signer::Key { hint: key.hint }),
        (None, Some(certificate), None) if version == Version::V03 => Ok(Signer::Certificate {
            leaf: der("certificate", certificate.raw_bytes)?,
            intermediates: Vec::new(),
        }),
        (None, Some(_), None) => Err(malformed(
            "it has a single certificate, which bundles before 0.3 do not have",
        )),
        (None, None, Some(_)) if version == Version::V03 => Err(malformed(
            "it has a certificate chain, which bundles of 0.3 do not have",
        )),
        (None, None, Some(chain)) => chained(chain),
        (None, None, None) => Err(malformed(
            "it says neither by which key nor by which certificate",
        )),
        _ => Err(malformed(
            "it has more than one of publicKey, certificate and x509CertificateChain",
        )),
    }
}

/// A chain begins with the certificate that signed. A root in it would prove itself.
fn chained(chain: wire::Chain) -> Result<Signer, Rejection> {
    if chain.certificates.len() > MAX_CHAIN {
        return Err(malformed("its certificate chain is far too long"));
    }
    let mut seen = HashSet::new();
    let mut certificates = Vec::new();
    for certificate in chain.certificates {
        let der = der("certificate", certificate.raw_bytes)?;
        let parsed = Certificate::from_der(&der)
            .map_err(|error| malformed(format!("a certificate cannot be read: {error}")))?;
        if parsed.tbs_certificate.issuer == parsed.tbs_certificate.subject {
            return Err(malformed("its certificate chain has a root certificate"));
        }
        if !seen.insert(der.clone()) {
            return Err(malformed(
                "its certificate chain has the same certificate twice",
            ));
        }
        certificates.push(der);
    }
    let mut certificates = certificates.into_iter();
    let leaf = certificates
        .next()
        .ok_or_else(|| malformed("its certificate chain is empty"))?;
    Ok(Signer::Certificate {
        leaf,
        intermediates: certificates.collect(),
    })
}

fn content(
    message: Option<wire::Message>,
    envelope: Option<wire::Envelope>,
) -> Result<Content, Rejection> {
    match (message, envelope) {
        (Some(message), None) => {
            let digest = message.message_digest.map(message_digest).transpose()?;
            let signature = filled("signature", message.signature)?;
            Ok(Content::Message { digest, signature })
        }
        (None, Some(envelope)) => {
            let [signature] = <[_; 1]>::try_from(envelope.signatures).map_err(|all: Vec<_>| {
                malformed(format!(
                    "its envelope has {} signatures and must have one",
                    all.len()
                ))
            })?;
            Ok(Content::Envelope {
                payload_type: envelope.payload_type,
                payload: filled("payload", envelope.payload)?,
                signature: filled("signature", signature.sig)?,
            })
        }
        (None, None) => Err(malformed(
            "it has neither a messageSignature nor a dsseEnvelope",
        )),
        (Some(_), Some(_)) => Err(malformed(
            "it has both a messageSignature and a dsseEnvelope",
        )),
    }
}

fn message_digest(digest: wire::Digest) -> Result<(Hash, Vec<u8>), Rejection> {
    let hash = Hash::by_proto_name(&digest.algorithm).ok_or_else(|| {
        Rejection::Unsupported(format!(
            "the algorithm of its messageDigest is {:?}",
            digest.algorithm.chars().take(40).collect::<String>()
        ))
    })?;
    Ok((hash, digest.digest.0))
}

fn entries(version: Version, wire: Vec<wire::Entry>) -> Result<Vec<Entry>, Rejection> {
    if wire.len() > MAX_PROOFS {
        return Err(malformed("it has far too many log entries"));
    }
    let entries: Vec<Entry> = wire
        .into_iter()
        .map(|entry| read_entry(version, entry))
        .collect::<Result<_, _>>()?;
    let mut seen = HashSet::new();
    if !entries
        .iter()
        .all(|entry| seen.insert((entry.log_id, &entry.body)))
    {
        return Err(malformed("it has the same log entry twice"));
    }
    Ok(entries)
}

fn read_entry(version: Version, entry: wire::Entry) -> Result<Entry, Rejection> {
    let named = &entry.kind_version;
    let kind = Kind::named(&named.kind, &named.version).ok_or_else(|| {
        let name = format!("{}/{}", named.kind, named.version);
        Rejection::Unsupported(format!(
            "its log entry is of the unknown kind {:?}",
            name.chars().take(60).collect::<String>()
        ))
    })?;
    let promise = match entry.inclusion_promise {
        Some(promise) => Some(filled(
            "signedEntryTimestamp",
            promise.signed_entry_timestamp,
        )?),
        None => None,
    };
    let integrated_time = i64::try_from(entry.integrated_time.0)
        .ok()
        .filter(|seconds| *seconds > 0);
    if kind.is_v2() && (promise.is_some() || integrated_time.is_some()) {
        return Err(malformed(
            "its log entry is of Rekor v2, which gives neither a promise nor a time, and has one",
        ));
    }
    if promise.is_some() && integrated_time.is_none() {
        return Err(malformed("its log entry has a promise without a time"));
    }
    let proof = entry.inclusion_proof.map(read_proof).transpose()?;
    match version {
        Version::V01 if promise.is_none() => {
            return Err(malformed(
                "its log entry has no inclusion promise, which bundles of 0.1 must have",
            ));
        }
        Version::V02 | Version::V03 if proof.is_none() => {
            return Err(malformed("its log entry has no inclusion proof"));
        }
        _ => {}
    }
    Ok(Entry {
        log_id: fixed("log id", entry.log_id.key_id)?,
        index: entry.log_index.0,
        kind,
        integrated_time,
        promise,
        proof,
        body: filled("canonicalizedBody", entry.canonicalized_body)?,
    })
}

fn read_proof(proof: wire::Proof) -> Result<Proof, Rejection> {
    if proof.hashes.len() > MAX_PATH {
        return Err(malformed("its inclusion proof is far too long"));
    }
    let checkpoint = proof
        .checkpoint
        .ok_or_else(|| malformed("its inclusion proof has no checkpoint"))?;
    Ok(Proof {
        index: proof.log_index.0,
        tree_size: proof.tree_size.0,
        root: fixed("root hash", proof.root_hash)?,
        path: proof
            .hashes
            .into_iter()
            .map(|hash| fixed("proof hash", hash))
            .collect::<Result<_, _>>()?,
        checkpoint: Checkpoint::parse(&checkpoint.envelope)
            .map_err(|why| malformed(format!("its checkpoint is malformed: {why}")))?,
    })
}

fn timestamps(wire: Option<wire::Timestamps>) -> Result<Vec<Vec<u8>>, Rejection> {
    let wire = wire.map(|data| data.rfc3161_timestamps).unwrap_or_default();
    if wire.len() > MAX_PROOFS {
        return Err(malformed("it has far too many timestamps"));
    }
    let mut seen = HashSet::new();
    let mut timestamps = Vec::new();
    for timestamp in wire {
        let token = der("signedTimestamp", timestamp.signed_timestamp)?;
        if !seen.insert(token.clone()) {
            return Err(malformed("it has the same timestamp twice"));
        }
        timestamps.push(token);
    }
    Ok(timestamps)
}

fn filled(what: &str, bytes: wire::Bytes) -> Result<Vec<u8>, Rejection> {
    if bytes.0.is_empty() {
        return Err(malformed(format!("its {what} is empty")));
    }
    Ok(bytes.0)
}

fn der(what: &str, bytes: wire::Bytes) -> Result<Vec<u8>, Rejection> {
    let bytes = filled(what, bytes)?;
    match bytes.len() {
        ..=MAX_DER => Ok(bytes),
        length => Err(malformed(format!(
            "its {what} has {length} bytes and may have {MAX_DER}"
        ))),
    }
}

fn fixed(what: &str, bytes: wire::Bytes) -> Result<[u8; 32], Rejection> {
    let length = bytes.0.len();
    bytes
        .0
        .try_into()
        .map_err(|_| malformed(format!("its {what} has {length} bytes and must have 32")))
}

fn malformed(why: impl Into<String>) -> Rejection {
    Rejection::Malformed(why.into())
}
