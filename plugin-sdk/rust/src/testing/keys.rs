//! What the in-memory host does with keys: HMAC and tokens as the real one makes them, and for
//! private keys whatever the test says a signature is.

use std::collections::BTreeMap;
use std::rc::Rc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::state::{ISSUED, Signer};
use crate::secrets::{Digest, Jwt, JwtAlgorithm, SecretError, SignatureAlgorithm};

/// The lifetime of a token that asks for none, in seconds, and the longest where the operator says nothing.
const LIFETIME: u32 = 600;
/// The shortest key for HMAC in bytes, as a runner takes it.
const SHORTEST: usize = 16;

/// A key of a test.
#[derive(Clone)]
pub(crate) enum Key {
    /// A shared key.
    Shared(Vec<u8>),
    /// A private key, as what it makes of messages.
    Private(Rc<Signer>),
}

pub(crate) type Keys = BTreeMap<String, Key>;

pub(crate) fn hmac(
    key: &Key,
    name: &str,
    digest: Digest,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    let Key::Shared(key) = key else {
        return Err(invalid(name, "it is a private key in this test"));
    };
    long_enough(key, name, SHORTEST)?;
    let mac = match digest {
        Digest::Sha256 => compute::<Hmac<Sha256>>(key, message),
        Digest::Sha384 => compute::<Hmac<Sha384>>(key, message),
        Digest::Sha512 => compute::<Hmac<Sha512>>(key, message),
    };
    mac.ok_or_else(|| invalid(name, "it cannot be a key"))
}

fn long_enough(key: &[u8], name: &str, shortest: usize) -> Result<(), SecretError> {
    if key.len() >= shortest {
        return Ok(());
    }
    let why =
        format!("it is shorter than {shortest} bytes, and whoever has a result could guess it");
    Err(invalid(name, &why))
}

/// Nothing only for a key of a length that the algorithm does not take; HMAC takes every length.
fn compute<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut mac = <M as KeyInit>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().to_vec())
}

pub(crate) fn sign(
    key: &Key,
    name: &str,
    algorithm: SignatureAlgorithm,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    match key {
        Key::Private(signer) => Ok(signer(algorithm, message)),
        Key::Shared(_) => Err(invalid(
            name,
            "it is a shared key in this test; give a private one with `Host::signs`",
        )),
    }
}

pub(crate) fn jwt(key: &Key, name: &str, token: &Jwt, waited: u64) -> Result<String, SecretError> {
    use JwtAlgorithm as J;
    use SignatureAlgorithm as S;
    let mut claims: Value = serde_json::from_str(&token.claims)
        .map_err(|error| invalid(name, &format!("the claims are not JSON: {error}")))?;
    for times in ["iat", "exp"] {
        if claims.get(times).is_some() {
            return Err(invalid(name, &format!("the claim `{times}` is the host's")));
        }
    }
    let lifetime = token.lifetime.unwrap_or(LIFETIME);
    if !(1..=LIFETIME).contains(&lifetime) {
        let why =
            format!("a token holds for 1 to {LIFETIME} seconds, unless the operator says more");
        return Err(invalid(name, &why));
    }
    let now = ISSUED + waited;
    claims["iat"] = Value::from(now);
    claims["exp"] = Value::from(now + u64::from(lifetime));
    let algorithm = token.algorithm.unwrap_or(match key {
        Key::Shared(_) => J::Hs256,
        Key::Private(_) => J::Es256,
    });
    let mut header = json!({ "alg": jose(algorithm), "typ": "JWT" });
    if let Some(id) = &token.key_id {
        header["kid"] = Value::from(id.as_str());
    }
    let [header, claims] = [header, claims].map(|part| base64url(part.to_string().as_bytes()));
    let message = format!("{header}.{claims}");
    let bytes = message.as_bytes();
    let signature = match algorithm {
        J::Hs256 => keyed(key, name, Digest::Sha256, 32, bytes),
        J::Hs384 => keyed(key, name, Digest::Sha384, 48, bytes),
        J::Hs512 => keyed(key, name, Digest::Sha512, 64, bytes),
        J::Rs256 => sign(key, name, S::RsaPkcs1Sha256, bytes),
        J::Rs384 => sign(key, name, S::RsaPkcs1Sha384, bytes),
        J::Rs512 => sign(key, name, S::RsaPkcs1Sha512, bytes),
        J::Ps256 => sign(key, name, S::RsaPssSha256, bytes),
        J::Ps384 => sign(key, name, S::RsaPssSha384, bytes),
        J::Ps512 => sign(key, name, S::RsaPssSha512, bytes),
        J::Es256 => sign(key, name, S::EcdsaP256Sha256Fixed, bytes),
        J::Es384 => sign(key, name, S::EcdsaP384Sha384Fixed, bytes),
        J::EdDsa => sign(key, name, S::Ed25519, bytes),
    }?;
    Ok(format!("{message}.{}", base64url(&signature)))
}

/// RFC 7518 wants a key as long as the digest.
fn keyed(
    key: &Key,
    name: &str,
    digest: Digest,
    shortest: usize,
    message: &[u8],
) -> Result<Vec<u8>, SecretError> {
    if let Key::Shared(key) = key {
        long_enough(key, name, shortest)?;
    }
    hmac(key, name, digest, message)
}

fn jose(algorithm: JwtAlgorithm) -> String {
    match algorithm {
        JwtAlgorithm::EdDsa => "EdDSA".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    }
}

fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| {
            bits << 8 | u32::from(group.get(at).copied().unwrap_or(0))
        });
        for at in 0..=group.len() {
            let six = bits >> (18 - 6 * at) & 63;
            text.push(char::from(ALPHABET[six as usize]));
        }
    }
    text
}

fn invalid(name: &str, why: &str) -> SecretError {
    SecretError::Invalid {
        name: name.to_owned(),
        why: why.to_owned(),
    }
}
