//! Bundles that other tools made and the public instances logged: what must pass and what must not, by
//! the list that the tests of the program go by, too.

#![allow(clippy::unwrap_used)]

#[path = "sigstore/cases.rs"]
mod cases;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cases::{Case, Given, Outcome, Who};
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, Rejection, Signer, TrustRoot, VerifiedArtifact,
    VerifyingKey, verify_artifact,
};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const LOGIN: &str = "https://github.com/login/oauth";

fn path(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sigstore")
        .join(of)
}

fn root(name: &str) -> TrustRoot {
    match name {
        "" => TrustRoot::public_good().unwrap(),
        name => TrustRoot::load(&path(&format!("roots/{name}.json"))).unwrap(),
    }
}

/// The kind of the rejection, and what it says.
type Refused = (String, String);

fn verify(case: &Case) -> Result<VerifiedArtifact, Refused> {
    let root = match &case.root {
        None => TrustRoot::public_good(),
        Some(root) => TrustRoot::from_json(std::str::from_utf8(root).unwrap()),
    };
    let root = root.map_err(|error| ("root".to_owned(), error.to_string()))?;
    let artifact = match &case.artifact {
        Given::File(bytes) => Artifact::from_bytes(bytes),
        Given::Digest(digest) => Artifact::from_digest(digest.parse().unwrap()),
    };
    let refused = |error: Rejection| (error.kind().to_owned(), error.to_string());
    let evidence = |usual| match case.evidence.as_deref() {
        None => usual,
        Some("any") => Evidence::Any,
        Some("log") => Evidence::Log,
        Some("timestamp") => Evidence::Timestamp,
        Some("log-and-timestamp") => Evidence::LogAndTimestamp,
        Some(other) => panic!("{other}"),
    };
    match &case.who {
        Who::Key(pem) => {
            let key = VerifyingKey::from_pem(std::str::from_utf8(pem).unwrap()).unwrap();
            let evidence = evidence(Evidence::KeyAlone);
            let expected = Expected::Key(&key);
            let verified = verify_artifact(&artifact, &case.bundle, expected, &root, evidence);
            let verified = verified.map_err(refused)?;
            assert_eq!(*verified.signer(), Signer::Key(key.fingerprint()));
            Ok(verified)
        }
        Who::Identity { issuer, subject } => {
            let identity = Identity {
                issuer: issuer.clone(),
                subject: subject.clone(),
            };
            let evidence = evidence(Evidence::Log);
            let expected = Expected::Identity(&identity);
            let verified = verify_artifact(&artifact, &case.bundle, expected, &root, evidence);
            let verified = verified.map_err(refused)?;
            assert!(!verified.times().is_empty(), "{}", case.name);
            assert_eq!(*verified.signer(), Signer::Identity(identity));
            Ok(verified)
        }
    }
}

/// What became of each that is not as the list has it.
fn wrong(cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in cases {
        let found = verify(case);
        let as_listed = match (&case.outcome, &found) {
            (Outcome::Good(proof), Ok(found)) => {
                proof.is_none_or(|proof| proof == [found.log_entries(), found.timestamps()])
            }
            (Outcome::Refused { kind, says }, Err((found, said))) => {
                (kind.is_empty() || kind == found) && said.contains(says)
            }
            _ => false,
        };
        if !as_listed {
            wrong.push(format!("{}: {found:?}", case.name));
        }
    }
    wrong
}

fn by_digest(cases: &[Case]) -> Vec<Case> {
    cases.iter().filter_map(Case::by_digest).collect()
}

#[test]
fn each_bundle_of_other_tools_is_accepted_or_refused_for_its_fault() {
    let cases = cases::public();
    let wrong = wrong(&[by_digest(&cases), cases].concat());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_bundle_of_a_made_instance_is_accepted_or_refused_for_its_fault() {
    let cases = cases::made();
    assert!(cases.len() > 100);
    let wrong = wrong(&[by_digest(&cases), cases].concat());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_bundles_are_good_for_their_artifact_signer_and_root_only() {
    let cases: Vec<_> = cases::public().iter().flat_map(Case::in_vain).collect();
    assert!(cases.len() >= 5 * 15);
    let wrong = wrong(&cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_bundle_of_the_folder_is_in_the_list() {
    let listed: Vec<_> = cases::public()
        .into_iter()
        .map(|case| case.bundle)
        .collect();
    for file in std::fs::read_dir(path("bundles")).unwrap() {
        let file = file.unwrap().path();
        assert!(listed.contains(&std::fs::read(&file).unwrap()), "{file:?}");
    }
}

#[test]
fn a_key_and_a_root_without_witnesses_prove_who_and_not_when() {
    assert!(!root("empty").has_witnesses() && root("").has_witnesses());
    let alone = cases::public().into_iter().filter(|case| {
        case.name.starts_with("managed-key-alone") && matches!(case.outcome, Outcome::Good(_))
    });
    let times: Vec<_> = alone
        .map(|case| verify(&case).unwrap().times().len())
        .collect();
    assert_eq!(times, [0, 0]);
}

#[test]
fn an_entry_of_the_old_kind_may_have_the_hash_of_the_payload_alone() {
    let good = cases::public()
        .into_iter()
        .find(|case| case.name.starts_with("intoto-canonical"))
        .unwrap();
    let verified = verify(&good).unwrap();
    assert_eq!(verified.predicate_type(), Some("https://example.com/test"));
    // The log gives neither a promise nor a time.
    assert!(verified.times().is_empty());
}

#[test]
fn a_certificate_without_an_issuer_of_the_identity_vouches_for_nobody() {
    let of_nobody = cases::public()
        .into_iter()
        .filter(|case| case.name.starts_with("github-private"));
    for mut case in of_nobody {
        case.evidence = Some("timestamp".to_owned());
        case.artifact = Given::Digest(
            "sha256:76f1fe8593bf227cca2c089e3c16dc95014a8d3e89c5dd220530469ca043c428".to_owned(),
        );
        case.who = Who::Identity {
            issuer: String::new(),
            subject: "https://dotcom.releases.github.com".to_owned(),
        };
        let (kind, said) = verify(&case).unwrap_err();
        assert_eq!(kind, "certificate", "{said}");
        assert!(said.contains("who vouches"), "{said}");
    }
}

#[test]
fn the_roots_that_are_carried_and_given_are_usable() {
    for name in ["", "staging", "github", "scaffolding", "timestamp"] {
        root(name);
    }
    assert_eq!(TrustRoot::public_good().unwrap().name(), "public-good");
}

/// A bundle as an older version has it, without what only a log gives.
fn without_log(name: &str, version: &str) -> Vec<u8> {
    let mut bundle: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path(&format!("bundles/{name}.json"))).unwrap())
            .unwrap();
    bundle["mediaType"] = version.into();
    let material = bundle["verificationMaterial"].as_object_mut().unwrap();
    material.remove("tlogEntries");
    if let Some(certificate) = material.remove("certificate") {
        let chain = serde_json::json!({ "certificates": [certificate] });
        material.insert("x509CertificateChain".to_owned(), chain);
    }
    bundle.to_string().into_bytes()
}

#[test]
fn what_must_be_in_an_older_bundle_is_what_was_asked_for_too() {
    let key = VerifyingKey::load(&path("artifacts/managed-key.pub")).unwrap();
    let identity = Identity {
        issuer: LOGIN.to_owned(),
        subject: "w.vollprecht@gmail.com".to_owned(),
    };
    let public_good = TrustRoot::public_good().unwrap();
    let old = "application/vnd.dev.sigstore.bundle+json;version=";
    for version in [format!("{old}0.1"), format!("{old}0.2")] {
        for (name, expected, alone) in [
            ("managed-key", Expected::Key(&key), Ok(0)),
            (
                "cosign-v3-blob",
                Expected::Identity(&identity),
                Err("not-enough"),
            ),
        ] {
            let bundle = without_log(name, &version);
            let file = std::fs::read(path(&format!("artifacts/{name}.txt"))).unwrap();
            let of = |evidence| {
                let artifact = Artifact::from_bytes(&file);
                verify_artifact(&artifact, &bundle, expected, &public_good, evidence)
                    .map(|verified| verified.log_entries())
                    .map_err(|error| error.kind())
            };
            assert_eq!(of(Evidence::Timestamp), Ok(0), "{name} {version}");
            assert_eq!(of(Evidence::KeyAlone), alone, "{name} {version}");
            assert_eq!(of(Evidence::Log), Err("not-enough"), "{name} {version}");
        }
    }
}

#[test]
fn what_is_too_large_for_a_certificate_or_a_timestamp_is_not_read() {
    let good: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path("bundles/npm-slsa.json")).unwrap()).unwrap();
    let large = STANDARD.encode(vec![0x30; 17 << 10]);
    let mut with_timestamp = good.clone();
    with_timestamp["verificationMaterial"]["timestampVerificationData"] =
        serde_json::json!({ "rfc3161Timestamps": [{ "signedTimestamp": large }] });
    let mut with_certificate = good;
    with_certificate["verificationMaterial"]["certificate"]["rawBytes"] = large.into();
    for bundle in [with_timestamp, with_certificate] {
        let identity = Identity {
            issuer: GITHUB.to_owned(),
            subject: String::new(),
        };
        let error = wharf_bundle::sigstore::verify_artifact(
            &Artifact::from_bytes(b""),
            bundle.to_string().as_bytes(),
            Expected::Identity(&identity),
            &TrustRoot::public_good().unwrap(),
            Evidence::Any,
        )
        .unwrap_err();
        assert!(error.to_string().contains("may have 16384"), "{error}");
    }
}
