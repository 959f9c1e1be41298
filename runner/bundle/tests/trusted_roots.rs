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

/// Each name as protobuf spells it.
fn in_snake_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, member)| {
                let mut snake = String::new();
                for c in name.chars() {
                    if c.is_ascii_uppercase() {
                        snake.push('_');
                    }
                    snake.push(c.to_ascii_lowercase());
                }
                (snake, in_snake_case(member))
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(in_snake_case).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_root_in_the_other_spelling_says_the_same_and_a_window_in_it_counts() {
    let (_, before) = time(&logged(&public_good()).unwrap());
    let mut root = in_snake_case(&public_good());
    assert!(root["tlogs"][0]["public_key"]["valid_for"].is_object());
    logged(&root).unwrap();
    let ended = json!({ "start": "2021-01-12T11:53:27Z", "end": before.to_string() });
    for log in root["tlogs"].as_array_mut().unwrap() {
        log["public_key"]["valid_for"] = ended.clone();
    }
    logged(&root).unwrap_err();
    // Also where everything else is in the usual spelling.
    let mut root = public_good();
    for log in root["tlogs"].as_array_mut().unwrap() {
        let key = log["publicKey"].as_object_mut().unwrap();
        key.remove("validFor");
        key.insert("valid_for".to_owned(), ended.clone());
    }
    logged(&root).unwrap_err();
}

#[test]
fn numbers_for_names_and_null_for_what_is_not_there_say_the_same() {
    let mut root = public_good();
    for list in ["tlogs", "ctlogs"] {
        for log in root[list].as_array_mut().unwrap() {
            log["hashAlgorithm"] = json!(1);
            log["operator"] = Value::Null;
            log["checkpointKeyId"] = Value::Null;
            let details = &mut log["publicKey"]["keyDetails"];
            *details = match details.as_str().unwrap() {
                "PKIX_ECDSA_P256_SHA_256" => json!(5),
                "PKIX_ED25519" => json!(7),
                other => panic!("{other}"),
            };
        }
    }
    root["timestampAuthorities"] = Value::Null;
    root["certificateAuthorities"][0]["subject"] = Value::Null;
    logged(&root).unwrap();
}

#[test]
fn what_is_not_known_or_is_there_twice_makes_a_root_unusable() {
    let refused = |text: &str| TrustRoot::from_json(text).unwrap_err().to_string();
    for place in [
        "",
        "/tlogs/0",
        "/tlogs/0/publicKey",
        "/tlogs/0/publicKey/validFor",
        "/tlogs/0/logId",
        "/ctlogs/0",
        "/certificateAuthorities/0",
        "/certificateAuthorities/0/subject",
        "/certificateAuthorities/0/certChain",
        "/certificateAuthorities/0/validFor",
        "/timestampAuthorities/0/certChain/certificates/0",
    ] {
        let mut root = public_good();
        let members = root.pointer_mut(place).unwrap().as_object_mut().unwrap();
        members.insert("revoked".to_owned(), json!(true));
        let why = refused(&root.to_string());
        assert!(why.contains("`revoked`"), "{place}: {why}");
    }
    for (name, other) in [
        ("mediaType", "media_type"),
        ("certificateAuthorities", "certificate_authorities"),
        ("baseUrl", "base_url"),
        ("keyDetails", "key_details"),
        ("validFor", "valid_for"),
        ("start", "start"),
    ] {
        let text = public_good().to_string();
        let twice = text.replacen(
            &format!("\"{name}\":"),
            &format!("\"{other}\":null,\"{name}\":"),
            1,
        );
        assert_ne!(text, twice);
        let why = refused(&twice);
        assert!(why.contains("duplicate field"), "{name}: {why}");
    }
}

#[test]
fn a_log_that_is_trusted_for_ever_makes_a_root_unusable_and_an_authority_does_not() {
    for log in ["/tlogs/0/publicKey", "/ctlogs/0/publicKey"] {
        for null in [true, false] {
            let mut root = public_good();
            let key = root.pointer_mut(log).unwrap().as_object_mut().unwrap();
            key.remove("validFor");
            if null {
                key.insert("validFor".to_owned(), Value::Null);
            }
            let why = TrustRoot::from_json(&root.to_string())
                .unwrap_err()
                .to_string();
            assert!(why.contains("validFor"), "{log}: {why}");
        }
    }
    let mut root = public_good();
    for list in ["certificateAuthorities", "timestampAuthorities"] {
        for authority in root[list].as_array_mut().unwrap() {
            authority.as_object_mut().unwrap().remove("validFor");
        }
    }
    logged(&root).unwrap();
}

#[test]
fn a_log_of_rekor_v2_speaks_for_the_host_that_the_root_gives_it_and_for_no_other() {
    // The log that has it is the second.
    let at = |url: Value| {
        let mut root = with_timestamps();
        root["tlogs"][1]["baseUrl"] = url;
        stamped(&root)
    };
    let host = "log2025-alpha1.rekor.sigstage.dev";
    for good in [
        format!("https://{host}"),
        format!("https://{host}/"),
        format!("http://{host}:3000/rekor"),
    ] {
        at(json!(good)).unwrap();
    }
    for bad in [
        json!("https://log2025-alpha2.rekor.sigstage.dev"),
        json!(format!("https://{host}.else.test")),
        json!(format!("https://else.test/{host}")),
        json!(format!("https://{host}@else.test")),
        json!(host),
        json!(""),
        Value::Null,
    ] {
        let error = at(bad.clone()).unwrap_err();
        assert!(matches!(error, Rejection::Log(_)), "{bad}: {error}");
    }
    // In Rekor v1 it may be elsewhere: the origin is not bound to an address.
    let mut root = public_good();
    root["tlogs"][0]["baseUrl"] = json!("https://else.test");
    logged(&root).unwrap();
}

#[test]
fn a_tree_of_another_hash_proves_nothing_and_the_rest_of_its_root_goes_on() {
    let mut root = public_good();
    root["tlogs"][0]["hashAlgorithm"] = json!("SHA2_512");
    let error = logged(&root).unwrap_err();
    assert!(matches!(error, Rejection::Log(_)), "{error}");
    root["tlogs"][0]["hashAlgorithm"] = json!("SHA2_256");
    root["tlogs"][1]["hashAlgorithm"] = json!(3);
    logged(&root).unwrap();
    for none in [Value::Null, json!(0)] {
        root["tlogs"][1]["hashAlgorithm"] = none;
        TrustRoot::from_json(&root.to_string()).unwrap_err();
    }
}
