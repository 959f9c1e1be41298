//! Keys and identities, any of whom may have signed something: which of them did.

use wharf_policy::{Digest, Moment, TrustedIdentity, TrustedKey};

use super::Signer;
use crate::sigstore::{
    self, Artifact, Bundle, Evidence, Expected, Identity, Rejection, Said, TrustRoot, VerifyingKey,
    verify_bundle,
};
use crate::{KeyError, PublicKey};

/// Those whom a rule names, with their keys read.
#[derive(Debug, Clone)]
pub(super) struct Signers {
    pub(super) keys: Vec<(TrustedKey, PublicKey)>,
    pub(super) identities: Vec<TrustedIdentity>,
}

/// What a bundle must be verified with.
#[derive(Clone, Copy)]
pub(super) struct With<'a> {
    pub(super) root: &'a TrustRoot,
    /// What is asked of a key, and of an identity.
    pub(super) evidence: (Evidence, Evidence),
    pub(super) now: Moment,
}

/// Why somebody who was tried is not found to have signed.
#[derive(Debug)]
pub(super) enum Not {
    /// They signed with a key that is not trusted at that time.
    KeyNotTrustedNow(TrustedKey),
    /// It says that their key signed it, and that key did not.
    Altered(TrustedKey),
    /// Something else did not verify.
    Proven(Rejection),
}

impl Signers {
    /// Reads the keys.
    pub(super) fn read(
        keys: &[TrustedKey],
        identities: &[TrustedIdentity],
        key: impl Fn(&str) -> Result<PublicKey, KeyError>,
    ) -> Result<Self, (String, KeyError)> {
        let keys: Result<_, _> = keys
            .iter()
            .map(|trusted| match key(&trusted.path) {
                Ok(key) => Ok((trusted.clone(), key)),
                Err(why) => Err((trusted.path.clone(), why)),
            })
            .collect();
        Ok(Self {
            keys: keys?,
            identities: identities.to_vec(),
        })
    }

    /// How many different ones there are. The same key under two names is one signer.
    pub(super) fn distinct(&self) -> usize {
        let mut keys: Vec<Digest> = self.keys.iter().map(|(_, key)| key.fingerprint()).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut identities: Vec<&TrustedIdentity> = Vec::new();
        for identity in &self.identities {
            if !identities.contains(&identity) {
                identities.push(identity);
            }
        }
        keys.len() + identities.len()
    }

    /// Who of them made this bundle about that artifact, and why others are not found to have.
    pub(super) fn who_made(
        &self,
        bundle: &Bundle,
        artifact: &Artifact<'_>,
        with: With<'_>,
    ) -> (Vec<Signer>, Vec<Not>) {
        match bundle.said() {
            Said::Key(_) => self.keys_that_made(bundle, artifact, with),
            Said::Identity(Some(said)) => match self.identity_made(&said, bundle, artifact, with) {
                None => (Vec::new(), Vec::new()),
                Some(Ok(signer)) => (vec![signer], Vec::new()),
                Some(Err(why)) => (Vec::new(), vec![Not::Proven(why)]),
            },
            Said::Identity(None) => (Vec::new(), Vec::new()),
        }
    }

    fn keys_that_made(
        &self,
        bundle: &Bundle,
        artifact: &Artifact<'_>,
        with: With<'_>,
    ) -> (Vec<Signer>, Vec<Not>) {
        let (mut signers, mut others) = (Vec::new(), Vec::new());
        for (trusted, key) in &self.keys {
            match signed_by(artifact, bundle, key, with.root, with.evidence.0) {
                Ok(()) if trusted.is_trusted_at(with.now) => signers.push(Signer {
                    who: sigstore::Signer::Key(key.fingerprint()),
                    name: trusted.path.clone(),
                }),
                Ok(()) => others.push(Not::KeyNotTrustedNow(trusted.clone())),
                Err(Rejection::BadSignature(_)) if names(bundle, key) => {
                    others.push(Not::Altered(trusted.clone()));
                }
                Err(why) => others.push(Not::Proven(why)),
            }
        }
        (signers, others)
    }

    /// What the certificate says chooses what to try; that it is true is then proven. `None` if it
    /// says somebody else.
    fn identity_made(
        &self,
        said: &Identity,
        bundle: &Bundle,
        artifact: &Artifact<'_>,
        with: With<'_>,
    ) -> Option<Result<Signer, Rejection>> {
        self.identities
            .iter()
            .find(|trusted| trusted.issuer == said.issuer && trusted.subject == said.subject)?;
        let expected = Expected::Identity(said);
        let verified = verify_bundle(artifact, bundle, expected, with.root, with.evidence.1);
        Some(verified.map(|verified| Signer {
            name: said.subject.clone(),
            who: verified.signer().clone(),
        }))
    }
}

/// Whether a bundle says that this key made it. Nobody signs that: it is for messages.
fn names(bundle: &Bundle, key: &PublicKey) -> bool {
    bundle.hint().is_some_and(|hint| hint == key.hint())
}

/// Whether the owner of that key made a bundle. What a plugin's signature or attestation says about
/// its key is the fingerprint or nothing: another hint is a contradiction.
pub(crate) fn signed_by(
    artifact: &Artifact<'_>,
    bundle: &Bundle,
    key: &PublicKey,
    root: &TrustRoot,
    evidence: Evidence,
) -> Result<(), Rejection> {
    if bundle
        .hint()
        .is_some_and(|hint| !hint.is_empty() && hint != key.hint())
    {
        return Err(Rejection::WrongSigner(
            "its hint names another key".to_owned(),
        ));
    }
    let key = VerifyingKey::from(key);
    verify_bundle(artifact, bundle, Expected::Key(&key), root, evidence).map(drop)
}
