//! What comes with a component and is to vouch for it: its signatures, and where the policy asks for
//! them its attestations. Nothing here is verified.

use wharf_bundle::{Beside, MAX_ATTESTATION_FILE, MAX_SIGNATURE_FILE};

/// One kind of paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Signatures,
    Attestations,
}

impl Kind {
    /// What the name of its file ends with, beside that of the component.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Signatures => ".sigstore.json",
            Self::Attestations => ".attestations.jsonl",
        }
    }

    /// The most bytes of it.
    pub(crate) const fn limit(self) -> usize {
        match self {
            Self::Signatures => MAX_SIGNATURE_FILE,
            Self::Attestations => MAX_ATTESTATION_FILE,
        }
    }
}

/// The papers of one component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Papers {
    pub(crate) signatures: Option<Vec<u8>>,
    pub(crate) attestations: Option<Vec<u8>>,
}

impl Papers {
    /// Each kind, as it is found.
    pub(crate) fn each(mut find: impl FnMut(Kind) -> Option<Vec<u8>>) -> Self {
        Self {
            signatures: find(Kind::Signatures),
            attestations: find(Kind::Attestations),
        }
    }

    /// Those that are there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        let signatures = self.signatures.as_deref();
        let attestations = self.attestations.as_deref();
        let signatures = signatures.map(|bytes| (Kind::Signatures, bytes));
        let attestations = attestations.map(|bytes| (Kind::Attestations, bytes));
        signatures.into_iter().chain(attestations)
    }

    /// These, and the others' where there is none of a kind: whoever keeps one back takes nothing away.
    pub(crate) fn or(self, others: &Self) -> Self {
        Self {
            signatures: self.signatures.or_else(|| others.signatures.clone()),
            attestations: self.attestations.or_else(|| others.attestations.clone()),
        }
    }

    /// As the verifier takes them.
    pub(crate) fn beside(&self) -> Beside<'_> {
        Beside {
            signatures: self.signatures.as_deref(),
            attestations: self.attestations.as_deref(),
        }
    }
}
