//! Identity tokens: what an identity provider says about whoever signs.
//!
//! A token is as good as a password until it expires. It is never printed, and wiped when dropped.
//! Its signature is the certificate authority's to check; here it is only read.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::SigningError;
use crate::sigstore::Identity;

/// The largest token, in bytes. They have one or two thousand.
const MAX_TOKEN: usize = 64 << 10;

/// A JSON Web Token that says who somebody is.
pub struct IdentityToken {
    text: SecretString,
    claims: Claims,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    exp: i64,
    email: Option<String>,
    email_verified: Option<Flag>,
    #[serde(default)]
    federated_claims: Federated,
}

/// Whom a provider that asks others asked.
#[derive(Default, Deserialize)]
struct Federated {
    connector_id: Option<String>,
}

/// Some providers write it as a text.
#[derive(Deserialize, PartialEq)]
#[serde(untagged)]
enum Flag {
    Bool(bool),
    Text(String),
}

impl IdentityToken {
    /// Reads a token.
    ///
    /// # Errors
    /// Not a JSON Web Token, or one without an issuer, a subject or an end.
    pub fn parse(text: SecretString) -> Result<Self, SigningError> {
        let text = SecretString::from(text.expose_secret().trim());
        let claims = claims(text.expose_secret()).map_err(SigningError::Token)?;
        Ok(Self { text, claims })
    }

    /// Fails if its time is over.
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), SigningError> {
        let end = Timestamp::from_second(self.claims.exp)
            .map_err(|_| SigningError::Token("it never ends"))?;
        if end <= now {
            return Err(SigningError::TokenExpired(end));
        }
        Ok(())
    }

    /// What a certificate authority wants signed, as proof of having the key: the address of mail,
    /// where the token has one, or else the subject.
    pub(super) fn name(&self) -> &str {
        self.claims.email.as_deref().unwrap_or(&self.claims.sub)
    }

    /// The token itself.
    pub(super) fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Whether a certificate is for whom the token is of. The name of a workflow is made by the
    /// authority from claims of each CI system's own, so only addresses of mail can be compared.
    pub(super) fn check(&self, identity: &Identity) -> Result<(), SigningError> {
        let issuer = &identity.issuer;
        let by_issuer = *issuer == self.claims.iss
            || self.claims.federated_claims.connector_id.as_ref() == Some(issuer);
        let for_name = self
            .claims
            .email
            .as_ref()
            .is_none_or(|mail| *mail == identity.subject);
        if by_issuer && for_name {
            return Ok(());
        }
        Err(SigningError::WrongIdentity {
            expected: self.to_string(),
            actual: identity.clone(),
        })
    }
}

impl fmt::Display for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (by {})", self.name(), self.claims.iss)
    }
}

impl fmt::Debug for IdentityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityToken({self})")
    }
}

fn claims(text: &str) -> Result<Claims, &'static str> {
    if text.len() > MAX_TOKEN {
        return Err("it is far too long");
    }
    let mut parts = text.split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it does not have three parts with dots between them");
    };
    let json = URL_SAFE_NO_PAD
        .decode(payload)
        .map_err(|_| "its middle part is not base64")?;
    let claims: Claims = serde_json::from_slice(&json)
        .map_err(|_| "its middle part has not iss, sub and exp as they must be")?;
    if claims.iss.is_empty() || claims.sub.is_empty() {
        return Err("its issuer or its subject is empty");
    }
    let unverified = [Flag::Bool(false), Flag::Text("false".to_owned())];
    if claims
        .email_verified
        .as_ref()
        .is_some_and(|flag| unverified.contains(flag))
    {
        return Err("its address of mail was not verified by the identity provider");
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn token(claims: Value) -> Result<IdentityToken, SigningError> {
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        IdentityToken::parse(format!("e30.{payload}.c2ln\n").into())
    }

    fn identity(subject: &str, issuer: &str) -> Identity {
        Identity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        }
    }

    #[test]
    fn a_token_is_read_and_never_shown() {
        let token = token(json!({ "iss": "https://i", "sub": "s", "exp": 2_000_000_000 })).unwrap();
        assert_eq!(token.name(), "s");
        assert_eq!(format!("{token:?}"), "IdentityToken(s (by https://i))");
        assert!(token.expose().ends_with("c2ln"), "it is not trimmed");
    }

    #[test]
    fn what_is_not_a_token_is_refused() {
        for text in ["", "a.b", "a.b.c.d", "a.!.c", "a.e30.c"] {
            let error = IdentityToken::parse(text.into()).unwrap_err();
            assert!(matches!(error, SigningError::Token(_)), "{text}: {error}");
        }
        let long = "a".repeat(MAX_TOKEN + 1);
        assert!(IdentityToken::parse(long.into()).is_err());
        let unverified = json!({ "iss": "i", "sub": "s", "exp": 1, "email": "e@e.test", "email_verified": "false" });
        assert!(token(unverified).is_err());
        assert!(token(json!({ "iss": "", "sub": "s", "exp": 1 })).is_err());
    }

    #[test]
    fn a_token_ends_at_its_time() {
        let token = token(json!({ "iss": "i", "sub": "s", "exp": 1000 })).unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(token.check_time(at(999)).is_ok());
        assert!(matches!(
            token.check_time(at(1000)),
            Err(SigningError::TokenExpired(_))
        ));
    }

    #[test]
    fn a_certificate_for_somebody_else_is_told() {
        let claims = json!({
            "iss": "https://dex", "sub": "opaque", "exp": 1, "email": "me@e.test", "email_verified": true,
            "federated_claims": { "connector_id": "https://login" }
        });
        let token = token(claims).unwrap();
        assert!(token.check(&identity("me@e.test", "https://dex")).is_ok());
        assert!(token.check(&identity("me@e.test", "https://login")).is_ok());
        assert!(token.check(&identity("you@e.test", "https://dex")).is_err());
        assert!(
            token
                .check(&identity("me@e.test", "https://other"))
                .is_err()
        );
    }
}
