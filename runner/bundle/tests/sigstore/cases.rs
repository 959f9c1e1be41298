//! The one list of what must become of each bundle: `cases.json` of the bundles of others, and
//! `instances/cases.jsonl` of the made ones. The tests of the library read it, and those that run the
//! program, which include this file.

#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// A bundle, what it is verified for and with, and what must come of it.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub bundle: Vec<u8>,
    pub artifact: Given,
    /// That of the public-good instance if there is none.
    pub root: Option<Vec<u8>>,
    pub who: Who,
    /// As `--evidence` has it.
    pub evidence: Option<String>,
    pub outcome: Outcome,
    /// The kind of the rejection if a digest is given and the bundle needs the file.
    by_digest: Option<String>,
}

#[derive(Clone)]
pub enum Given {
    File(Vec<u8>),
    Digest(String),
}

#[derive(Clone)]
pub enum Who {
    /// A public key (PEM).
    Key(Vec<u8>),
    Identity {
        issuer: String,
        subject: String,
    },
}

#[derive(Clone)]
pub enum Outcome {
    /// It verifies; with so many log entries and timestamps, where the list says how many.
    Good(Option<[usize; 2]>),
    /// It is refused. The kind is empty where any will do.
    Refused { kind: String, says: String },
}

impl Outcome {
    fn refused(kind: &str) -> Self {
        Self::Refused {
            kind: kind.to_owned(),
            says: String::new(),
        }
    }
}

impl Case {
    /// The same with the digest in place of the file.
    pub fn by_digest(&self) -> Option<Self> {
        let Given::File(bytes) = &self.artifact else {
            return None;
        };
        let hex: String = Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(Self {
            name: format!("{} by digest", self.name),
            artifact: Given::Digest(format!("sha256:{hex}")),
            outcome: match &self.by_digest {
                None => self.outcome.clone(),
                Some(kind) => Outcome::refused(kind),
            },
            ..self.clone()
        })
    }

    /// What a good bundle of an identity is not good for: another file, signer or instance.
    pub fn in_vain(&self) -> Vec<Self> {
        let (Who::Identity { issuer, subject }, Outcome::Good(_)) = (&self.who, &self.outcome)
        else {
            return Vec::new();
        };
        let refused = |how: &str, kind: &str| Self {
            name: format!("{} {how}", self.name),
            outcome: Outcome::refused(kind),
            ..self.clone()
        };
        let by = |how: &str, issuer: &str, subject: &str| Self {
            who: Who::Identity {
                issuer: issuer.to_owned(),
                subject: subject.to_owned(),
            },
            ..refused(how, "wrong-identity")
        };
        vec![
            Self {
                artifact: Given::File(b"another file".to_vec()),
                ..refused("of another file", "wrong-artifact")
            },
            by("by another issuer", "https://issuer.test", subject),
            by("by somebody else", issuer, "somebody@else.test"),
            by("by nearly the same", issuer, &subject[1..]),
            Self {
                root: Some(read("roots/github.json")),
                ..refused("of another instance", "")
            },
        ]
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Public {
    /// A file of `bundles`.
    bundle: String,
    /// A digest, or a file of `artifacts`.
    artifact: String,
    /// A file of `roots`.
    root: Option<String>,
    /// A file of `artifacts`.
    key: Option<String>,
    issuer: Option<String>,
    subject: Option<String>,
    evidence: Option<String>,
    /// How many log entries and timestamps a good one has.
    proof: Option<[usize; 2]>,
    /// The kind of the rejection.
    refused: Option<String>,
    /// What is said beside.
    #[serde(default)]
    says: String,
    by_digest: Option<String>,
}

/// Bundles that other tools made and the public instances logged, and some that must not pass.
pub fn public() -> Vec<Case> {
    let rows: Vec<Public> = serde_json::from_slice(&read("cases.json")).unwrap();
    rows.into_iter().map(Case::from).collect()
}

impl From<Public> for Case {
    fn from(row: Public) -> Self {
        let (who, by) = match (row.key, row.issuer, row.subject) {
            (Some(key), None, None) => (
                Who::Key(read(&format!("artifacts/{key}.pub"))),
                "key".to_owned(),
            ),
            (None, Some(issuer), Some(subject)) => {
                let by = subject.clone();
                (Who::Identity { issuer, subject }, by)
            }
            _ => panic!("{}: a key, or an issuer and a subject", row.bundle),
        };
        Self {
            name: format!("{} by {by}, root {:?}", row.bundle, row.root),
            bundle: read(&format!("bundles/{}.json", row.bundle)),
            artifact: match row.artifact.starts_with("sha256:") {
                true => Given::Digest(row.artifact),
                false => Given::File(read(&format!("artifacts/{}", row.artifact))),
            },
            root: row.root.map(|name| read(&format!("roots/{name}.json"))),
            who,
            evidence: row.evidence,
            outcome: match (row.refused, row.proof) {
                (None, Some(proof)) => Outcome::Good(Some(proof)),
                (Some(kind), None) => Outcome::Refused {
                    kind,
                    says: row.says,
                },
                _ => panic!("{}: a proof, or why it is refused", row.bundle),
            },
            by_digest: row.by_digest,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Made<'c> {
    name: String,
    good: bool,
    /// The kind of the rejection, or `root` where the trusted root cannot be used.
    #[serde(default)]
    why: String,
    /// What another verifier said.
    #[serde(rename = "others")]
    _others: String,
    #[serde(borrow)]
    bundle: &'c RawValue,
    #[serde(borrow)]
    root: &'c RawValue,
    artifact: String,
    evidence: Option<String>,
    subject: String,
    issuer: String,
    by_digest: Option<String>,
}

/// Bundles of instances that were made for the purpose: one fault each, or one thing that is unusual
/// and good. `instances/README.md` says more.
pub fn made() -> Vec<Case> {
    let lines = read("instances/cases.jsonl");
    let lines = std::str::from_utf8(&lines).unwrap().lines();
    lines
        .map(|line| Case::from(serde_json::from_str::<Made<'_>>(line).unwrap()))
        .collect()
}

impl From<Made<'_>> for Case {
    fn from(row: Made<'_>) -> Self {
        Self {
            name: row.name,
            bundle: row.bundle.get().as_bytes().to_vec(),
            artifact: Given::File(STANDARD.decode(row.artifact).unwrap()),
            root: Some(row.root.get().as_bytes().to_vec()),
            who: Who::Identity {
                issuer: row.issuer,
                subject: row.subject,
            },
            evidence: row.evidence,
            outcome: match row.good {
                true => Outcome::Good(None),
                false => Outcome::refused(&row.why),
            },
            by_digest: row.by_digest,
        }
    }
}

/// The folder that this file is in.
fn folder() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    [
        package.join("tests/sigstore"),
        package.join("../../runner/bundle/tests/sigstore"),
    ]
    .into_iter()
    .find(|folder| folder.is_dir())
    .unwrap()
}

fn read(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
