//! What a rule asks for as proof of a signature, and which line of it would be content with less.

use wharf_policy::EvidenceRule;

use crate::sigstore::{Bundle, Said};

/// As a policy writes it.
pub(super) fn name(evidence: EvidenceRule) -> &'static str {
    match evidence {
        EvidenceRule::Any => "any",
        EvidenceRule::Log => "log",
        EvidenceRule::Timestamp => "timestamp",
        EvidenceRule::LogAndTimestamp => "log-and-timestamp",
    }
}

/// Who signed, and what comes with the signature to prove when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    by_key: bool,
    logged: bool,
    stamped: bool,
}

impl Proof {
    pub(super) fn of(bundle: &Bundle) -> Self {
        Self {
            by_key: matches!(bundle.said(), Said::Key(_)),
            logged: bundle.is_logged(),
            stamped: bundle.is_stamped(),
        }
    }

    /// The line of a block with that `evidence` that would let in what proves no more than this; or that
    /// none would.
    pub(super) fn line(self, asked: Option<EvidenceRule>) -> String {
        match (self, asked) {
            (Self { by_key: true, .. }, Some(asked)) => format!(
                "what asks for that is `evidence = \"{}\"` in its [[trust]] block: without that line a key needs neither a log entry nor a timestamp",
                name(asked)
            ),
            // What an identity signed is proven by a time alone, where a block says so.
            (Self { stamped: true, .. }, asked) if asked != Some(EvidenceRule::Timestamp) => {
                "if its signer has no log, `evidence = \"timestamp\"` in its [[trust]] block lets it in"
                    .to_owned()
            }
            (
                Self { logged: true, .. },
                Some(EvidenceRule::Timestamp | EvidenceRule::LogAndTimestamp),
            ) => "if the log alone is enough, `evidence = \"log\"` in its [[trust]] block lets it in"
                .to_owned(),
            _ => "no line of a policy lets in what proves no time".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: [Option<EvidenceRule>; 5] = [
        None,
        Some(EvidenceRule::Any),
        Some(EvidenceRule::Log),
        Some(EvidenceRule::Timestamp),
        Some(EvidenceRule::LogAndTimestamp),
    ];

    #[test]
    fn a_key_that_proves_too_little_is_told_the_line_to_take_out() {
        for asked in ASKED.into_iter().flatten() {
            for (logged, stamped) in [(false, false), (true, false), (false, true)] {
                let proof = Proof {
                    by_key: true,
                    logged,
                    stamped,
                };
                let line = proof.line(Some(asked));
                let asks = format!("`evidence = \"{}\"`", name(asked));
                assert!(line.contains(&asks) && line.contains("without"), "{line}");
            }
        }
    }

    #[test]
    fn an_identity_that_proves_too_little_is_told_only_what_would_let_it_in() {
        for asked in ASKED {
            for (logged, stamped) in [(false, false), (true, false), (false, true)] {
                let proof = Proof {
                    by_key: false,
                    logged,
                    stamped,
                };
                let line = proof.line(asked);
                let told = ["timestamp", "log"]
                    .into_iter()
                    .find(|name| line.contains(&format!("`evidence = \"{name}\"`")));
                match told {
                    Some("timestamp") => assert!(stamped, "{line}"),
                    Some(_) => assert!(logged, "{line}"),
                    None => assert!(line.contains("no line of a policy"), "{line}"),
                }
                assert!(told.is_none() || told != asked.map(name), "{line}");
            }
        }
    }
}
