//! The operator's trust, and the one door through which a bundle becomes trusted.
//!
//! Everything that is not plainly allowed is refused. The manifest of a component is not looked at
//! before somebody who is trusted is known to have signed the whole of it.

mod attested;
mod beside;
mod proof;
mod reasons;
mod rule;
mod signers;
mod summary;
mod term;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use wharf_policy::{Digest, Moment, PluginName, Policy};

use crate::attestation_file::Subject;
use crate::sigstore::{self, Artifact, RootError, TrustRoot};
use crate::{
    BundleError, KeyError, MAX_COMPONENT, Manifest, PublicKey, Refusal, SignatureFile, TrustError,
    digest,
};

use attested::Attested;
pub use beside::Beside;
pub(crate) use reasons::Reasons;
use rule::Rule;
pub(crate) use signers::signed_by;
pub use summary::{AttestationSummary, KeySummary, RuleSummary};
pub use term::Term;

/// Whom the operator trusts to sign which plugins.
#[derive(Debug, Clone, Default)]
pub struct TrustPolicy {
    rules: Vec<Rule>,
}

/// A bundle that passed the trust policy. There is no other way to make one, and no way to change
/// it: what was verified is what is run.
#[derive(Debug, Clone)]
pub struct Verified {
    bytes: Arc<[u8]>,
    digest: Digest,
    manifest: Manifest,
    signers: Vec<Signer>,
    attested: Vec<String>,
    may_be_older: bool,
    term: Term,
}

impl Verified {
    /// The component, as it was verified.
    pub fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The manifest in the bytes.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Those who are trusted for its name and signed it, at least one.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// What was proven to be attested of it, since the policy asks for that: the types, each once.
    pub fn attested(&self) -> &[String] {
        &self.attested
    }

    /// Whether it may be older than what was run before: the policy allows that, or pins exactly
    /// this digest.
    pub fn may_be_older(&self) -> bool {
        self.may_be_older
    }

    /// For how long it is trusted by what was shown. After that it may still be, by others who signed it.
    pub fn term(&self) -> Term {
        self.term
    }
}

/// Somebody who signed a bundle and is trusted for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The key or the identity.
    pub who: sigstore::Signer,
    /// The same as the policy names it: the path of the key, or the subject.
    pub name: String,
}

impl TrustPolicy {
    /// Reads the keys and trusted roots that a policy names, relative to the folder that the
    /// policy is in.
    ///
    /// # Errors
    /// A key or a root cannot be read or used, or a rule has no signers or no plugins.
    pub fn load(policy: &Policy, folder: &Path) -> Result<Self, TrustError> {
        Self::with_files(
            policy,
            |path| PublicKey::load(&folder.join(path)),
            |path| TrustRoot::load(&folder.join(path)),
        )
    }

    /// The same with `key` answering the key that the policy names so. The policy may name no
    /// trusted roots.
    ///
    /// # Errors
    /// As [`TrustPolicy::load`].
    pub fn with_keys(
        policy: &Policy,
        key: impl Fn(&str) -> Result<PublicKey, KeyError>,
    ) -> Result<Self, TrustError> {
        Self::with_files(policy, key, |path| {
            Err(RootError::Unreadable {
                path: path.to_owned(),
                why: "there are no files here".to_owned(),
            })
        })
    }

    /// The same with `key` and `root` answering what the policy names so.
    ///
    /// # Errors
    /// As [`TrustPolicy::load`].
    pub fn with_files(
        policy: &Policy,
        key: impl Fn(&str) -> Result<PublicKey, KeyError>,
        root: impl Fn(&str) -> Result<TrustRoot, RootError>,
    ) -> Result<Self, TrustError> {
        let public_good = match policy.trust.iter().any(|rule| rule.trusted_root.is_none()) {
            true => Some(Arc::new(TrustRoot::public_good().map_err(|why| {
                TrustError::Root {
                    plugins: "all".to_owned(),
                    root: "public-good".to_owned(),
                    why,
                }
            })?)),
            false => None,
        };
        let rules: Result<_, _> = policy
            .trust
            .iter()
            .map(|rule| Rule::read(rule, &key, &root, public_good.as_ref()))
            .collect();
        Ok(Self { rules: rules? })
    }

    /// Decides whether a component is to be trusted now, with no more than its signatures at hand: it
    /// is refused where the policy asks for attestations.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self, bytes: Arc<[u8]>, signatures: Option<&[u8]>) -> Result<Verified, Refusal> {
        let attestations = None;
        self.verify_with(
            bytes,
            Beside {
                signatures,
                attestations,
            },
        )
    }

    /// Decides whether a component is to be trusted now, with all that comes with it.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify_with(&self, bytes: Arc<[u8]>, beside: Beside<'_>) -> Result<Verified, Refusal> {
        self.verify_at(bytes, beside, Timestamp::now().into())
    }

    /// Decides whether a component is to be trusted: signed, unchanged, by as many of the signers
    /// of a rule for its name as the rule asks for, with all attested that it wants attested, not too
    /// old, not denied, and by keys and rules that are valid at that time.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify_at(
        &self,
        bytes: Arc<[u8]>,
        beside: Beside<'_>,
        now: Moment,
    ) -> Result<Verified, Refusal> {
        let signatures = beside.signatures.ok_or(Refusal::Unsigned)?;
        if self.rules.is_empty() {
            return Err(Refusal::NoTrust);
        }
        let file = SignatureFile::parse(signatures)?;
        if bytes.len() > MAX_COMPONENT {
            return Err(Refusal::BadManifest(BundleError::TooLarge {
                what: "the component",
                size: bytes.len(),
                limit: MAX_COMPONENT,
            }));
        }
        let digest = digest(&bytes);
        file.check_digest(digest)?;
        let artifact = Artifact::from_digested(&bytes, digest);
        let proven = self.proven(&artifact, &file, now)?;

        let manifest = Manifest::read(&bytes)?;
        let asked = self.covering(&manifest.name);
        let asked = asked.flat_map(Rule::wants_attested).next().is_some();
        let attestations = beside.attestations.filter(|_| asked);
        let attested = Attested::new(Subject::new(&bytes, digest), attestations);
        let trusted = trusted_for(&manifest.name, &proven, &attested, now)?;
        self.check_age(&manifest)?;
        self.check_denied(digest)?;
        self.check_pinned(&manifest.name, digest)?;
        let may_be_older = self
            .covering(&manifest.name)
            .any(|rule| rule.lets_older(digest));
        Ok(Verified {
            bytes,
            digest,
            manifest,
            signers: trusted.signers,
            attested: trusted.types,
            may_be_older,
            term: trusted.term,
        })
    }

    /// What the operator would want to know: each rule, as it was read.
    pub fn rules(&self) -> impl Iterator<Item = RuleSummary> {
        self.rules.iter().map(Rule::summary)
    }

    /// Whether any rule asks for attestations: if none does, nobody needs to bring them.
    pub fn wants_attestations(&self) -> bool {
        let wanted = self.rules.iter().flat_map(Rule::wants_attested);
        wanted.count() > 0
    }

    fn covering(&self, name: &PluginName) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.covers(name))
    }

    /// For each rule, who of its signers signed. Somebody must have.
    fn proven(
        &self,
        artifact: &Artifact<'_>,
        file: &SignatureFile,
        now: Moment,
    ) -> Result<Vec<(&Rule, Vec<Signer>)>, Refusal> {
        let mut reasons = Reasons::default();
        let proven: Vec<_> = self
            .rules
            .iter()
            .map(|rule| (rule, rule.proven(artifact, file, now, &mut reasons)))
            .collect();
        if proven.iter().all(|(_, signers)| signers.is_empty()) {
            return Err(reasons.refusal(file));
        }
        Ok(proven)
    }

    /// Every rule for the name counts, also those with other signers: the highest minimum holds.
    fn check_age(&self, manifest: &Manifest) -> Result<(), Refusal> {
        for minimum in self
            .covering(&manifest.name)
            .filter_map(Rule::minimum_version)
        {
            // Build metadata does not make a version newer.
            if manifest.version.cmp_precedence(minimum).is_lt() {
                return Err(Refusal::TooOld {
                    name: manifest.name.clone(),
                    version: Box::new(manifest.version.clone()),
                    minimum: Box::new(minimum.clone()),
                });
            }
        }
        Ok(())
    }

    /// A digest denied anywhere is denied everywhere, under whatever name it comes.
    fn check_denied(&self, digest: Digest) -> Result<(), Refusal> {
        if self.rules.iter().any(|rule| rule.denies(digest)) {
            return Err(Refusal::DeniedDigest(digest));
        }
        Ok(())
    }

    /// A rule for the name that pins digests pins them for every signer.
    fn check_pinned(&self, name: &PluginName, digest: Digest) -> Result<(), Refusal> {
        if self.covering(name).any(|rule| rule.pins_others(digest)) {
            return Err(Refusal::NotPinned {
                name: name.clone(),
                digest,
            });
        }
        Ok(())
    }
}

/// By whom something is trusted.
#[derive(Default)]
struct Trusted {
    signers: Vec<Signer>,
    /// What was wanted attested.
    types: Vec<String>,
    term: Term,
}

/// The signers of the rules for the name that enough of their signers satisfied, with all attested
/// that they want attested, what that is, and until when all of this holds.
fn trusted_for(
    name: &PluginName,
    proven: &[(&Rule, Vec<Signer>)],
    attested: &Attested<'_>,
    now: Moment,
) -> Result<Trusted, Refusal> {
    let mut refusal = None;
    let mut trusted = Trusted::default();
    for (rule, signers) in proven.iter().filter(|(rule, _)| rule.covers(name)) {
        if signers.is_empty() {
            continue;
        }
        let satisfied = rule
            .satisfied_by(name, signers, now)
            .and_then(|()| rule.check_attested(attested, now));
        match satisfied {
            Ok(()) => {
                add_new(&mut trusted.signers, signers.iter().cloned());
                add_new(&mut trusted.types, rule.wants_attested().map(str::to_owned));
                rule.shorten(&mut trusted.term, signers, now);
            }
            Err(why) => refusal = refusal.or(Some(why)),
        }
    }
    if !trusted.signers.is_empty() {
        return Ok(trusted);
    }
    Err(refusal.unwrap_or_else(|| {
        let signed = proven.iter().flat_map(|(_, signers)| signers);
        let mut names: Vec<String> = signed.map(|signer| who(&signer.who)).collect();
        names.dedup();
        Refusal::NotTrustedForName {
            name: name.clone(),
            signer: names.join(", "),
        }
    }))
}

/// Adds what is not there.
fn add_new<T: PartialEq>(all: &mut Vec<T>, more: impl Iterator<Item = T>) {
    for one in more {
        if !all.contains(&one) {
            all.push(one);
        }
    }
}

/// A signer, for people.
fn who(signer: &sigstore::Signer) -> String {
    match signer {
        sigstore::Signer::Key(fingerprint) => format!("the key {fingerprint}"),
        sigstore::Signer::Identity(identity) => identity.to_string(),
    }
}
