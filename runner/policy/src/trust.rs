//! Who may sign which plugins: the `[[trust]]` blocks of a policy.
//!
//! ```toml
//! [[trust]]
//! plugins = ["acme/*"]
//! keys = ["acme.pub", { path = "next.pub", not-before = "2027-01-01" }]
//! identities = [{ issuer = "https://token.actions.githubusercontent.com", subject = "https://github.com/acme/…" }]
//! require = 2
//! ```

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::{Digest, Moment, NamePattern, PolicyError};

/// One `[[trust]]` block: plugins of these names must be signed by so many of these signers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrustRule {
    /// Which plugins.
    pub plugins: Vec<NamePattern>,
    /// Public keys that may sign them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<TrustedKey>,
    /// Identities that may sign them with certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<TrustedIdentity>,
    /// How many of the signers must have signed; one if left out.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub require: NonZeroU32,
    /// The trusted root (JSON), as a path relative to the policy file; the public-good
    /// instance's if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_root: Option<String>,
    /// What must prove that a signature was made, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceRule>,
    /// What must be attested of a component beside its being signed; all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<RequiredAttestation>,
    /// Versions below this are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_version: Option<semver::Version>,
    /// Versions below the highest that this runner has run are let in, which they are not
    /// otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_older: bool,
    /// Components that are refused whoever signed them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied_digests: Vec<Digest>,
    /// If there are any, components with other digests are refused.
    #[serde(
        default,
        deserialize_with = "crate::listed::pinned_digests",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub pinned_digests: Vec<Digest>,
    /// From then on the block lets nothing in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Moment>,
}

/// A public key in a `[[trust]]` block: a path alone, or a path and when the key is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "KeyText", into = "KeyText")]
pub struct TrustedKey {
    /// The key (PEM), as a path relative to the policy file.
    pub path: String,
    /// The key is trusted from then on.
    pub not_before: Option<Moment>,
    /// The key is trusted until then.
    pub not_after: Option<Moment>,
}

impl TrustedKey {
    /// Whether the key is trusted at that time, ends included.
    pub fn is_trusted_at(&self, time: Moment) -> bool {
        self.not_before.is_none_or(|first| first <= time)
            && self.not_after.is_none_or(|last| time <= last)
    }
}

/// An identity in a `[[trust]]` block. Both parts are compared whole and exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrustedIdentity {
    /// The identity provider that vouches for the subject: the issuer of its tokens, a URL.
    pub issuer: String,
    /// Whom it vouches for: an address of mail, a workflow, a user name.
    pub subject: String,
}

/// An attestation that a `[[trust]]` block asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RequiredAttestation {
    /// The predicate type of the statement, compared whole: what is attested.
    #[serde(rename = "type")]
    pub predicate_type: String,
    /// Public keys that may attest it.
    #[serde(
        default,
        deserialize_with = "crate::listed::attesting_keys",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub keys: Vec<TrustedKey>,
    /// Identities that may attest it with certificates.
    #[serde(
        default,
        deserialize_with = "crate::listed::attesting_identities",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub identities: Vec<TrustedIdentity>,
}

impl RequiredAttestation {
    /// Whether it names nobody: then any one of the signers of its block may attest it.
    pub fn is_by_signers_of_the_block(&self) -> bool {
        self.keys.is_empty() && self.identities.is_empty()
    }
}

/// What must prove that a signature was made, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceRule {
    /// A log entry or a timestamp.
    Any,
    /// A log entry.
    Log,
    /// A timestamp; there may be no log entry.
    Timestamp,
    /// Both.
    LogAndTimestamp,
}

impl TrustRule {
    /// The patterns of the block, for people.
    pub fn named(&self) -> String {
        let names: Vec<_> = self.plugins.iter().map(NamePattern::to_string).collect();
        names.join(", ")
    }

    /// What cannot be meant: a block that could never let anything in.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        let wrong = |why: String| PolicyError::Trust {
            plugins: self.named(),
            why,
        };
        let signers = self.keys.len() + self.identities.len();
        if signers > 0 && self.require.get() as usize > signers {
            return Err(wrong(format!(
                "asks for {} signers and names {signers}: name more, or lower `require`",
                self.require
            )));
        }
        let mut types = Vec::new();
        for wanted in self.attestations.iter().map(|a| a.predicate_type.as_str()) {
            if wanted.is_empty() || wanted.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(wrong(format!(
                    "asks for an attestation of type {wanted:?}: give its predicate type, such as https://slsa.dev/provenance/v1"
                )));
            }
            if types.contains(&wanted) {
                return Err(wrong(format!(
                    "asks for the attestation {wanted} twice: put its signers into one entry, any one of whom is enough"
                )));
            }
            types.push(wanted);
        }
        let attesters = self.attestations.iter().flat_map(|a| &a.identities);
        if let Some(empty) = self
            .identities
            .iter()
            .chain(attesters)
            .find(|identity| identity.issuer.is_empty() || identity.subject.is_empty())
        {
            return Err(wrong(format!(
                "has an identity with an empty part (issuer {:?}, subject {:?}): give both",
                empty.issuer, empty.subject
            )));
        }
        let attesters = self.attestations.iter().flat_map(|a| &a.keys);
        for key in self.keys.iter().chain(attesters) {
            if key.not_before > key.not_after && key.not_after.is_some() {
                return Err(wrong(format!(
                    "has the key `{}` with not-after before not-before: exchange them",
                    key.path
                )));
            }
        }
        if let Some(both) = self
            .pinned_digests
            .iter()
            .find(|digest| self.denied_digests.contains(digest))
        {
            return Err(wrong(format!("pins and denies {both}: remove it from one")));
        }
        Ok(())
    }
}

/// A key as it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum KeyText {
    Path(String),
    Windowed(Windowed),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Windowed {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Moment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_after: Option<Moment>,
}

impl From<KeyText> for TrustedKey {
    fn from(text: KeyText) -> Self {
        match text {
            KeyText::Path(path) => Self {
                path,
                not_before: None,
                not_after: None,
            },
            KeyText::Windowed(key) => Self {
                path: key.path,
                not_before: key.not_before,
                not_after: key.not_after,
            },
        }
    }
}

impl From<TrustedKey> for KeyText {
    fn from(key: TrustedKey) -> Self {
        if key.not_before.is_none() && key.not_after.is_none() {
            return Self::Path(key.path);
        }
        Self::Windowed(Windowed {
            path: key.path,
            not_before: key.not_before,
            not_after: key.not_after,
        })
    }
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn is_one(number: &NonZeroU32) -> bool {
    *number == NonZeroU32::MIN
}

#[cfg(test)]
mod tests {
    use crate::Policy;

    const WHOLE: &str = r#"
        [[trust]]
        plugins = ["acme/*"]
        keys = ["a.pub", { path = "b.pub", not-before = "2026-01-01", not-after = "2027-01-01T00:00:00Z" }]
        identities = [{ issuer = "https://issuer.test", subject = "me@acme.test" }]
        require = 2
        trusted-root = "root.json"
        evidence = "log-and-timestamp"
        minimum-version = "1.0.0"
        allow-older = true
        attestations = [{ type = "https://slsa.dev/provenance/v1", keys = ["c.pub"], identities = [{ issuer = "https://ci.test", subject = "build@acme.test" }] }, { type = "https://acme.test/review" }]
        pinned-digests = ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]
        valid-until = "2028-01-01"
    "#;

    #[test]
    fn a_whole_block_is_read_and_written_back() {
        let policy = Policy::from_toml(WHOLE).unwrap();
        let rule = &policy.trust[0];
        assert_eq!(rule.require.get(), 2);
        assert!(!rule.attestations[0].is_by_signers_of_the_block());
        assert!(rule.attestations[1].is_by_signers_of_the_block());
        assert!(rule.keys[1].is_trusted_at("2026-06-01".parse().unwrap()));
        assert!(rule.keys[1].is_trusted_at("2027-01-01".parse().unwrap()));
        assert!(!rule.keys[1].is_trusted_at("2027-01-02".parse().unwrap()));
        assert!(!rule.keys[1].is_trusted_at("2025-12-31".parse().unwrap()));
        let again = Policy::from_toml(&toml::to_string(&policy).unwrap()).unwrap();
        assert_eq!(again, policy);
    }

    #[test]
    fn what_cannot_be_meant_makes_the_policy_unusable() {
        for (change, to, says) in [
            ("require = 2", "require = 4", "names 3"),
            ("require = 2", "require = 0", "require"),
            ("me@acme.test", "", "empty part"),
            ("https://issuer.test", "", "empty part"),
            ("2026-01-01", "2027-02-01", "not-after before"),
            ("2028-01-01", "soon", "soon"),
            ("log-and-timestamp", "faith", "faith"),
            ("allow-older", "allow-ancient", "allow-ancient"),
            ("not-before", "not-befor", "keys"),
            ("https://ci.test", "", "empty part"),
            ("https://acme.test/review", "", "predicate type"),
            (
                "https://acme.test/review",
                "slsa provenance",
                "predicate type",
            ),
            (
                "https://acme.test/review",
                "https://slsa.dev/provenance/v1",
                "twice",
            ),
            (
                "{ type = \"https://acme.test/review\" }",
                "{ keys = ['c.pub'] }",
                "type",
            ),
            (
                "{ type = \"https://acme.test/review\" }",
                "{ type = 'x', builder = 'y' }",
                "builder",
            ),
            (
                "\"c.pub\"",
                "{ path = 'c.pub', not-before = '2027-02-01', not-after = '2027-01-01' }",
                "not-after before",
            ),
            (
                "pinned-digests",
                "denied-digests = ['sha256:0000000000000000000000000000000000000000000000000000000000000000']\npinned-digests",
                "pins and denies",
            ),
        ] {
            let text = WHOLE.replacen(change, to, 1);
            assert_ne!(text, WHOLE);
            let error = Policy::from_toml(&text).unwrap_err().to_string();
            assert!(error.contains(says), "{change} -> {to}: {error}");
        }
    }
}
