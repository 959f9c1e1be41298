//! What a trusted root says about when somebody was trusted holds to the second, and only for them.

#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, Rejection, TrustRoot, VerifiedArtifact, verify_artifact,
};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const RELEASE: &str =
    "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main";

fn asset(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sigstore");
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

fn public_good() -> Value {
    serde_json::from_str(sigstore_trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT).unwrap()
}

fn with_timestamps() -> Value {
    serde_json::from_slice(&asset("roots/timestamp.json")).unwrap()
}

fn verify(
    bundle: &str,
    artifact: &str,
    subject: &str,
    root: &Value,
) -> Result<VerifiedArtifact, Rejection> {
    let identity = Identity {
        issuer: GITHUB.to_owned(),
        subject: subject.to_owned(),
    };
    verify_artifact(
        &Artifact::from_bytes(&asset(artifact)),
        &asset(&format!("bundles/{bundle}.json")),
        Expected::Identity(&identity),
        &TrustRoot::from_json(&root.to_string()).unwrap(),
        Evidence::Log,
    )
}

/// Logged by Rekor v1, which says when.
fn logged(root: &Value) -> Result<VerifiedArtifact, Rejection> {
    verify("npm-slsa", "artifacts/sigstore-5.0.0.tgz", RELEASE, root)
}

/// Logged by Rekor v2, with the timestamp of an authority.
fn stamped(root: &Value) -> Result<VerifiedArtifact, Rejection> {
    verify(
        "rekor-v2-timestamp",
        "artifacts/managed-key.txt",
        BEACON,
        root,
    )
}

/// The one proven time, and the second before.
fn time(verified: &VerifiedArtifact) -> (Timestamp, Timestamp) {
    let [time] = *verified.times() else {
        panic!("one time: {:?}", verified.times());
    };
    (time, time - SignedDuration::from_secs(1))
}

#[test]
fn a_log_is_trusted_up_to_the_last_second_of_its_window() {
    let (time, before) = time(&logged(&public_good()).unwrap());
    for (end, good) in [(time, true), (before, false)] {
        let mut root = public_good();
        for log in root["tlogs"].as_array_mut().unwrap() {
            log["publicKey"]["validFor"]["end"] = json!(end.to_string());
        }
        assert_eq!(logged(&root).is_ok(), good, "{end}: {:?}", logged(&root));
    }
}

#[test]
fn a_timestamp_authority_is_trusted_up_to_the_last_second_of_its_window() {
    let (time, before) = time(&stamped(&with_timestamps()).unwrap());
    for (end, good) in [(time, true), (before, false)] {
        let mut root = with_timestamps();
        root["timestampAuthorities"][0]["validFor"]["end"] = json!(end.to_string());
        assert_eq!(stamped(&root).is_ok(), good, "{end}: {:?}", stamped(&root));
    }
}

#[test]
fn the_window_of_one_timestamp_authority_is_not_another_ones() {
    let (_, before) = time(&stamped(&with_timestamps()).unwrap());
    let mut ended = with_timestamps();
    ended["timestampAuthorities"][0]["validFor"]["end"] = json!(before.to_string());
    let others = public_good()["timestampAuthorities"].clone();
    for other in [
        others[0].clone(),
        json!({ "certChain": { "certificates": [] } }),
    ] {
        let mut root = ended.clone();
        let mut other = other;
        other["validFor"] = json!({ "start": "2020-01-01T00:00:00Z" });
        root["timestampAuthorities"]
            .as_array_mut()
            .unwrap()
            .push(other);
        // A root that has an authority without certificates need not be taken at all.
        if TrustRoot::from_json(&root.to_string()).is_ok() {
            stamped(&root).unwrap_err();
        }
    }
}

#[test]
fn a_window_without_a_start_is_no_window() {
    for place in [
        "/tlogs/0/publicKey",
        "/ctlogs/0/publicKey",
        "/certificateAuthorities/0",
        "/timestampAuthorities/0",
    ] {
        for window in [json!({}), json!({ "end": "2030-01-01T00:00:00Z" })] {
            let mut root = public_good();
            root.pointer_mut(place).unwrap()["validFor"] = window;
            TrustRoot::from_json(&root.to_string()).unwrap_err();
        }
    }
}

#[test]
fn whether_a_root_names_witnesses_depends_on_no_clock() {
    let mut root = public_good();
    root["tlogs"] = json!([]);
    for authority in root["timestampAuthorities"].as_array_mut().unwrap() {
        authority["validFor"] = json!({ "start": "2999-01-01T00:00:00Z" });
    }
    let root = TrustRoot::from_json(&root.to_string()).unwrap();
    assert!(root.has_witnesses());
}
