//! Why a bundle does not vouch for an artifact. There is no way on from a rejection.

/// Why verification failed: what was looked at, what is wrong with it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not a Sigstore bundle as the specification has it.
    #[error("the bundle is malformed: {0}")]
    Malformed(String),
    /// A bundle of a kind that is not understood. It may be a good one, for another verifier.
    #[error("the bundle cannot be checked here: {0}")]
    Unsupported(String),
    /// A key where a certificate is expected, or the other way round.
    #[error("{0}")]
    WrongSigner(String),
    /// Signed, but something else.
    #[error("the signature is not about this artifact: {0}")]
    WrongArtifact(String),
    /// The signature was not made by that key over those bytes.
    #[error("the signature does not verify: {0}")]
    BadSignature(String),
    /// The certificate was not issued, or was not valid, or is not for signing.
    #[error("the certificate does not verify: {0}")]
    Certificate(String),
    /// A good certificate of somebody else.
    #[error(
        "it was signed by somebody else: the certificate is for {actual}, and {expected} was asked for"
    )]
    WrongIdentity {
        /// Who was asked for.
        expected: String,
        /// Whose the certificate is.
        actual: String,
    },
    /// A log entry that does not prove what it should.
    #[error("the log entry does not verify: {0}")]
    Log(String),
    /// A timestamp that does not prove what it should.
    #[error("the timestamp does not verify: {0}")]
    Timestamp(String),
    /// Everything that is there verifies, and it is not enough.
    #[error("the bundle does not prove enough: {0}")]
    NotEnough(String),
}

impl Rejection {
    /// One word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::Unsupported(_) => "unsupported",
            Self::WrongSigner(_) => "wrong-signer",
            Self::WrongArtifact(_) => "wrong-artifact",
            Self::BadSignature(_) => "bad-signature",
            Self::Certificate(_) => "certificate",
            Self::WrongIdentity { .. } => "wrong-identity",
            Self::Log(_) => "log",
            Self::Timestamp(_) => "timestamp",
            Self::NotEnough(_) => "not-enough",
        }
    }
}

/// A trusted root that cannot be used. Nothing is verified without one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// The file cannot be read.
    #[error("the trusted root {path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// Not a trusted root, or one with a part that cannot be used.
    #[error(
        "this is not a usable Sigstore trusted root: {0}; export one with `cosign trusted-root create` or take it from the instance's TUF repository"
    )]
    Unusable(String),
}
