//! Bundles of Sigstore instances that were made for the purpose: one fault each, or one thing that is
//! unusual and good. `sigstore/instances/README.md` says more.

#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use wharf_bundle::sigstore::{Artifact, Evidence, Expected, Identity, TrustRoot, verify_artifact};

#[derive(Deserialize)]
struct Case<'c> {
    name: String,
    good: bool,
    /// The kind of the rejection, or `root` where the trusted root cannot be used.
    #[serde(default)]
    why: String,
    #[serde(borrow)]
    bundle: &'c RawValue,
    #[serde(borrow)]
    root: &'c RawValue,
    artifact: String,
    #[serde(default)]
    evidence: String,
    subject: String,
    issuer: String,
}

/// The kind of the rejection, and what it says.
fn check(case: &Case<'_>) -> Result<(), (String, String)> {
    let root = TrustRoot::from_json(case.root.get())
        .map_err(|error| ("root".to_owned(), error.to_string()))?;
    let artifact = STANDARD.decode(&case.artifact).unwrap();
    let identity = Identity {
        issuer: case.issuer.clone(),
        subject: case.subject.clone(),
    };
    let evidence = match case.evidence.as_str() {
        "" => Evidence::Log,
        "timestamp" => Evidence::Timestamp,
        other => panic!("{other}"),
    };
    verify_artifact(
        &Artifact::from_bytes(&artifact),
        case.bundle.get().as_bytes(),
        Expected::Identity(&identity),
        &root,
        evidence,
    )
    .map(drop)
    .map_err(|error| (error.kind().to_owned(), error.to_string()))
}

#[test]
fn each_bundle_of_a_made_instance_is_accepted_or_refused_for_its_fault() {
    let cases = include_str!("sigstore/instances/cases.jsonl");
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let case: Case<'_> = serde_json::from_str(line).unwrap();
        let outcome = check(&case);
        let as_expected = match &outcome {
            Ok(()) => case.good,
            Err((kind, _)) => !case.good && *kind == case.why,
        };
        if !as_expected {
            wrong.push(format!("{}: {outcome:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.lines().count() > 100);
}
