//! Secrets, as far as a plugin meets them. *Operate* is here: the host computes with the secret
//! and the plugin gets the result. *Attach* is [`crate::http::Credential`], and *reveal*, the
//! value itself, is [`crate::reveal`]. *Inject*, the usual one, needs nothing of the plugin.
//!
//! Which operations a key may be used for is the operator's word. A request that the host
//! authenticates with a secret is sent by [`crate::http::Client::authenticated`].
//!
//! Needs `secrets = [{ name = "…", rungs = ["operate"] }]` under `[capabilities]` in plugin.toml.

mod jwt;
mod sign;

use std::fmt;

use crate::error::Error;
use crate::host;

pub use jwt::{Jwt, JwtAlgorithm};
pub use sign::SignatureAlgorithm;

/// A digest function of the SHA-2 family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

/// What a plugin wanted to do with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rung {
    /// Put it on a request without seeing it.
    Attach,
    /// Have the host compute with it.
    Operate,
    /// See the value.
    Reveal,
}

/// Why a secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretError {
    /// Not granted.
    Denied {
        /// The name of the secret.
        name: String,
        /// What it was wanted for.
        rung: Rung,
    },
    /// The store has no secret of that name.
    NotFound(String),
    /// The store does not answer now. Carries the name of the secret.
    Unavailable(String),
    /// What was asked is malformed, or the secret is not a key of the kind that it needs.
    Invalid {
        /// The name of the secret.
        name: String,
        /// What is wrong.
        why: String,
    },
}

/// A handle on a secret. It cannot be read, printed or sent, and ends with the execution.
///
/// ```no_run
/// use wharf_plugin::secrets::{Digest, Secret};
/// # fn sign() -> Result<(), wharf_plugin::Error> {
/// let signature = Secret::open("webhook-key")?.hmac(Digest::Sha256, b"body")?.hex();
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Secret {
    name: String,
    handle: host::SecretHandle,
}

/// A message authentication code. Not itself secret: it goes beside the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac(Vec<u8>);

impl Secret {
    /// Takes a handle on the secret of that name.
    pub fn open(name: &str) -> Result<Self, SecretError> {
        let handle = host::secret_open(name)?;
        Ok(Self {
            name: name.to_owned(),
            handle,
        })
    }

    /// The name it was opened by.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// HMAC (RFC 2104) of a message, keyed with the secret, which has at least 16 bytes.
    pub fn hmac(&self, digest: Digest, message: &[u8]) -> Result<Mac, SecretError> {
        host::secret_hmac(&self.handle, &self.name, digest, message).map(Mac)
    }

    /// A signature of a message. The secret is a private key.
    pub fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
    ) -> Result<Vec<u8>, SecretError> {
        host::secret_sign(&self.handle, &self.name, algorithm, message)
    }

    /// A signed JSON Web Token, in its compact form. A shared key is at least as long as the digest of the
    /// algorithm (32 bytes for `HS256`).
    ///
    /// ```no_run
    /// use wharf_plugin::secrets::{Jwt, Secret};
    /// # fn token() -> Result<(), wharf_plugin::Error> {
    /// let claims = serde_json::json!({ "iss": "my-app" });
    /// let token = Secret::open("app-key")?.jwt(&Jwt::new(&claims)?)?;
    /// # Ok(()) }
    /// ```
    pub fn jwt(&self, token: &Jwt) -> Result<String, SecretError> {
        host::secret_jwt(&self.handle, &self.name, token)
    }

    pub(crate) fn handle(&self) -> &host::SecretHandle {
        &self.handle
    }
}

impl Mac {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lower-case hexadecimal.
    #[must_use]
    pub fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 0xf)]);
        self.0
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
            .collect()
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Attach => "attach",
            Self::Operate => "operate",
            Self::Reveal => "reveal",
        })
    }
}

impl fmt::Display for SecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { name, rung } => write!(f, "{rung} of the secret `{name}`"),
            Self::NotFound(name) => write!(
                f,
                "the secret store has no `{name}`; add it to the store, or correct the name"
            ),
            Self::Unavailable(name) => {
                write!(
                    f,
                    "the secret store does not answer now, asked for `{name}`"
                )
            }
            Self::Invalid { name, why } => write!(f, "the secret `{name}`: {why}"),
        }
    }
}

impl std::error::Error for SecretError {}

impl From<SecretError> for Error {
    fn from(error: SecretError) -> Self {
        match &error {
            SecretError::Denied { .. } => Self::denied(error.to_string()),
            SecretError::NotFound(_) => Self::failed("secret-not-found", error),
            SecretError::Invalid { .. } => Self::failed("secret-invalid", error),
            SecretError::Unavailable(_) => Self::unavailable(None).with_details(error.to_string()),
        }
    }
}
