//! What can be wrong with bytes that were published.

use wharf_policy::Digest;

use crate::{BundleError, KeyError, Refusal};

/// A document or a blob that is not what it must be. Nothing of it is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OciError {
    /// Not the document that it should be.
    #[error("{what} cannot be used: {why}")]
    Malformed {
        /// Which document.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// More bytes than there may be.
    #[error("{what} has {size} bytes, more than the {limit} that are allowed")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// Its size in bytes, as far as it was looked at.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Other bytes than the digest says.
    #[error(
        "{what} is {actual} and should be {expected}: it was changed where it is kept, or on the way"
    )]
    WrongDigest {
        /// Of what.
        what: &'static str,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// Another size than the descriptor says.
    #[error("{what} has {actual} bytes and should have {expected}")]
    WrongSize {
        /// Of what.
        what: &'static str,
        /// The size in the descriptor, in bytes.
        expected: u64,
        /// The size of what came, in bytes, as far as it was looked at.
        actual: u64,
    },
    /// More signatures than anybody needs.
    #[error(
        "it has {0} signatures, more than the 16 that are looked at: have those removed that nobody needs"
    )]
    TooManySignatures(usize),
    /// More attestations than are looked at.
    #[error(
        "it has {0} attestations, more than the 16 that are looked at: have those removed that nobody needs"
    )]
    TooManyAttestations(usize),
    /// What lies beside a plugin that is to be published is not its own.
    #[error("its signatures and attestations cannot be published: {0}")]
    Signature(#[from] Refusal),
    /// What is to be published is not a plugin.
    #[error(transparent)]
    NotAPlugin(#[from] BundleError),
    /// Signing failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl OciError {
    pub(crate) fn malformed(what: &'static str, why: impl ToString) -> Self {
        Self::Malformed {
            what,
            why: why.to_string(),
        }
    }
}
