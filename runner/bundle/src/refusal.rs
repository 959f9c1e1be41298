//! Why a bundle is not trusted. Every reason is a full stop: there is no way on from a refusal.
//!
//! Each names the line of the policy that would let the bundle in, or that keeps it out. Where no
//! line could (it is not signed, or was changed), it says that.

use wharf_policy::{Digest, Moment, PluginName};

use crate::BundleError;
use crate::signature_file::quoted;
use crate::sigstore::Rejection;

/// The line that trusts a signer of whom no more is known than that they have a key.
pub(crate) const TRUST_A_KEY: &str =
    "`keys = [\"signer.pub\"]`, with their public key in that file,";

/// For how long a line extends what has ended, in seconds.
const MONTH: i64 = 30 * 24 * 60 * 60;

/// Why a bundle was refused, and what its author or the operator can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no signature.
    #[error(
        "it is not signed, and no line of a policy lets in what is not: sign it with `wharf sign`, and keep FILE.sigstore.json beside it"
    )]
    Unsigned,
    /// Nobody is trusted.
    #[error(
        "nobody is trusted to sign plugins: a [[trust]] block with `plugins = [\"*\"]` and `keys = [\"signer.pub\"]` (with what is meant) in the policy would trust somebody"
    )]
    NoTrust,
    /// The signature is not a Sigstore bundle of the one form that is accepted.
    #[error(
        "the signature is not a Sigstore v0.3 bundle with a message signature: {0}; no line of a policy lets in another: sign again with `wharf sign` or `cosign sign-blob`"
    )]
    MalformedSignature(String),
    /// The signature is about other bytes.
    #[error(
        "it was changed after it was signed, or the signature is of another file: the signature is for {signed}, the file is {actual}; no line of a policy lets that in: get both again from their author"
    )]
    Tampered {
        /// The digest in the signature.
        signed: Digest,
        /// The digest of the file.
        actual: Digest,
    },
    /// Its signature says that a trusted key made it, and that key did not.
    #[error(
        "it was changed after it was signed, or its signature was: it says that `{key}` signed it, and that key did not sign these bytes; no line of a policy lets that in: get both again from their author"
    )]
    Altered {
        /// The key as the policy names it.
        key: String,
    },
    /// Signed by somebody who is trusted, and something that comes with the signature is not good.
    #[error(
        "it is signed, and what comes with the signature is not good: {0}; get it signed again; or, where other authorities and logs vouch for its signers, `trusted-root = \"trusted-root.json\"` in its [[trust]] block, with theirs in that file"
    )]
    NotProven(Rejection),
    /// Signed by somebody who is trusted, and what comes with the signature is good and too little.
    #[error(
        "it is signed, and what comes with the signature does not prove enough: {why}; get it signed again with that; or, {line}"
    )]
    TooLittleProof {
        /// What is missing.
        why: String,
        /// The line that asks for it or would be content without it, if there is one.
        line: String,
    },
    /// None of the trusted signers made the signature.
    #[error(
        "it is signed by nobody who is trusted ({hint}): if you trust the signer, {line} in a [[trust]] block for this plugin lets it in"
    )]
    UnknownSigner {
        /// The line that would let it in.
        line: String,
        /// What the signature says about its key. Not authenticated, for people only.
        hint: String,
    },
    /// The signer is known, but not for this plugin.
    #[error(
        "{signer} is not trusted for plugins named `{name}`: `plugins = [\"{name}\"]` in a [[trust]] block with that signer lets it in"
    )]
    NotTrustedForName {
        /// The name in the manifest.
        name: PluginName,
        /// Who signed.
        signer: String,
    },
    /// Signed with a key before or after its time.
    #[error(
        "it is signed with `{key}`, which the policy trusts {}: sign it with the key of today; {} in its [[trust]] block, in the place of that key, trusts the key now, if it is still in good hands",
        span(not_before, not_after),
        longer(key, not_before, not_after, at)
    )]
    KeyNotTrustedNow {
        /// The key as the policy names it.
        key: String,
        /// From when on it is trusted.
        not_before: Option<Moment>,
        /// Until when it is trusted.
        not_after: Option<Moment>,
        /// When that was asked.
        at: Moment,
    },
    /// Too few of the signers of a rule have signed.
    #[error(
        "`{name}` needs {require} signers and is signed by {} ({}): have more of them sign it, or be content with fewer by `require = {}` in its [[trust]] block",
        signed.len(), signed.join(", "), signed.len()
    )]
    TooFewSigners {
        /// The name in the manifest.
        name: PluginName,
        /// How many the rule asks for.
        require: u32,
        /// Who signed, as the policy names them, each once.
        signed: Vec<String>,
    },
    /// Something that must be attested of it is not.
    #[error(
        "its [[trust]] block asks for an attestation of type {predicate_type}: {why}; get one from who built it (`cosign attest-blob`, `wharf sign --attest`) into FILE.attestations.jsonl, and publish both again; what asks for it is `attestations = [{{ type = {} }}]`, with others and with signers perhaps, there",
        quoted(predicate_type)
    )]
    Unattested {
        /// What must be attested.
        predicate_type: String,
        /// What there is in its place.
        why: Box<Unattested>,
    },
    /// What should attest something is not of the one form that is accepted.
    #[error(
        "the attestations are not Sigstore v0.3 bundles with in-toto statements: {0}; no line of a policy lets in others: put what `cosign attest-blob --bundle` writes, one after the other, into FILE.attestations.jsonl"
    )]
    MalformedAttestations(String),
    /// An attestation that is to go with a component is about something else.
    #[error(
        "an attestation of type {predicate_type} is about another file: none of its subjects is {actual}, nor the image of it; no line of a policy changes that: remove its line from FILE.attestations.jsonl, or get the file that it is about"
    )]
    AttestationOfAnother {
        /// What it attests.
        predicate_type: String,
        /// The digest of the component.
        actual: Digest,
    },
    /// The rule that would let it in has ended.
    #[error(
        "the [[trust]] block for {plugins} ended at {until}: `valid-until = \"{}\"` there lets it in for another 30 days, if the block is still meant",
        at.plus(MONTH)
    )]
    RuleEnded {
        /// The patterns of the rule.
        plugins: String,
        /// When.
        until: Moment,
        /// When that was asked.
        at: Moment,
    },
    /// Older than what this runner has run.
    #[error(
        "`{name}` {version} is older than {highest}, which this runner has run: use a newer version; `allow-older = true` in its [[trust]] block lets older ones in"
    )]
    RolledBack {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Box<semver::Version>,
        /// The highest version that was run.
        highest: Box<semver::Version>,
    },
    /// The operator pinned other bytes.
    #[error(
        "{digest} is not among the pinned-digests that the policy has for `{name}`: `pinned-digests = [\"{digest}\"]` in its [[trust]] block, beside those, lets it in"
    )]
    NotPinned {
        /// The plugin.
        name: PluginName,
        /// Its digest.
        digest: Digest,
    },
    /// Older than the policy allows.
    #[error(
        "`{name}` {version} is older than {minimum}, the minimum-version of the policy: use a newer version; `minimum-version = \"{version}\"` in its [[trust]] block lets this one in"
    )]
    TooOld {
        /// The plugin.
        name: PluginName,
        /// Its version.
        version: Box<semver::Version>,
        /// The oldest that is allowed.
        minimum: Box<semver::Version>,
    },
    /// The operator denied exactly these bytes.
    #[error(
        "the policy denies exactly these bytes: use another version; what keeps them out is `denied-digests = [\"{0}\"]`, with others perhaps, in a [[trust]] block"
    )]
    DeniedDigest(Digest),
    /// Signed, but not a plugin.
    #[error("it is signed, but it is not a plugin, and no line of a policy makes it one: {0}")]
    BadManifest(#[from] BundleError),
}

/// What there is in place of an attestation that is asked for: of several, what came nearest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unattested {
    /// There is no file of attestations.
    #[error("nothing is attested of it")]
    NoneAtAll,
    /// There are attestations of other types.
    #[error("there are only others ({0})")]
    OfOtherTypes(String),
    /// What is of that type is about other files.
    #[error("those that are there are about other files")]
    OfOtherFiles,
    /// What is of that type and about it is by nobody who may attest it.
    #[error("the one that is there is by nobody whom the block trusts for it ({0})")]
    ByOthers(String),
    /// It is by a key before or after its time.
    #[error(
        "the one that is there is by `{key}`, which the policy trusts {}",
        span(not_before, not_after)
    )]
    KeyNotTrustedNow {
        /// The key as the policy names it.
        key: String,
        /// From when on it is trusted.
        not_before: Option<Moment>,
        /// Until when it is trusted.
        not_after: Option<Moment>,
    },
    /// It says that a trusted key made it, and that key did not.
    #[error(
        "the one that is there was changed: it says that `{key}` made it, and that key did not"
    )]
    Altered {
        /// The key as the policy names it.
        key: String,
    },
    /// It is by somebody who may attest it, and something that comes with it is not good.
    #[error("the one that is there is not good: {0}")]
    NotProven(Rejection),
}

impl Unattested {
    /// Of two reasons the one that came nearer; the first of two that came as near.
    pub(crate) fn or(self, other: Self) -> Self {
        if other.nearness() > self.nearness() {
            other
        } else {
            self
        }
    }

    fn nearness(&self) -> u8 {
        match self {
            Self::NoneAtAll => 0,
            Self::OfOtherTypes(_) => 1,
            Self::OfOtherFiles => 2,
            Self::ByOthers(_) => 3,
            Self::KeyNotTrustedNow { .. } | Self::Altered { .. } | Self::NotProven(_) => 4,
        }
    }
}

/// The line that trusts a key now, and no longer than needed.
fn longer(
    key: &str,
    not_before: &Option<Moment>,
    not_after: &Option<Moment>,
    at: &Moment,
) -> String {
    let bound = |name: &str, moment: Option<Moment>| match moment {
        Some(moment) => format!(", {name} = \"{moment}\""),
        None => String::new(),
    };
    let first = not_before.map(|first| first.min(*at));
    let last = not_after.map(|last| if last < *at { at.plus(MONTH) } else { last });
    format!(
        "`keys = [{{ path = {}{}{} }}]`",
        quoted(key),
        bound("not-before", first),
        bound("not-after", last)
    )
}

fn span(from: &Option<Moment>, until: &Option<Moment>) -> String {
    match (from, until) {
        (Some(from), Some(until)) => format!("from {from} until {until} only"),
        (Some(from), None) => format!("from {from} on only"),
        (None, Some(until)) => format!("until {until} only"),
        (None, None) => "always".to_owned(),
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
