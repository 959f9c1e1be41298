//! Tokens: who may do what. Only the hash of a token is ever kept.

use std::fmt;

use serde::{Deserialize, Serialize};
use wharf_protocol::GroupName;

use super::Micros;

/// What the holder of an API token may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Read.
    Reader,
    /// Submit, cancel, publish.
    Operator,
    /// Groups, tokens, runners.
    Admin,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader => "reader",
            Self::Operator => "operator",
            Self::Admin => "admin",
        })
    }
}

/// The SHA-256 hash of a token. Looking a token up by it gives nothing away about the token
/// through the time that the comparison takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// To enrol runners into a group.
    Enrolment(GroupName),
    /// To use the API.
    Api(Role),
}

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRecord {
    /// Its hash.
    pub(crate) hash: TokenHash,
    /// What it is for.
    pub(crate) kind: TokenKind,
    /// When it ends; none for never.
    pub(crate) expires: Option<Micros>,
    /// For people.
    pub(crate) note: String,
    /// When it was made.
    pub(crate) created: Micros,
}
