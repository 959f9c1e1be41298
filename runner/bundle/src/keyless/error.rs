//! Why nothing was signed. Whatever the reason, no bundle was made.

use crate::KeyError;
use crate::sigstore::{Identity, Rejection, RootError};

/// Why a signature was not made.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The address of a service that must not be used.
    #[error("{url:?} cannot be the address of {service}: {why}")]
    Address {
        /// Which service.
        service: &'static str,
        /// The address.
        url: String,
        /// Why not.
        why: &'static str,
    },
    /// The HTTP client cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// Not an identity token.
    #[error(
        "this is not an identity token: {0}; it must be the token itself (a JSON Web Token), from the identity provider or the CI system"
    )]
    Token(&'static str),
    /// A token whose time is over.
    #[error("the identity token expired at {0}: get a new one, and sign at once")]
    TokenExpired(jiff::Timestamp),
    /// A signing configuration that cannot be used.
    #[error("the signing configuration cannot be used: {0}")]
    Config(String),
    /// Nothing would prove when a short-lived certificate signed.
    #[error(
        "a certificate lives for minutes, and nobody is named who says that it signed within them: name a timestamp authority with --timestamp-url, or a log of Rekor v1 with --rekor-url"
    )]
    NoProofOfTime,
    /// A service did not answer, or said that it cannot.
    #[error("{service} at {url} cannot be reached: {why}")]
    Unreachable {
        /// Which service.
        service: &'static str,
        /// Its address.
        url: String,
        /// Why not.
        why: String,
    },
    /// A service said no.
    #[error("{service} at {url} refused ({status}): {said}")]
    Refused {
        /// Which service.
        service: &'static str,
        /// Its address.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what it said.
        said: String,
    },
    /// A service answered something that is not an answer.
    #[error("{service} at {url} answered what it must not: {why}")]
    Answer {
        /// Which service.
        service: &'static str,
        /// Its address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is for somebody else than the token.
    #[error(
        "the certificate authority gave a certificate for {actual}, and the identity token is of {expected}"
    )]
    WrongIdentity {
        /// Whom the token is of.
        expected: String,
        /// Whom the certificate is for.
        actual: Identity,
    },
    /// What came back does not verify against the trusted root.
    #[error(
        "what was signed does not verify, so it is not kept: {0}; is --trusted-root that of these services?"
    )]
    NotVerified(#[from] Rejection),
    /// No trusted root to verify with.
    #[error(transparent)]
    Root(#[from] RootError),
    /// The signing key failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What kind of failure it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningFailure {
    /// It was not asked properly.
    Usage,
    /// Somebody said no, or what came back is not good.
    Refused,
    /// A service is not to be had now.
    Unreachable,
}

impl SigningError {
    /// What kind of failure it is.
    pub fn failure(&self) -> SigningFailure {
        match self {
            Self::Address { .. }
            | Self::Tls(_)
            | Self::Token(_)
            | Self::Config(_)
            | Self::NoProofOfTime
            | Self::Key(_) => SigningFailure::Usage,
            Self::Unreachable { .. } => SigningFailure::Unreachable,
            Self::TokenExpired(_)
            | Self::Refused { .. }
            | Self::Answer { .. }
            | Self::WrongIdentity { .. }
            | Self::NotVerified(_)
            | Self::Root(_) => SigningFailure::Refused,
        }
    }
}
