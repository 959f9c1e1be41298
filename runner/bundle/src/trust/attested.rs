//! What must be attested of a component beside its being signed, and whether it is.
//!
//! An attestation counts if its statement is of exactly the type that is asked for and about this
//! component, and one of those who may attest it made it. What its predicate claims is not looked at.

use super::signers::{Not, Signers, With};
use crate::attestation_file::Subject;
use crate::sigstore::Rejection;
use crate::{AttestationFile, Refusal, Unattested};

/// One attestation that a rule asks for.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    pub(super) predicate_type: String,
    /// Any one of whom is enough.
    pub(super) signers: Signers,
}

/// What came with a component: who signed it is known by now, what is attested of it is not.
pub(super) struct Attested<'a> {
    file: Option<Result<AttestationFile, Refusal>>,
    subject: Subject<'a>,
}

impl<'a> Attested<'a> {
    pub(super) fn new(subject: Subject<'a>, file: Option<&[u8]>) -> Self {
        let file = file.map(AttestationFile::parse);
        Self { file, subject }
    }

    /// The attestations. A file that cannot be read attests nothing, and that is said.
    fn file(&self) -> Result<Option<&AttestationFile>, Refusal> {
        match &self.file {
            None => Ok(None),
            Some(Ok(file)) => Ok(Some(file)),
            Some(Err(why)) => Err(why.clone()),
        }
    }
}

impl Demand {
    /// Whether it is met.
    ///
    /// # Errors
    /// Why not: of all that there is, what came nearest.
    pub(super) fn check(&self, attested: &Attested<'_>, with: With<'_>) -> Result<(), Refusal> {
        let lacks = |why| Refusal::Unattested {
            predicate_type: self.predicate_type.clone(),
            why: Box::new(why),
        };
        let file = attested
            .file()?
            .ok_or_else(|| lacks(Unattested::NoneAtAll))?;
        let mut nearest = Unattested::OfOtherTypes(types(file));
        for attestation in file.attestations() {
            if attestation.statement.predicate_type() != self.predicate_type {
                continue;
            }
            let Some(artifact) = attestation.about(&attested.subject) else {
                nearest = nearest.or(Unattested::OfOtherFiles);
                continue;
            };
            let (signers, others) = self.signers.who_made(&attestation.bundle, &artifact, with);
            if !signers.is_empty() {
                return Ok(());
            }
            nearest = nearest.or(Unattested::ByOthers(attestation.said()));
            for why in others {
                nearest = match telling(why) {
                    Some(why) => nearest.or(why),
                    None => nearest,
                };
            }
        }
        Err(lacks(nearest))
    }
}

/// That somebody else made it says nothing while there are others to try.
fn telling(why: Not) -> Option<Unattested> {
    match why {
        Not::KeyNotTrustedNow(key) => Some(Unattested::KeyNotTrustedNow {
            key: key.path,
            not_before: key.not_before,
            not_after: key.not_after,
        }),
        Not::Altered(key) => Some(Unattested::Altered { key: key.path }),
        Not::Proven(
            Rejection::BadSignature(_)
            | Rejection::WrongSigner(_)
            | Rejection::WrongIdentity { .. },
        ) => None,
        Not::Proven(why) => Some(Unattested::NotProven(why)),
    }
}

/// The types of what is there, each once, for people.
fn types(file: &AttestationFile) -> String {
    let mut types: Vec<&str> = file.predicate_types().collect();
    types.sort_unstable();
    types.dedup();
    let shortened = types.iter().map(|name| name.chars().take(120).collect());
    shortened.collect::<Vec<String>>().join(", ")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use wharf_policy::{Digest, TrustedIdentity, TrustedKey};

    use super::*;
    use crate::sigstore::{Evidence, TrustRoot};
    use crate::{SigningKey, attest, digest};

    const BUNDLE: &str = include_str!("../../tests/sigstore/bundles/kubewarden-slsa.json");
    const ABOUT: &str = "sha256:c811d58de79c92f03214e63aa339484e488d694ae8a6283b5f3f17a9faf50172";
    const ISSUER: &str = "https://token.actions.githubusercontent.com";
    const WORKFLOW: &str = "https://github.com/kubewarden/kubewarden-controller/.github/workflows/release.yml@refs/tags/v1.34.0";

    /// Whether a statement of a workflow on GitHub counts where that identity is asked for.
    fn by_identity(
        bundle: &str,
        about: Digest,
        issuer: &str,
        subject: &str,
    ) -> Result<(), Refusal> {
        let identity = TrustedIdentity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        };
        let demand = Demand {
            predicate_type: crate::oci::PREDICATE.to_owned(),
            signers: Signers {
                keys: Vec::new(),
                identities: vec![identity],
            },
        };
        let root = TrustRoot::public_good().unwrap();
        let with = With {
            root: &root,
            evidence: (Evidence::KeyAlone, Evidence::Log),
            now: "2026-06-01".parse().unwrap(),
        };
        let attested = Attested::new(Subject::new(b"", about), Some(bundle.as_bytes()));
        demand.check(&attested, with)
    }

    fn lack(result: Result<(), Refusal>) -> Unattested {
        match result {
            Err(Refusal::Unattested { why, .. }) => *why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_workflow_attested_counts_for_exactly_its_identity_and_its_file() {
        let about: Digest = ABOUT.parse().unwrap();
        assert_eq!(by_identity(BUNDLE, about, ISSUER, WORKFLOW), Ok(()));
        let tag = WORKFLOW.replace("v1.34.0", "v1.34.1");
        for (issuer, subject) in [(ISSUER, tag.as_str()), ("https://issuer.test", WORKFLOW)] {
            let why = lack(by_identity(BUNDLE, about, issuer, subject));
            assert!(
                matches!(&why, Unattested::ByOthers(who) if who.contains(WORKFLOW)),
                "{why}"
            );
        }
        let other = lack(by_identity(BUNDLE, digest(b"other"), ISSUER, WORKFLOW));
        assert_eq!(other, Unattested::OfOtherFiles);
    }

    #[test]
    fn what_a_workflow_attested_does_not_count_once_anything_that_proves_it_is_changed() {
        let about: Digest = ABOUT.parse().unwrap();
        let change = |member: &str| {
            let mut bundle: serde_json::Value = serde_json::from_str(BUNDLE).unwrap();
            let text = bundle.pointer_mut(member).unwrap();
            let mut bytes = STANDARD.decode(text.as_str().unwrap()).unwrap();
            let middle = bytes.len() / 2;
            *bytes.get_mut(middle).unwrap() ^= 1;
            *text = STANDARD.encode(bytes).into();
            bundle.to_string()
        };
        for member in [
            "/dsseEnvelope/signatures/0/sig",
            "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
            "/verificationMaterial/tlogEntries/0/canonicalizedBody",
        ] {
            assert!(
                by_identity(&change(member), about, ISSUER, WORKFLOW).is_err(),
                "{member}"
            );
        }
    }

    #[test]
    fn the_evidence_that_the_block_asks_for_is_asked_of_its_attestations_too() {
        let key = SigningKey::generate().unwrap();
        let trusted: TrustedKey = serde_json::from_str("\"ours.pub\"").unwrap();
        let demand = Demand {
            predicate_type: "https://acme.test/review".to_owned(),
            signers: Signers {
                keys: vec![(trusted, key.public().clone())],
                identities: Vec::new(),
            },
        };
        let component = b"component";
        let of = digest(component);
        let file = attest(of, &demand.predicate_type, &serde_json::Value::Null, &key).unwrap();
        let root = TrustRoot::public_good().unwrap();
        let check = |evidence| {
            let attested = Attested::new(Subject::new(component, of), Some(&file));
            let with = With {
                root: &root,
                evidence: (evidence, Evidence::Log),
                now: "2026-06-01".parse().unwrap(),
            };
            demand.check(&attested, with)
        };
        assert_eq!(check(Evidence::KeyAlone), Ok(()));
        for evidence in [Evidence::Any, Evidence::Log, Evidence::Timestamp] {
            match check(evidence) {
                Err(Refusal::Unattested { why, .. }) => assert!(
                    matches!(*why, Unattested::NotProven(Rejection::NotEnough(_))),
                    "{why}"
                ),
                other => panic!("{other:?}"),
            }
        }
    }
}
