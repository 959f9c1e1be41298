//! Hashes, heads, and what makes a line the next one. Pure: no file, no clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Fault;
use crate::line::Links;

/// The SHA-256 of one line, without its line end. 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LineHash([u8; 32]);

impl LineHash {
    /// What the first line of a chain has before it.
    pub const NONE: Self = Self([0; 32]);

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a line.
    pub fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LineHash {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if lower => Ok(Self(bytes)),
            _ => Err("a hash is 64 lower-case hexadecimal digits".to_owned()),
        }
    }
}

impl TryFrom<String> for LineHash {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<LineHash> for String {
    fn from(hash: LineHash) -> Self {
        hash.to_string()
    }
}

/// Where a chain ends: the number of its last line and the hash of it. Known elsewhere, it shows
/// whether everything up to there is still as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last line, from 0.
    pub seq: u64,
    /// The hash of the last line.
    pub hash: LineHash,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("`{text}` is not a head: write NUMBER:HASH, as `wharf audit verify` prints it")
        };
        let (seq, hash) = text.split_once(':').ok_or_else(bad)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| bad())?,
            hash: hash.parse().map_err(|_| bad())?,
        })
    }
}

/// A chain as far as it has been followed: what the next line must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) next: u64,
    pub(crate) prev: LineHash,
}

impl Chain {
    /// Before the first line of all.
    pub(crate) const START: Self = Self {
        next: 0,
        prev: LineHash::NONE,
    };

    /// Where it ends, if it has a line.
    pub(crate) fn head(&self) -> Option<Head> {
        let seq = self.next.checked_sub(1)?;
        let hash = self.prev;
        Some(Head { seq, hash })
    }

    /// The chain behind this line.
    ///
    /// # Errors
    /// No number is left for the line after it. Nobody writes so many.
    pub(crate) fn with(&self, line: &[u8]) -> Result<Self, Fault> {
        Ok(Self {
            next: self.next.checked_add(1).ok_or(Fault::LastNumber)?,
            prev: LineHash::of(line),
        })
    }

    /// Whether a line is the next one.
    pub(crate) fn accepts(&self, links: &Links) -> Result<(), Fault> {
        if links.prev != self.prev {
            return Err(Fault::Broken {
                expected: self.prev,
                found: links.prev,
            });
        }
        if links.seq != self.next {
            return Err(Fault::Number {
                expected: self.next,
                found: links.seq,
            });
        }
        Ok(())
    }
}
