//! Signing: an HMAC of the body, or of a timestamp and the body, in a header.

use schemars::JsonSchema;
use serde::Deserialize;
use wharf_plugin::Error;
use wharf_plugin::http::Request;
use wharf_plugin::secrets::{Digest, Secret};

/// How to sign. The receiver computes the same with its copy of the key and compares.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sign {
    /// The name of the secret that is the key. It needs to be granted for `operate`.
    secret: String,

    /// The digest function of the HMAC.
    #[serde(default)]
    algorithm: Algorithm,

    /// The header that carries the signature.
    #[serde(default = "signature_header")]
    header: String,

    /// What stands before the signature, which is in lower-case hexadecimal. The name of the digest
    /// and `=` if left out, such as `sha256=`.
    #[serde(default)]
    prefix: Option<String>,

    /// A header that carries the time of signing, in seconds since 1970. If there is one, what is
    /// signed is the time, a `.` and the body, so that a receiver can refuse what is old.
    #[serde(default)]
    timestamp_header: Option<String>,
}

fn signature_header() -> String {
    "x-wharf-signature".into()
}

/// A digest function.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Algorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    fn digest(self) -> (Digest, &'static str) {
        match self {
            Self::Sha256 => (Digest::Sha256, "sha256="),
            Self::Sha384 => (Digest::Sha384, "sha384="),
            Self::Sha512 => (Digest::Sha512, "sha512="),
        }
    }
}

impl Sign {
    /// The request with its signature, made at `now`, in seconds since 1970.
    pub(crate) fn apply(&self, mut request: Request, now: u64) -> Result<Request, Error> {
        let (digest, default_prefix) = self.algorithm.digest();
        let prefix = self.prefix.as_deref().unwrap_or(default_prefix);
        let mut message = Vec::new();
        if let Some(header) = &self.timestamp_header {
            message.extend_from_slice(format!("{now}.").as_bytes());
            request = request.header(header, now.to_string());
        }
        message.extend_from_slice(request.body_bytes().unwrap_or_default());
        let mac = Secret::open(&self.secret)?.hmac(digest, &message)?;
        Ok(request.header(&self.header, format!("{prefix}{}", mac.hex())))
    }
}
