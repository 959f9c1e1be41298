//! The operator's trust, and the one door through which a bundle becomes trusted.
//!
//! Everything that is not plainly allowed is refused. The manifest of a component is not looked at
//! before a trusted key is known to have signed the whole of it.

use std::path::Path;
use std::sync::Arc;

use wharf_policy::{Digest, NamePattern, PluginName, Policy, TrustRule};

use crate::{
    BundleError, KeyBundle, KeyError, MAX_COMPONENT, Manifest, PublicKey, Refusal, TrustError,
    digest,
};

/// Whom the operator trusts to sign which plugins.
#[derive(Debug, Clone, Default)]
pub struct TrustPolicy {
    rules: Vec<Rule>,
}

/// One `[[trust]]` block with its keys read.
#[derive(Debug, Clone)]
struct Rule {
    plugins: Vec<NamePattern>,
    keys: Vec<(String, PublicKey)>,
    minimum_version: Option<semver::Version>,
    denied_digests: Vec<Digest>,
}

impl Rule {
    fn covers(&self, name: &PluginName) -> bool {
        self.plugins.iter().any(|pattern| pattern.matches(name))
    }
}

/// A bundle that passed the trust policy. There is no other way to make one, and no way to change
/// it: what was verified is what is run.
#[derive(Debug, Clone)]
pub struct Verified {
    bytes: Arc<[u8]>,
    digest: Digest,
    manifest: Manifest,
    signers: Vec<Signer>,
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

    /// The trusted keys that signed it, at least one.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

/// A key that signed a bundle and is trusted for its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The fingerprint: SHA-256 of the key's SubjectPublicKeyInfo.
    pub key: Digest,
    /// The key as the policy names it.
    pub path: String,
}

impl TrustPolicy {
    /// Reads the keys that a policy names, relative to the folder that the policy is in.
    ///
    /// # Errors
    /// A key cannot be read or is not a P-256 public key, or a rule has no keys or no plugins.
    pub fn load(policy: &Policy, folder: &Path) -> Result<Self, TrustError> {
        Self::with_keys(policy, |path| PublicKey::load(&folder.join(path)))
    }

    /// The same with `key` answering the key that the policy names so.
    ///
    /// # Errors
    /// As [`TrustPolicy::load`].
    pub fn with_keys(
        policy: &Policy,
        key: impl Fn(&str) -> Result<PublicKey, KeyError>,
    ) -> Result<Self, TrustError> {
        let rules: Result<_, _> = policy.trust.iter().map(|rule| read(rule, &key)).collect();
        Ok(Self { rules: rules? })
    }

    /// Decides whether a component is to be trusted: signed, unchanged, by a key that a rule for
    /// its name has, not too old, and not denied. A pure function of its arguments.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self, bytes: Arc<[u8]>, signature: Option<&[u8]>) -> Result<Verified, Refusal> {
        let signature = signature.ok_or(Refusal::Unsigned)?;
        if self.rules.is_empty() {
            return Err(Refusal::NoTrust);
        }
        let bundle = KeyBundle::parse(signature)?;
        if bytes.len() > MAX_COMPONENT {
            return Err(Refusal::BadManifest(BundleError::TooLarge {
                what: "the component",
                size: bytes.len(),
                limit: MAX_COMPONENT,
            }));
        }
        let digest = digest(&bytes);
        bundle.check_digest(digest)?;
        let signer = self.signer(&bundle)?;

        let manifest = Manifest::read(&bytes)?;
        let signers = self.trusted_for(&manifest.name, signer)?;
        self.check_age(&manifest)?;
        self.check_denied(digest)?;
        Ok(Verified {
            bytes,
            digest,
            manifest,
            signers,
        })
    }

    /// The key, of all keys of all rules, that made the signature.
    fn signer(&self, bundle: &KeyBundle) -> Result<&PublicKey, Refusal> {
        self.rules
            .iter()
            .flat_map(|rule| &rule.keys)
            .map(|(_, key)| key)
            .find(|key| bundle.is_by(key))
            .ok_or_else(|| bundle.unknown_signer())
    }

    /// The key under each name that rules for this plugin give it.
    fn trusted_for(&self, name: &PluginName, signer: &PublicKey) -> Result<Vec<Signer>, Refusal> {
        let mut signers: Vec<Signer> = Vec::new();
        let rules = self.rules.iter().filter(|rule| rule.covers(name));
        for (path, key) in rules.flat_map(|rule| &rule.keys) {
            if key == signer && signers.iter().all(|known| known.path != *path) {
                signers.push(Signer {
                    key: key.fingerprint(),
                    path: path.clone(),
                });
            }
        }
        if signers.is_empty() {
            return Err(Refusal::NotTrustedForName {
                name: name.clone(),
                signer: signer.fingerprint().to_string(),
            });
        }
        Ok(signers)
    }

    /// Every rule for the name counts, also those with other keys: the highest minimum holds.
    fn check_age(&self, manifest: &Manifest) -> Result<(), Refusal> {
        let rules = self.rules.iter().filter(|rule| rule.covers(&manifest.name));
        for minimum in rules.filter_map(|rule| rule.minimum_version.as_ref()) {
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
        let mut denied = self.rules.iter().flat_map(|rule| &rule.denied_digests);
        if denied.any(|other| *other == digest) {
            return Err(Refusal::DeniedDigest(digest));
        }
        Ok(())
    }
}

fn read(
    rule: &TrustRule,
    key: impl Fn(&str) -> Result<PublicKey, KeyError>,
) -> Result<Rule, TrustError> {
    if rule.plugins.is_empty() {
        return Err(TrustError::NoPlugins);
    }
    let plugins = || {
        let names: Vec<_> = rule.plugins.iter().map(NamePattern::to_string).collect();
        names.join(", ")
    };
    if rule.keys.is_empty() {
        return Err(TrustError::NoKeys(plugins()));
    }
    let keys: Result<_, _> = rule
        .keys
        .iter()
        .map(|path| match key(path) {
            Ok(key) => Ok((path.clone(), key)),
            Err(why) => Err(TrustError::Key {
                plugins: plugins(),
                key: path.clone(),
                why,
            }),
        })
        .collect();
    Ok(Rule {
        plugins: rule.plugins.clone(),
        keys: keys?,
        minimum_version: rule.minimum_version.clone(),
        denied_digests: rule.denied_digests.clone(),
    })
}
