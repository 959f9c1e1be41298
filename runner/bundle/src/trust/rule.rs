//! One `[[trust]]` block with what it names read, and what it decides.

use std::sync::Arc;

use wharf_policy::{Digest, EvidenceRule, Moment, PluginName, TrustRule, TrustedKey};

use super::attested::{Attested, Demand};
use super::proof::Proof;
use super::signers::{Not, Signers, With};
use super::{Reasons, Signer, Term};
use crate::sigstore::{Artifact, Evidence, Rejection, RootError, TrustRoot};
use crate::{KeyError, PublicKey, Refusal, SignatureFile, TrustError};

#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) rule: TrustRule,
    pub(super) signers: Signers,
    pub(super) demands: Vec<Demand>,
    pub(super) root: Arc<TrustRoot>,
}

impl Rule {
    pub(super) fn read(
        rule: &TrustRule,
        key: impl Fn(&str) -> Result<PublicKey, KeyError>,
        root: impl Fn(&str) -> Result<TrustRoot, RootError>,
        public_good: Option<&Arc<TrustRoot>>,
    ) -> Result<Self, TrustError> {
        if rule.plugins.is_empty() {
            return Err(TrustError::NoPlugins);
        }
        if rule.keys.is_empty() && rule.identities.is_empty() {
            return Err(TrustError::NoSigners(rule.named()));
        }
        let unreadable = |(key, why)| TrustError::Key {
            plugins: rule.named(),
            key,
            why,
        };
        let signers = Signers::read(&rule.keys, &rule.identities, &key).map_err(unreadable)?;
        let mut demands = Vec::new();
        for wanted in &rule.attestations {
            let signers = match wanted.is_by_signers_of_the_block() {
                true => signers.clone(),
                false => {
                    Signers::read(&wanted.keys, &wanted.identities, &key).map_err(unreadable)?
                }
            };
            demands.push(Demand {
                predicate_type: wanted.predicate_type.clone(),
                signers,
            });
        }
        let unusable = |name: &str, why| TrustError::Root {
            plugins: rule.named(),
            root: name.to_owned(),
            why,
        };
        let root = match (&rule.trusted_root, public_good) {
            (Some(path), _) => Arc::new(root(path).map_err(|why| unusable(path, why))?),
            (None, Some(public_good)) => Arc::clone(public_good),
            (None, None) => {
                let why = RootError::Unusable("none is given".to_owned());
                return Err(unusable("public-good", why));
            }
        };
        // The same key under two names is one signer, whatever `require` says.
        let distinct = signers.distinct();
        if (rule.require.get() as usize) > distinct {
            return Err(TrustError::TooFewSigners {
                plugins: rule.named(),
                require: rule.require.get(),
                signers: distinct,
            });
        }
        Ok(Self {
            rule: rule.clone(),
            signers,
            demands,
            root,
        })
    }

    pub(super) fn covers(&self, name: &PluginName) -> bool {
        self.rule
            .plugins
            .iter()
            .any(|pattern| pattern.matches(name))
    }

    pub(super) fn minimum_version(&self) -> Option<&semver::Version> {
        self.rule.minimum_version.as_ref()
    }

    pub(super) fn denies(&self, digest: Digest) -> bool {
        self.rule.denied_digests.contains(&digest)
    }

    pub(super) fn pins_others(&self, digest: Digest) -> bool {
        let pinned = &self.rule.pinned_digests;
        !pinned.is_empty() && !pinned.contains(&digest)
    }

    pub(super) fn lets_older(&self, digest: Digest) -> bool {
        self.rule.allow_older || self.rule.pinned_digests.contains(&digest)
    }

    /// Who of the signers of this rule signed.
    pub(super) fn proven(
        &self,
        artifact: &Artifact<'_>,
        file: &SignatureFile,
        now: Moment,
        reasons: &mut Reasons,
    ) -> Vec<Signer> {
        let mut signers = Vec::new();
        for signature in file.signatures() {
            let (made, others) = self.signers.who_made(signature, artifact, self.with(now));
            signers.extend(made);
            for why in others {
                match why {
                    Not::Proven(Rejection::NotEnough(why)) => {
                        let line = Proof::of(signature).line(self.rule.evidence);
                        reasons.tell(Refusal::TooLittleProof { why, line });
                    }
                    why => reasons.add_of(why, now),
                }
            }
        }
        signers
    }

    /// The types of what it wants attested.
    pub(super) fn wants_attested(&self) -> impl Iterator<Item = &str> {
        let demands = self.demands.iter();
        demands.map(|demand| demand.predicate_type.as_str())
    }

    /// Whether all is attested that it wants attested, now.
    pub(super) fn check_attested(
        &self,
        attested: &Attested<'_>,
        now: Moment,
    ) -> Result<(), Refusal> {
        let mut demands = self.demands.iter();
        demands.try_for_each(|demand| demand.check(attested, self.with(now)))
    }

    /// Whether these signers are enough, now.
    pub(super) fn satisfied_by(
        &self,
        name: &PluginName,
        signers: &[Signer],
        now: Moment,
    ) -> Result<(), Refusal> {
        if let Some(until) = self.rule.valid_until
            && now >= until
        {
            return Err(Refusal::RuleEnded {
                plugins: self.rule.named(),
                until,
                at: now,
            });
        }
        // By who it is: one may have signed twice, or have two names here.
        let mut distinct: Vec<&Signer> = Vec::new();
        for signer in signers {
            if !distinct.iter().any(|known| known.who == signer.who) {
                distinct.push(signer);
            }
        }
        let require = self.rule.require.get();
        if distinct.len() < require as usize {
            return Err(Refusal::TooFewSigners {
                name: name.clone(),
                require,
                signed: distinct.iter().map(|one| one.name.clone()).collect(),
            });
        }
        Ok(())
    }

    /// Shortens a term to that of this rule, which these signers satisfied: to the first end of the
    /// block, of a key of theirs, or of a key that may have attested what it wants attested.
    pub(super) fn shorten(&self, term: &mut Term, signers: &[Signer], now: Moment) {
        let signed = |key: &TrustedKey| signers.iter().any(|signer| signer.name == key.path);
        let keys = self.signers.keys.iter().filter(|(key, _)| signed(key));
        let attesting = self.demands.iter().flat_map(|demand| &demand.signers.keys);
        for (key, _) in keys.chain(attesting) {
            // One whose time is over, or has not come, let in nothing.
            if key.is_trusted_at(now) {
                term.end_with_key(key.not_after);
            }
        }
        term.end_with_block(self.rule.valid_until);
    }

    /// What every bundle is verified with that this rule is asked about.
    fn with(&self, now: Moment) -> With<'_> {
        let evidence = |without| match self.rule.evidence {
            None => without,
            Some(EvidenceRule::Any) => Evidence::Any,
            Some(EvidenceRule::Log) => Evidence::Log,
            Some(EvidenceRule::Timestamp) => Evidence::Timestamp,
            Some(EvidenceRule::LogAndTimestamp) => Evidence::LogAndTimestamp,
        };
        With {
            root: &self.root,
            evidence: (evidence(Evidence::KeyAlone), evidence(Evidence::Log)),
            now,
        }
    }
}
