//! What this runner would not run, for its operator: of which kind, and the last few with the
//! reason. The controller is told of each, and the audit record of each or of how many; this is for
//! a glance.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use wharf_bundle::Refusal;
use wharf_engine::Refused;
use wharf_policy::Digest;
use wharf_protocol::AttemptKey;

use crate::audit::Asked;
use crate::status::now_ms;

/// Refusals that are remembered.
const REMEMBERED: usize = 10;
/// The longest text that is.
const TEXT: usize = 1 << 10;

/// Why something is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// There is no signature.
    Unsigned,
    /// The signature is damaged, or of other bytes.
    Signature,
    /// Not enough of those who are trusted for that name signed it.
    Untrusted,
    /// The version or the digest is not to run.
    Version,
    /// It is trusted, and is not a plugin that can be run.
    Bundle,
    /// It is another plugin than was asked for.
    Name,
    /// It needs more than is granted.
    Grant,
    /// Anything else.
    Other,
}

impl RefusalKind {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unsigned,
        Self::Signature,
        Self::Untrusted,
        Self::Version,
        Self::Bundle,
        Self::Name,
        Self::Grant,
        Self::Other,
    ];

    /// As metrics and scripts have it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signature => "signature",
            Self::Untrusted => "untrusted",
            Self::Version => "version",
            Self::Bundle => "bundle",
            Self::Name => "name",
            Self::Grant => "grant",
            Self::Other => "other",
        }
    }

    pub(crate) fn of_trust(why: &Refusal) -> Self {
        match why {
            Refusal::Unsigned => Self::Unsigned,
            Refusal::MalformedSignature(_)
            | Refusal::Tampered { .. }
            | Refusal::Altered { .. }
            | Refusal::NotProven(_)
            | Refusal::TooLittleProof { .. } => Self::Signature,
            Refusal::NoTrust
            | Refusal::UnknownSigner { .. }
            | Refusal::NotTrustedForName { .. }
            | Refusal::KeyNotTrustedNow { .. }
            | Refusal::TooFewSigners { .. }
            | Refusal::Unattested { .. }
            | Refusal::MalformedAttestations(_)
            | Refusal::AttestationOfAnother { .. }
            | Refusal::RuleEnded { .. } => Self::Untrusted,
            Refusal::RolledBack { .. }
            | Refusal::NotPinned { .. }
            | Refusal::TooOld { .. }
            | Refusal::DeniedDigest(_) => Self::Version,
            Refusal::BadManifest(_) => Self::Bundle,
        }
    }

    /// None for an input that does not fit: that is the caller's.
    pub(crate) fn of_engine(why: &Refused) -> Option<Self> {
        match why {
            Refused::Input(_) => None,
            Refused::NotGranted { .. }
            | Refused::MemoryTooLarge { .. }
            | Refused::TablesTooLarge { .. } => Some(Self::Grant),
            Refused::UnknownAction { .. }
            | Refused::UnknownImport { .. }
            | Refused::Mismatch(_) => Some(Self::Bundle),
        }
    }
}

/// A plugin or an action that was not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentRefusal {
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Of which kind.
    pub kind: RefusalKind,
    /// What was asked for, in the words of who asked. Nothing of it is verified.
    pub plugin: String,
    /// The component that was asked for.
    pub digest: Digest,
    /// For which execution.
    pub execution: String,
    /// Why, and what would allow it.
    pub reason: String,
}

/// The last few.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<RecentRefusal>);

impl Recent {
    pub(crate) fn add(&mut self, key: AttemptKey, asked: &Asked, kind: RefusalKind, reason: &str) {
        self.0.truncate(REMEMBERED - 1);
        self.0.push_front(RecentRefusal {
            time_ms: now_ms(),
            kind,
            plugin: cut(&asked.plugin),
            digest: asked.digest,
            execution: key.execution.to_string(),
            reason: cut(reason),
        });
    }

    /// The newest first.
    pub(crate) fn list(&self) -> Vec<RecentRefusal> {
        self.0.iter().cloned().collect()
    }
}

fn cut(text: &str) -> String {
    match text.len() > TEXT {
        true => format!("{}…", &text[..text.floor_char_boundary(TEXT)]),
        false => text.to_owned(),
    }
}
