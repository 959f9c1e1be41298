//! JSON Web Tokens (RFC 7519) in the compact form of RFC 7515.
//!
//! What a token may say is decided by [`wharf_policy::JwtRule`]; here it is put together and
//! signed. The header holds `alg`, `typ` and `kid` and never anything of the guest's beside.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use wharf_policy::{JwtAlgorithm, JwtRefusal, JwtRule};
use wharf_stores::SecretValue;

use super::key::{self, Keys, Kind};
use super::{Failure, mac};
use crate::bindings::secrets::{
    DigestAlgorithm, JwtAlgorithm as Wanted, JwtRequest, SignatureAlgorithm,
};

/// The signed token.
pub(super) fn token(
    rule: &JwtRule,
    request: JwtRequest,
    secret: &SecretValue,
    keys: &mut Keys,
    now: SystemTime,
) -> Result<String, Failure> {
    let claims: Map<String, Value> = serde_json::from_str(&request.claims)
        .map_err(|error| Failure::Invalid(format!("the claims are not a JSON object: {error}")))?;
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .as_ref()
        .map_or(0, Duration::as_secs);
    let key_id = rule.key_id(request.key_id)?;
    let claims = rule.claims(claims, request.lifetime.map(u64::from), now)?;
    let algorithm = rule
        .algorithm(request.algorithm.map(algorithm))?
        .unwrap_or_else(|| usual(secret.expose()));

    let mut header = json!({ "alg": algorithm.to_string(), "typ": "JWT" });
    if let Some(key_id) = key_id {
        header["kid"] = Value::from(key_id);
    }
    let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(Value::from(claims).to_string(), &mut token);
    let signature = sign(algorithm, secret.expose(), keys, token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The algorithm that everybody expects of such a key.
fn usual(secret: &[u8]) -> JwtAlgorithm {
    match key::kind(secret) {
        Some(Kind::Ed25519) => JwtAlgorithm::EdDsa,
        Some(Kind::P256) => JwtAlgorithm::Es256,
        Some(Kind::P384) => JwtAlgorithm::Es384,
        Some(Kind::Rsa) => JwtAlgorithm::Rs256,
        None => JwtAlgorithm::Hs256,
    }
}

fn sign(
    algorithm: JwtAlgorithm,
    secret: &[u8],
    keys: &mut Keys,
    message: &[u8],
) -> Result<Vec<u8>, Failure> {
    use JwtAlgorithm as J;
    use SignatureAlgorithm as S;
    let how = match algorithm {
        J::Hs256 => return keyed(DigestAlgorithm::Sha256, 32, secret, message),
        J::Hs384 => return keyed(DigestAlgorithm::Sha384, 48, secret, message),
        J::Hs512 => return keyed(DigestAlgorithm::Sha512, 64, secret, message),
        J::Rs256 => S::RsaPkcs1Sha256,
        J::Rs384 => S::RsaPkcs1Sha384,
        J::Rs512 => S::RsaPkcs1Sha512,
        J::Ps256 => S::RsaPssSha256,
        J::Ps384 => S::RsaPssSha384,
        J::Ps512 => S::RsaPssSha512,
        J::Es256 => S::EcdsaP256Sha256Fixed,
        J::Es384 => S::EcdsaP384Sha384Fixed,
        J::EdDsa => S::Ed25519,
    };
    keys.sign(secret, how, message)
}

/// RFC 7518 wants a key as long as the digest, or whoever has a token could guess the key. A
/// private key is no such key: a verifier would have to know it. Nor is any other PEM, such as a
/// public key or a certificate: anyone may know that.
fn keyed(
    digest: DigestAlgorithm,
    shortest: usize,
    secret: &[u8],
    message: &[u8],
) -> Result<Vec<u8>, Failure> {
    mac::long_enough(secret, shortest, "sign tokens with this algorithm")?;
    if key::is_pem(secret) || key::kind(secret).is_some() {
        return Err(Failure::Invalid(
            "the secret is a key of a pair or a certificate, and an HS algorithm needs a shared key: ask for the algorithm of the key, or for none; if none fits, it is of a kind that signs no tokens here, or encrypted"
                .to_owned(),
        ));
    }
    Ok(mac::compute(digest, secret, message))
}

fn algorithm(wanted: Wanted) -> JwtAlgorithm {
    match wanted {
        Wanted::Hs256 => JwtAlgorithm::Hs256,
        Wanted::Hs384 => JwtAlgorithm::Hs384,
        Wanted::Hs512 => JwtAlgorithm::Hs512,
        Wanted::Rs256 => JwtAlgorithm::Rs256,
        Wanted::Rs384 => JwtAlgorithm::Rs384,
        Wanted::Rs512 => JwtAlgorithm::Rs512,
        Wanted::Ps256 => JwtAlgorithm::Ps256,
        Wanted::Ps384 => JwtAlgorithm::Ps384,
        Wanted::Ps512 => JwtAlgorithm::Ps512,
        Wanted::Es256 => JwtAlgorithm::Es256,
        Wanted::Es384 => JwtAlgorithm::Es384,
        Wanted::Eddsa => JwtAlgorithm::EdDsa,
    }
}

impl From<JwtRefusal> for Failure {
    fn from(refusal: JwtRefusal) -> Self {
        match refusal {
            JwtRefusal::Fixed { .. } | JwtRefusal::Lifetime { .. } => {
                Self::Denied(refusal.to_string())
            }
            JwtRefusal::HostsClaim(_)
            | JwtRefusal::Alike { .. }
            | JwtRefusal::NoLifetime { .. } => Self::Invalid(refusal.to_string()),
        }
    }
}
