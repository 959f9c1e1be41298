//! Why nothing was pushed or pulled.

use wharf_policy::Digest;

use crate::oci::OciError;

/// What an error means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Asked for what there is not, or without what is needed.
    Usage,
    /// What came must not be used, or the registry does not allow it.
    Refused,
    /// The registry cannot be reached, or does not work.
    Unreachable,
}

/// Why nothing was pushed or pulled.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No connection, or no answer in time.
    #[error("{registry} cannot be reached: {why}; is the name right, and is it https?")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why not.
        why: String,
    },
    /// There was a connection, and then no more, however often it was tried.
    #[error("{registry} broke off: {why}; try again, and if that does not help, ask who runs it")]
    BrokeOff {
        /// The registry.
        registry: String,
        /// How.
        why: String,
    },
    /// The registry does not do what was asked.
    #[error("{registry} answered {status} when asked for {what}{said}")]
    Status {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
        /// The status of HTTP.
        status: u16,
        /// What it said, with a separator before it, or nothing.
        said: String,
    },
    /// There is no such thing there.
    #[error("{registry} has no {what}: is the reference right, and may these credentials see it?")]
    NotFound {
        /// The registry.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// Not without credentials, or not with these.
    #[error("{registry} does not allow it: {why}")]
    NotAllowed {
        /// The registry.
        registry: String,
        /// Why not.
        why: String,
    },
    /// An answer that leads somewhere where nothing is sent, or that no registry gives.
    #[error("{registry} cannot be trusted with this: {why}")]
    Misleading {
        /// The registry.
        registry: String,
        /// What it did.
        why: String,
    },
    /// The credentials of this machine cannot be read.
    #[error("the credentials for the registry cannot be had: {0}")]
    Credentials(String),
    /// The client cannot be set up.
    #[error("{0}")]
    Setup(String),
    /// The reference says another digest than the plugin has.
    #[error(
        "the reference says {asked} and the plugin is {actual}: leave the digest out, or take the plugin that it is of"
    )]
    OtherDigest {
        /// What the reference says.
        asked: Digest,
        /// What would be published.
        actual: Digest,
    },
    /// What came, or what should go, is not what it must be.
    #[error(transparent)]
    Oci(#[from] OciError),
}

impl RegistryError {
    /// What it means for whoever asked.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Unreachable { .. } | Self::BrokeOff { .. } => Verdict::Unreachable,
            Self::Status { status, .. } if *status >= 500 || *status == 429 => Verdict::Unreachable,
            Self::NotAllowed { .. } | Self::Misleading { .. } => Verdict::Refused,
            Self::Oci(OciError::NotAPlugin(_)) => Verdict::Usage,
            Self::Oci(_) => Verdict::Refused,
            Self::Status { .. }
            | Self::NotFound { .. }
            | Self::Credentials(_)
            | Self::Setup(_)
            | Self::OtherDigest { .. } => Verdict::Usage,
        }
    }
}
