//! `wharf verify`: whether somebody signed a file, by a key, an identity or a trust policy.

mod roots;
mod subject;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args, ValueEnum};
use serde_json::json;
use wharf_bundle::signature_path;
use wharf_bundle::sigstore::{
    Evidence, Expected, Identity, MAX_BUNDLE, Rejection, Signer, TrustRoot, VerifiedArtifact,
    VerifyingKey,
};

use crate::exit::{Context, Exit, Failure, Result};
use crate::local::{self, Papers};
use crate::terminal;
use roots::{Root, Roots};
use subject::{Subject, check_file};

/// Verifies any file against its Sigstore bundle. Nothing is fetched.
///
/// Whatever is in the bundle must verify: signature, certificate with its transparency, log entries,
/// timestamps. Bundles of version 0.1, 0.2 and 0.3 are understood, with message signatures and
/// in-toto attestations.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("against").required(true).args(["policy", "key", "certificate_identity"])))]
pub(crate) struct Verify {
    /// Any file, or the sha256:HEX of one; with --policy a plugin. What is written as a digest is one: a
    /// file of such a name is ./sha256:HEX
    #[arg(value_name = "FILE_OR_DIGEST")]
    artifact: String,
    /// The Sigstore bundle, or several one after the other; FILE.sigstore.json if left out
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// A trust policy: who may sign which plugins. What it wants attested is looked for in
    /// FILE.attestations.jsonl
    #[arg(long, value_name = "FILE", conflicts_with_all = ["trusted_root", "evidence"])]
    policy: Option<PathBuf>,
    /// A public key (PEM): ECDSA P-256, P-384, P-521, Ed25519 or RSA
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Whom the certificate must be for, exactly: an address of mail, a URI, a user name
    #[arg(long, value_name = "IDENTITY", requires = "certificate_oidc_issuer")]
    certificate_identity: Option<String>,
    /// Who must have vouched for the identity, exactly
    #[arg(long, value_name = "URL", requires = "certificate_identity", conflicts_with_all = ["key", "policy"])]
    certificate_oidc_issuer: Option<String>,
    /// The trusted root (JSON) of the Sigstore instance, or several one after the other, as
    /// `gh attestation trusted-root` writes them: any one of them is enough. If left out, that of the
    /// public-good instance as of 2026-10-23, which this program carries
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// By the root of the public-good instance's staging, which this program carries as well. Anybody
    /// can try things there: for tests only
    #[arg(long, conflicts_with_all = ["trusted_root", "policy"])]
    staging: bool,
    /// What must prove that the signature was made, and when. If left out: for identities `log`, or
    /// `timestamp` with a root that names timestamp authorities and no logs; for a key with
    /// --trusted-root or --staging `any`; for a key alone, or with a root that names neither logs nor
    /// timestamp authorities, nothing
    #[arg(long, value_name = "WHAT")]
    evidence: Option<EvidenceArg>,
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EvidenceArg {
    /// A log entry or a timestamp
    Any,
    /// A log entry
    Log,
    /// A timestamp, also without a log entry: for instances that have no log
    Timestamp,
    /// Both
    LogAndTimestamp,
}

impl From<EvidenceArg> for Evidence {
    fn from(evidence: EvidenceArg) -> Self {
        match evidence {
            EvidenceArg::Any => Self::Any,
            EvidenceArg::Log => Self::Log,
            EvidenceArg::Timestamp => Self::Timestamp,
            EvidenceArg::LogAndTimestamp => Self::LogAndTimestamp,
        }
    }
}

impl Verify {
    pub(crate) fn run(self) -> Result<Exit> {
        match (&self.policy, &self.key, &self.certificate_identity) {
            (Some(policy), None, None) => self.against_policy(policy),
            (None, Some(key), None) => {
                let key = VerifyingKey::load(key)
                    .or_exit(Exit::Usage, format_args!("cannot use {}", key.display()))?;
                self.against(Expected::Key(&key))
            }
            (None, None, Some(subject)) => {
                let identity = Identity {
                    issuer: self.certificate_oidc_issuer.clone().unwrap_or_default(),
                    subject: subject.clone(),
                };
                if identity.issuer.is_empty() || identity.subject.is_empty() {
                    return Err(Failure::usage("an identity and its issuer cannot be empty"));
                }
                self.against(Expected::Identity(&identity))
            }
            _ => Err(Failure::usage(
                "name one of --policy, --key and --certificate-identity",
            )),
        }
    }

    fn roots(&self) -> Result<Roots> {
        let carried = match (&self.trusted_root, self.staging) {
            (Some(path), _) => return Roots::load(path),
            (None, true) => Roots::carried(TrustRoot::staging(), true),
            (None, false) => Roots::carried(TrustRoot::public_good(), false),
        };
        carried.or_exit(
            Exit::Refused,
            format_args!("{} is not verified", self.artifact),
        )
    }

    fn against(&self, expected: Expected<'_>) -> Result<Exit> {
        let subject = Subject::parse(&self.artifact)?;
        let bundle = self.read_bundle(&subject)?;
        let roots = self.roots()?;
        let found = subject.read()?;
        let asked = self.evidence.map(Evidence::from);
        match roots.verify(&found.artifact(), &bundle, expected, asked) {
            Ok((verified, root)) => {
                self.report(&verified, &root.name);
                Ok(Exit::Done)
            }
            Err(refusals) => Err(self.refusal(&refusals)),
        }
    }

    /// Why none of the roots was enough.
    fn refusal(&self, refusals: &[(&Root, Rejection)]) -> Failure {
        let words = match refusals {
            [(_, why)] => why.to_string(),
            several => several
                .iter()
                .map(|(root, why)| format!("with {}: {why}", root.name))
                .collect::<Vec<_>>()
                .join("; "),
        };
        let failure = Failure::refused(format_args!("{} is not verified: {words}", self.artifact));
        let too_little = |why: &Rejection| matches!(why, Rejection::NotEnough(_));
        match self.evidence.is_none() && refusals.iter().any(|(_, why)| too_little(why)) {
            true => failure.help(
                "--evidence says what must prove it; `--evidence timestamp` is for instances that have no log",
            ),
            false => failure,
        }
    }

    fn against_policy(&self, policy: &Path) -> Result<Exit> {
        let subject = Subject::parse(&self.artifact)?;
        let Subject::File(file) = &subject else {
            return Err(Failure::usage(
                "a policy is about plugins: give the file, not its digest",
            ));
        };
        let bytes: Arc<[u8]> = local::read(file)?.into();
        let mut papers = Papers::beside(file)?;
        if self.bundle.is_some() {
            papers.signatures = Some(self.read_bundle(&subject)?);
        }
        let (_, trust) = local::load_policy(policy)?;
        let verified = trust.verify_with(bytes, papers.as_beside()).or_exit(
            Exit::Refused,
            format_args!("{} is not verified", file.display()),
        )?;
        let signers: Vec<&str> = verified
            .signers()
            .iter()
            .map(|signer| signer.name.as_str())
            .collect();
        let digest = verified.digest();
        let attested = verified.attested();
        if self.json {
            terminal::print_json(&json!({
                "ok": true,
                "file": file,
                "digest": digest,
                "signers": signers,
                "attested": attested,
            }));
        } else {
            terminal::print(format_args!(
                "verified {digest}, signed by {}{}",
                signers.join(", "),
                match attested {
                    [] => String::new(),
                    types => format!("; attested: {}", types.join(", ")),
                }
            ));
        }
        Ok(Exit::Done)
    }

    fn read_bundle(&self, subject: &Subject) -> Result<Vec<u8>> {
        let path = match (&self.bundle, subject) {
            (Some(path), Subject::Digest(_)) => path.clone(),
            (Some(path), Subject::File(file)) => {
                check_file(file)?;
                path.clone()
            }
            (None, Subject::Digest(_)) => {
                return Err(Failure::usage("name the --bundle of that digest"));
            }
            (None, Subject::File(file)) => {
                check_file(file)?;
                let path = signature_path(file);
                if !path.exists() {
                    return Err(Failure::refused(format_args!(
                        "{} is not signed: no {}",
                        self.artifact,
                        path.display()
                    ))
                    .help("sign it with `wharf sign`, or name the bundle with --bundle"));
                }
                path
            }
        };
        local::read_small(&path, MAX_BUNDLE, "bundles are small")
    }

    fn report(&self, verified: &VerifiedArtifact, root: &str) {
        let by = match verified.signer() {
            Signer::Key(_) => match &self.key {
                Some(key) => key.display().to_string(),
                None => String::new(),
            },
            Signer::Identity(identity) => identity.to_string(),
        };
        if self.json {
            let times: Vec<String> = verified.times().iter().map(ToString::to_string).collect();
            let signer = match verified.signer() {
                Signer::Key(fingerprint) => json!({ "key": fingerprint }),
                Signer::Identity(identity) => {
                    json!({ "identity": identity.subject, "issuer": identity.issuer })
                }
            };
            terminal::print_json(&json!({
                "ok": true,
                "file": self.artifact,
                "digest": verified.digest(),
                "signers": [by],
                "signer": signer,
                "times": times,
                "log-entries": verified.log_entries(),
                "timestamps": verified.timestamps(),
                "attestation": verified.predicate_type(),
                "trusted-root": root,
            }));
            return;
        }
        let what = match verified.predicate_type() {
            Some(attestation) => format!("attested ({attestation})"),
            None => "signed".to_owned(),
        };
        let proof = match (verified.log_entries(), verified.timestamps()) {
            (0, 0) => "no proof of when".to_owned(),
            (logged, stamped) => format!("{logged} log entries and {stamped} timestamps"),
        };
        terminal::print(format_args!(
            "verified {}, {what} by {by}; {proof}",
            verified.digest()
        ));
    }
}
