//! Why what a controller gave out for a sealed secret is not used. Carries no part of a value.

use wharf_bundle::Refusal;

use super::{Label, PutAt, SealError};
use crate::StoreError;

/// Why what was given out for a sealed secret is not used.
#[derive(Debug, thiserror::Error)]
pub enum SealedRefusal {
    /// It is not even one.
    #[error("{0}")]
    Unusable(String),
    /// It is signed by nobody who may put secrets there.
    #[error(
        "it is signed by nobody who may put secrets there ({0}): if you trust the signer, name the file of their public key in `keys` of its [store.NAME] block"
    )]
    Stranger(String),
    /// Its signature is not good.
    #[error("{0}")]
    Signature(Refusal),
    /// It does not open here.
    #[error("{0}")]
    Sealed(#[from] SealError),
    /// It was put in a future that would keep out everything that is put after it.
    #[error(
        "it was put at {0}, more than a day from now: set the clock of whoever put it, or this runner's, and put it again"
    )]
    Future(PutAt),
    /// It opens, and an older one than was used before would be used, or could be later.
    #[error("{0}")]
    NotTaken(#[from] NotTaken),
}

/// Why a sealed secret is not used although it opens.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// A newer one was used before.
    #[error(
        "it was put at {put}, and this runner has already used one that was put at {newest}: somebody gives out an old value; if it is the right one, put it again with `wharf secret put`, or {forget}"
    )]
    Older {
        /// When this one was put.
        put: PutAt,
        /// When the newest was put.
        newest: PutAt,
        /// How the runner is made to forget that one.
        forget: String,
    },
    /// It cannot be remembered.
    #[error("this runner cannot remember that it has used it: {0}")]
    Unwritten(String),
}

impl SealedRefusal {
    /// When it was put, where that is why: its signature is good, so the operator says it.
    pub const fn put(&self) -> Option<PutAt> {
        match self {
            Self::Future(put) | Self::NotTaken(NotTaken::Older { put, .. }) => Some(*put),
            _ => None,
        }
    }

    /// When the newest that was used was put, where that is why.
    pub const fn newest(&self) -> Option<PutAt> {
        match self {
            Self::NotTaken(NotTaken::Older { newest, .. }) => Some(*newest),
            _ => None,
        }
    }

    /// As whoever asked for the value of that label is told it.
    pub(super) fn told(self, label: &Label) -> StoreError {
        let unusable = |why: String| StoreError::BadAnswer("the controller".to_owned(), why);
        match self {
            Self::Sealed(error @ SealError::NotForThisRunner(..)) => {
                StoreError::Denied(label.to_string(), error.to_string())
            }
            // These two say themselves what they are about.
            why @ (Self::Unusable(_) | Self::Sealed(_)) => unusable(why.to_string()),
            why @ (Self::Stranger(_) | Self::Signature(_) | Self::Future(_)) => {
                unusable(format!("{label}: {why}"))
            }
            Self::NotTaken(why) => StoreError::NotTaken {
                what: label.to_string(),
                why,
            },
        }
    }
}

impl From<Refusal> for SealedRefusal {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // What a policy says of signers of plugins is not about these.
            Refusal::UnknownSigner { hint, .. } => Self::Stranger(hint),
            other => Self::Signature(other),
        }
    }
}
