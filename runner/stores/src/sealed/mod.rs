//! Secrets that a controller keeps and cannot open: sealed to the runners of a group, signed by the
//! operator.
//!
//! The value is sealed once, to a key made for it; that key is sealed to each runner. All of it is HPKE
//! (RFC 9180, base mode, X25519, HKDF-SHA256, AES-256-GCM). A runner's X25519 key is its Ed25519
//! identity in the other form of the curve, so that what people compare when they enrol a runner is
//! also what they seal to; that one key may serve both is shown in "On using the same key pair for
//! Ed25519 and an X25519 based KEM" (Thormarker, <https://eprint.iacr.org/2021/509>).
//!
//! Nothing here knows where a sealed secret is kept. Sealing alone would let a controller put another
//! value in the place of one, because anyone can seal; so nothing is opened before its signature
//! has been checked. A signature alone would let it put an older value there, which was signed, too; so
//! what is signed says when it was put, and whoever opens it remembers the newest.

mod put_at;
mod refusal;
mod store;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_X25519_HKDF_SHA256_AES_256 as SUITE;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use wharf_policy::SecretName;
use zeroize::Zeroizing;

use crate::{LARGEST, SecretValue};

pub use put_at::PutAt;
pub use refusal::{NotTaken, SealedRefusal};
pub use store::{Membership, Newest, SealedStore, Shelf, ShelfError, Shelved};

/// The largest sealed secret, in bytes: enough for some thousands of runners.
pub const LARGEST_SEALED: usize = 1 << 20;

const FORMAT: &str = "wharf-sealed-secret-2";
/// The format that did not say when a secret was put.
const TIMELESS: &str = "wharf-sealed-secret-1";
/// Values are filled up to a multiple of this, so that a length says little.
const BLOCK: usize = 256;

/// What a sealed secret is for. It is part of what is sealed: in another place it does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The group of runners.
    pub group: String,
    /// The name under which the controller keeps it.
    pub name: SecretName,
}

impl Label {
    /// With when it was put, and each part with its length before it, so that no two are the same bytes.
    fn bytes(&self, put: PutAt) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [FORMAT, &self.group, self.name.as_str()] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(&put.to_be_bytes());
        bytes
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of group `{}`", self.name, self.group)
    }
}

/// The public key of a runner: an Ed25519 key of full order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RunnerKey(VerifyingKey);

impl RunnerKey {
    /// Reads 32 bytes in base64, as the controller lists them.
    ///
    /// # Errors
    /// It is no sound Ed25519 key.
    pub fn from_base64(text: &str) -> Result<Self, SealError> {
        let key = STANDARD
            .decode(text)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
            .filter(|key| !key.is_weak());
        key.map(Self).ok_or(SealError::BadKey)
    }

    /// The key of a runner's own private key.
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key())
    }

    fn to_base64(self) -> String {
        STANDARD.encode(self.0.as_bytes())
    }

    fn hpke(self) -> HpkePublicKey {
        HpkePublicKey(self.0.to_montgomery().to_bytes().to_vec())
    }
}

/// The fingerprint: `sha256:` and the SHA-256 of the key's 32 bytes in hex.
impl fmt::Display for RunnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        Sha256::digest(self.0.as_bytes())
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RunnerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunnerKey({self})")
    }
}

/// Why something cannot be sealed or opened. Carries no part of a value.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Not a key.
    #[error("this is no Ed25519 public key: 32 bytes in base64, of full order")]
    BadKey,
    /// Sealed to nobody.
    #[error("there is no runner to seal it to: enrol one first")]
    NoRunners,
    /// No runner would read what is sealed to so many.
    #[error(
        "sealed to {0} runners it has more than {LARGEST_SEALED} bytes, which no runner reads: take runners that are gone out of the group, or split it"
    )]
    TooManyRunners(usize),
    /// Nothing, or more than a secret is.
    #[error("a secret has from 1 to {LARGEST} bytes, this has {0}")]
    BadSize(usize),
    /// What is kept is not a sealed secret of this version.
    #[error("what the controller has for {0} is not a sealed secret: {1}")]
    Malformed(Label, String),
    /// It was sealed before it was said when.
    #[error(
        "{0} was sealed by an older wharf, which did not write down when, so that it could be given out again for ever: put it again with `wharf secret put`"
    )]
    Timeless(Label),
    /// It was sealed for something else.
    #[error("what the controller has for {asked} was sealed for {found}")]
    Misplaced {
        /// What was asked for.
        asked: Label,
        /// What it says it is.
        found: Label,
    },
    /// It was sealed before this runner joined.
    #[error(
        "{0} is not sealed to this runner ({1}): seal it again with `wharf secret put`, so that every runner of the group has it"
    )]
    NotForThisRunner(Label, String),
    /// It does not open.
    #[error("{0} does not open with this runner's key: it was changed after it was sealed")]
    Broken(Label),
    /// The cryptography failed.
    #[error("sealing failed: {0}")]
    Failed(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: String,
    group: String,
    name: SecretName,
    put_ms: PutAt,
    value: Part,
    /// The key that opens `value`, for each runner.
    runners: Vec<ForRunner>,
}

/// What every version of the format begins with.
#[derive(Deserialize)]
struct Version {
    format: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForRunner {
    runner: String,
    key: Part,
}

/// One thing that HPKE has sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    encapsulated: String,
    ciphertext: String,
}

impl Part {
    fn seal(info: &str, label: &[u8], plain: &[u8], to: &HpkePublicKey) -> Result<Self, SealError> {
        let (secret, ciphertext) = SUITE
            .seal(info.as_bytes(), label, plain, to)
            .map_err(|error| SealError::Failed(error.to_string()))?;
        Ok(Self {
            encapsulated: STANDARD.encode(secret.0),
            ciphertext: STANDARD.encode(ciphertext),
        })
    }

    fn open(&self, info: &str, label: &[u8], key: &HpkePrivateKey) -> Option<Zeroizing<Vec<u8>>> {
        let secret = EncapsulatedSecret(STANDARD.decode(&self.encapsulated).ok()?);
        let ciphertext = STANDARD.decode(&self.ciphertext).ok()?;
        SUITE
            .open(&secret, info.as_bytes(), label, &ciphertext, key)
            .ok()
            .map(Zeroizing::new)
    }
}

const VALUE: &str = "wharf sealed secret: value";
const KEY: &str = "wharf sealed secret: key";

/// Seals a value to these runners. What comes out is to be signed, and can be kept by anyone. Runners
/// that have taken a value with a later `put` will not take this one.
///
/// # Errors
/// There are no runners or too many, or the value is empty or too large.
pub fn seal(
    label: &Label,
    put: PutAt,
    value: &SecretValue,
    to: &[RunnerKey],
) -> Result<Vec<u8>, SealError> {
    if to.is_empty() {
        return Err(SealError::NoRunners);
    }
    let bound = label.bytes(put);
    let failed = |error: rustls::Error| SealError::Failed(error.to_string());
    let (public, private) = SUITE.generate_key_pair().map_err(failed)?;
    let wire = Wire {
        format: FORMAT.to_owned(),
        group: label.group.clone(),
        name: label.name.clone(),
        put_ms: put,
        value: Part::seal(VALUE, &bound, &filled(value)?, &public)?,
        runners: to
            .iter()
            .map(|runner| {
                Ok(ForRunner {
                    runner: runner.to_base64(),
                    key: Part::seal(KEY, &bound, private.secret_bytes(), &runner.hpke())?,
                })
            })
            .collect::<Result<_, SealError>>()?,
    };
    let sealed = serde_json::to_vec(&wire);
    let sealed = sealed.map_err(|error| SealError::Failed(error.to_string()))?;
    if sealed.len() > LARGEST_SEALED {
        return Err(SealError::TooManyRunners(to.len()));
    }
    Ok(sealed)
}

/// The runners that a sealed secret is for, as far as it says.
///
/// # Errors
/// It is not a sealed secret.
pub fn recipients(label: &Label, sealed: &[u8]) -> Result<Vec<RunnerKey>, SealError> {
    let wire = read(label, sealed)?;
    let keys = wire
        .runners
        .iter()
        .map(|part| RunnerKey::from_base64(&part.runner));
    keys.collect()
}

/// When a sealed secret was put, as it says.
///
/// # Errors
/// It is not a sealed secret.
pub fn put_at(label: &Label, sealed: &[u8]) -> Result<PutAt, SealError> {
    read(label, sealed).map(|wire| wire.put_ms)
}

/// Opens a sealed secret with a runner's key, and says when it was put. Check its signature first.
///
/// # Errors
/// It is not one, is not for this place or this runner, or was changed.
pub(crate) fn open(
    label: &Label,
    sealed: &[u8],
    key: &SigningKey,
) -> Result<(SecretValue, PutAt), SealError> {
    let wire = read(label, sealed)?;
    let own = RunnerKey::of(key);
    let part = wire
        .runners
        .iter()
        .find(|part| part.runner == own.to_base64())
        .ok_or_else(|| SealError::NotForThisRunner(label.clone(), own.to_string()))?;
    let bound = label.bytes(wire.put_ms);
    let scalar = Zeroizing::new(key.to_scalar_bytes());
    let private = HpkePrivateKey::from(scalar.to_vec());
    let broken = || SealError::Broken(label.clone());
    let content = part.key.open(KEY, &bound, &private).ok_or_else(broken)?;
    let content = HpkePrivateKey::from(content.to_vec());
    let value = wire
        .value
        .open(VALUE, &bound, &content)
        .ok_or_else(broken)?;
    let value = unfilled(&value).ok_or_else(broken)?;
    Ok((value, wire.put_ms))
}

fn read(label: &Label, sealed: &[u8]) -> Result<Wire, SealError> {
    let malformed = |why: String| SealError::Malformed(label.clone(), why);
    if sealed.len() > LARGEST_SEALED {
        return Err(malformed(format!(
            "it has more than {LARGEST_SEALED} bytes"
        )));
    }
    let unread = |error: serde_json::Error| malformed(error.to_string());
    let version: Version = serde_json::from_slice(sealed).map_err(unread)?;
    match version.format.as_str() {
        FORMAT => {}
        TIMELESS => return Err(SealError::Timeless(label.clone())),
        _ => return Err(malformed(format!("it is not of the format {FORMAT}"))),
    }
    let wire: Wire = serde_json::from_slice(sealed).map_err(unread)?;
    let found = Label {
        group: wire.group.clone(),
        name: wire.name.clone(),
    };
    if found != *label {
        return Err(SealError::Misplaced {
            asked: label.clone(),
            found,
        });
    }
    Ok(wire)
}

/// The length, the value, and nothing up to the end of a block.
fn filled(value: &SecretValue) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let value = value.expose();
    let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
    if value.is_empty() || value.len() > LARGEST {
        return Err(SealError::BadSize(value.len()));
    }
    let whole = (4 + value.len()).next_multiple_of(BLOCK);
    let mut bytes = Zeroizing::new(Vec::with_capacity(whole));
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(whole, 0);
    Ok(bytes)
}

fn unfilled(bytes: &[u8]) -> Option<SecretValue> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let value = rest.get(..length).filter(|value| !value.is_empty())?;
    Some(SecretValue::new(value.to_vec()))
}

#[cfg(test)]
mod tests;
