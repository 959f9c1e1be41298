//! JSON Web Tokens, made and signed by the host.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// The algorithm of a token, by its name in RFC 7518 and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the standards")]
pub enum JwtAlgorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// A token to be made. The operator may have fixed the algorithm, the key id, `iss`, `sub`, `aud`
/// and the longest lifetime: those are added, and asking otherwise is denied.
///
/// ```
/// use std::time::Duration;
/// use serde_json::json;
/// use wharf_plugin::secrets::Jwt;
/// let token = Jwt::new(&json!({ "iss": "my-app" }))?.lifetime(Duration::from_secs(300));
/// # Ok::<(), wharf_plugin::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    pub(crate) claims: String,
    pub(crate) algorithm: Option<JwtAlgorithm>,
    pub(crate) key_id: Option<String>,
    pub(crate) lifetime: Option<u32>,
}

impl Jwt {
    /// A token with these claims, which become a JSON object. `iat` and `exp` are the host's.
    ///
    /// # Errors
    /// They are no object.
    pub fn new(claims: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let claims = serde_json::to_value(claims)?;
        if !matches!(claims, Value::Object(_)) {
            return Err(Error::failed(
                "jwt",
                "the claims of a token must be an object",
            ));
        }
        Ok(Self {
            claims: claims.to_string(),
            algorithm: None,
            key_id: None,
            lifetime: None,
        })
    }

    /// Asks for an algorithm. Without it, the operator's, or the usual one for the kind of key.
    #[must_use]
    pub fn algorithm(mut self, algorithm: JwtAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Names the key in the header.
    #[must_use]
    pub fn key_id(mut self, id: impl Into<String>) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// How long it is valid, in whole seconds. Without it, as long as the operator allows.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX));
        self
    }
}
