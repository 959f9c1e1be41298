//! A rule as it was read, for people and programs that ask what a policy means: all of it that decides.

use serde::Serialize;
use wharf_policy::{Digest, Moment, NamePattern, TrustedIdentity};

use super::proof;
use super::rule::Rule;
use super::signers::Signers;

/// One rule, for `wharf policy check`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RuleSummary {
    /// The patterns of the rule.
    pub plugins: Vec<String>,
    /// Its keys.
    pub keys: Vec<KeySummary>,
    /// Its identities.
    pub identities: Vec<TrustedIdentity>,
    /// What it wants attested.
    pub attestations: Vec<AttestationSummary>,
    /// How many must have signed.
    pub require: u32,
    /// The trusted root it verifies with.
    pub trusted_root: String,
    /// What must prove that a signature was made, as a policy writes it, if the rule says that.
    pub evidence: Option<&'static str>,
    /// The oldest version that it lets in.
    pub minimum_version: Option<semver::Version>,
    /// Whether it lets in what is older than what was run before.
    pub allow_older: bool,
    /// The components that it keeps out.
    pub denied_digests: Vec<Digest>,
    /// If there are any, the only components that it lets in.
    pub pinned_digests: Vec<Digest>,
    /// When it ends.
    pub valid_until: Option<Moment>,
}

/// One key of a rule.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeySummary {
    /// As the policy names it.
    pub path: String,
    /// The SHA-256 of its SubjectPublicKeyInfo.
    pub fingerprint: Digest,
    /// From when on it is trusted.
    pub not_before: Option<Moment>,
    /// Until when it is trusted.
    pub not_after: Option<Moment>,
}

/// One attestation that a rule asks for, and any one of whom may have made it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AttestationSummary {
    /// What is attested.
    #[serde(rename = "type")]
    pub predicate_type: String,
    /// Their keys.
    pub keys: Vec<KeySummary>,
    /// Their identities.
    pub identities: Vec<TrustedIdentity>,
}

impl Rule {
    pub(super) fn summary(&self) -> RuleSummary {
        let rule = &self.rule;
        RuleSummary {
            plugins: rule.plugins.iter().map(NamePattern::to_string).collect(),
            keys: keys(&self.signers),
            identities: self.signers.identities.clone(),
            attestations: self
                .demands
                .iter()
                .map(|demand| AttestationSummary {
                    predicate_type: demand.predicate_type.clone(),
                    keys: keys(&demand.signers),
                    identities: demand.signers.identities.clone(),
                })
                .collect(),
            require: rule.require.get(),
            trusted_root: self.root.name().to_owned(),
            evidence: rule.evidence.map(proof::name),
            minimum_version: rule.minimum_version.clone(),
            allow_older: rule.allow_older,
            denied_digests: rule.denied_digests.clone(),
            pinned_digests: rule.pinned_digests.clone(),
            valid_until: rule.valid_until,
        }
    }
}

fn keys(signers: &Signers) -> Vec<KeySummary> {
    let keys = signers.keys.iter();
    keys.map(|(trusted, key)| KeySummary {
        path: trusted.path.clone(),
        fingerprint: key.fingerprint(),
        not_before: trusted.not_before,
        not_after: trusted.not_after,
    })
    .collect()
}
