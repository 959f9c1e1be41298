//! One `[[trust]]` block with what it names read, and what it decides.

use std::sync::Arc;

use wharf_policy::{
    Digest, EvidenceRule, Moment, NamePattern, PluginName, TrustRule, TrustedIdentity, TrustedKey,
};

use super::{Reasons, RuleSummary, Signer};
use crate::sigstore::{
    self, Artifact, Bundle, Evidence, Expected, Identity, Rejection, RootError, Said, TrustRoot,
    VerifyingKey, verify_bundle,
};
use crate::{KeyError, PublicKey, Refusal, SignatureFile, TrustError};

#[derive(Debug, Clone)]
pub(super) struct Rule {
    rule: TrustRule,
    keys: Vec<(TrustedKey, PublicKey)>,
    root: Arc<TrustRoot>,
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
        let keys: Result<_, _> = rule
            .keys
            .iter()
            .map(|trusted| match key(&trusted.path) {
                Ok(key) => Ok((trusted.clone(), key)),
                Err(why) => Err(TrustError::Key {
                    plugins: rule.named(),
                    key: trusted.path.clone(),
                    why,
                }),
            })
            .collect();
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
        let read = Self {
            rule: rule.clone(),
            keys: keys?,
            root,
        };
        read.check_distinct()?;
        Ok(read)
    }

    /// The same key under two names is one signer, whatever `require` says.
    fn check_distinct(&self) -> Result<(), TrustError> {
        let mut distinct: Vec<Digest> =
            self.keys.iter().map(|(_, key)| key.fingerprint()).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let mut identities: Vec<&TrustedIdentity> = Vec::new();
        for identity in &self.rule.identities {
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
        let signers = distinct.len() + identities.len();
        if (self.rule.require.get() as usize) > signers {
            return Err(TrustError::TooFewSigners {
                plugins: self.rule.named(),
                require: self.rule.require.get(),
                signers,
            });
        }
        Ok(())
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

    pub(super) fn summary(&self) -> RuleSummary {
        RuleSummary {
            plugins: self
                .rule
                .plugins
                .iter()
                .map(NamePattern::to_string)
                .collect(),
            keys: self
                .keys
                .iter()
                .map(|(trusted, key)| (trusted.path.clone(), key.fingerprint()))
                .collect(),
            identities: self
                .rule
                .identities
                .iter()
                .map(|identity| (identity.subject.clone(), identity.issuer.clone()))
                .collect(),
            require: self.rule.require.get(),
            trusted_root: self.root.name().to_owned(),
            valid_until: self.rule.valid_until,
        }
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
            match signature.said() {
                Said::Key(_) => {
                    self.proven_keys(artifact, signature, now, reasons, &mut signers);
                }
                Said::Identity(Some(said)) => {
                    self.proven_identity(artifact, signature, &said, reasons, &mut signers);
                }
                Said::Identity(None) => {}
            }
        }
        signers
    }

    fn proven_keys(
        &self,
        artifact: &Artifact<'_>,
        signature: &Bundle,
        now: Moment,
        reasons: &mut Reasons,
        signers: &mut Vec<Signer>,
    ) {
        let evidence = self.evidence(Evidence::KeyAlone);
        for (trusted, key) in &self.keys {
            match signed_by(artifact, signature, key, &self.root, evidence) {
                Ok(()) if trusted.is_trusted_at(now) => signers.push(Signer {
                    who: sigstore::Signer::Key(key.fingerprint()),
                    name: trusted.path.clone(),
                }),
                Ok(()) => reasons.tell(Refusal::KeyNotTrustedNow {
                    key: trusted.path.clone(),
                    not_before: trusted.not_before,
                    not_after: trusted.not_after,
                }),
                Err(Rejection::BadSignature(_)) if names(signature, key) => {
                    reasons.tell(Refusal::Altered {
                        key: trusted.path.clone(),
                    });
                }
                Err(why) => reasons.add(why),
            }
        }
    }

    /// What the certificate says chooses what to try; that it is true is then proven.
    fn proven_identity(
        &self,
        artifact: &Artifact<'_>,
        signature: &Bundle,
        said: &Identity,
        reasons: &mut Reasons,
        signers: &mut Vec<Signer>,
    ) {
        let named = |trusted: &&TrustedIdentity| {
            trusted.issuer == said.issuer && trusted.subject == said.subject
        };
        if self.rule.identities.iter().find(named).is_none() {
            return;
        }
        let expected = Expected::Identity(said);
        let evidence = self.evidence(Evidence::Log);
        match verify_bundle(artifact, signature, expected, &self.root, evidence) {
            Ok(verified) => signers.push(Signer {
                name: said.subject.clone(),
                who: verified.signer().clone(),
            }),
            Err(why) => reasons.add(why),
        }
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
            });
        }
        let mut distinct: Vec<&sigstore::Signer> = Vec::new();
        for signer in signers {
            if !distinct.contains(&&signer.who) {
                distinct.push(&signer.who);
            }
        }
        let require = self.rule.require.get();
        if distinct.len() < require as usize {
            return Err(Refusal::TooFewSigners {
                name: name.clone(),
                require,
                signed: signers.iter().map(|signer| signer.name.clone()).collect(),
            });
        }
        Ok(())
    }

    fn evidence(&self, without: Evidence) -> Evidence {
        match self.rule.evidence {
            None => without,
            Some(EvidenceRule::Any) => Evidence::Any,
            Some(EvidenceRule::Log) => Evidence::Log,
            Some(EvidenceRule::Timestamp) => Evidence::Timestamp,
            Some(EvidenceRule::LogAndTimestamp) => Evidence::LogAndTimestamp,
        }
    }
}

/// Whether a signature says that this key made it. Nobody signs that: it is for messages.
fn names(signature: &Bundle, key: &PublicKey) -> bool {
    signature.hint().is_some_and(|hint| hint == key.hint())
}

/// Whether the owner of that key made a signature. What a plugin's signature says about its key
/// is the fingerprint or nothing: another hint is a contradiction.
pub(crate) fn signed_by(
    artifact: &Artifact<'_>,
    signature: &Bundle,
    key: &PublicKey,
    root: &TrustRoot,
    evidence: Evidence,
) -> Result<(), Rejection> {
    if signature
        .hint()
        .is_some_and(|hint| !hint.is_empty() && hint != key.hint())
    {
        return Err(Rejection::WrongSigner(
            "its hint names another key".to_owned(),
        ));
    }
    let key = VerifyingKey::from(key);
    verify_bundle(artifact, signature, Expected::Key(&key), root, evidence).map(drop)
}
