//! A service account by its key: the runner signs its tokens itself (RFC 7519, RS256), and asks nobody.

use std::borrow::Cow;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::refused;
use crate::{SecretValue, StoreError};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// For how long a token holds, in seconds: the longest that Google takes, for clocks that differ.
const HOLDS: i64 = 3600;
/// By so much, in seconds, the runner's clock may be ahead.
const AHEAD: i64 = 10;

/// The file that Google gives out, as far as it is needed.
#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    client_email: Cow<'a, str>,
    #[serde(borrow)]
    private_key_id: Cow<'a, str>,
    #[serde(borrow)]
    private_key: Cow<'a, str>,
}

/// A token that is good from now.
pub(super) fn token(key: &SecretValue) -> Result<Zeroizing<String>, StoreError> {
    // Not what the parsers say: they may quote what they stumbled over.
    let unusable = || refused("the key is not that of a service account");
    let Account {
        client_email,
        private_key_id,
        private_key,
    } = serde_json::from_slice(key.expose()).map_err(|_| unusable())?;
    let private_key = Zeroizing::new(private_key.into_owned());
    let der = PrivatePkcs8KeyDer::from_pem_slice(private_key.as_bytes());
    let pair = der
        .ok()
        .and_then(|der| RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok())
        .ok_or_else(unusable)?;

    let now = Timestamp::now().as_second();
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": private_key_id });
    let claims = json!({
        "iss": client_email, "sub": client_email, "scope": SCOPE,
        "iat": now - AHEAD, "exp": now - AHEAD + HOLDS,
    });
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .map_err(|_| unusable())?;
    let signature = URL_SAFE_NO_PAD.encode(signature);
    Ok(Zeroizing::new(format!("{signed}.{signature}")))
}
