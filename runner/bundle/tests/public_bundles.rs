//! Bundles that other tools made and the public instances logged: what must pass and what must not.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, Rejection, Signer, TrustRoot, VerifiedArtifact,
    VerifyingKey, verify_artifact,
};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const LOGIN: &str = "https://github.com/login/oauth";
const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const A_TXT: &str = "sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf";

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

/// `artifact` is a digest, or a file in `artifacts`.
fn verify(
    bundle: &str,
    artifact: &str,
    expected: Expected<'_>,
    root: &TrustRoot,
    evidence: Evidence,
) -> Result<VerifiedArtifact, Rejection> {
    let bundle = std::fs::read(path(&format!("bundles/{bundle}.json"))).unwrap();
    if artifact.starts_with("sha256:") {
        let artifact = Artifact::from_digest(artifact.parse().unwrap());
        verify_artifact(&artifact, &bundle, expected, root, evidence)
    } else {
        let bytes = std::fs::read(path(&format!("artifacts/{artifact}"))).unwrap();
        verify_artifact(
            &Artifact::from_bytes(&bytes),
            &bundle,
            expected,
            root,
            evidence,
        )
    }
}

fn keyless(
    bundle: &str,
    artifact: &str,
    root_name: &str,
    issuer: &str,
    subject: &str,
) -> Result<VerifiedArtifact, Rejection> {
    let identity = Identity {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
    };
    verify(
        bundle,
        artifact,
        Expected::Identity(&identity),
        &root(root_name),
        Evidence::Log,
    )
}

/// name, artifact, root, issuer, subject
const GOOD: &[[&str; 5]] = &[
    [
        "cosign-v3-blob",
        "cosign-v3-blob.txt",
        "",
        LOGIN,
        "w.vollprecht@gmail.com",
    ],
    [
        "conda-rekor-v2",
        "signed-package.conda",
        "staging",
        LOGIN,
        "jku@goto.fi",
    ],
    [
        "conda-dsse",
        "signed-package.conda",
        "",
        GITHUB,
        "https://github.com/prefix-dev/sigstore-example/.github/workflows/action.yaml@refs/heads/main",
    ],
    [
        "github-wheel-v0.2",
        "sha256:c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201",
        "",
        GITHUB,
        "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2",
    ],
    [
        "npm-provenance-v0.1",
        "sigstore-2.0.0.tgz",
        "",
        GITHUB,
        "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
    ],
    [
        "npm-slsa",
        "sigstore-5.0.0.tgz",
        "",
        GITHUB,
        "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
    ],
    [
        "kubewarden-slsa",
        "sha256:c811d58de79c92f03214e63aa339484e488d694ae8a6283b5f3f17a9faf50172",
        "",
        GITHUB,
        "https://github.com/kubewarden/kubewarden-controller/.github/workflows/release.yml@refs/tags/v1.34.0",
    ],
    [
        "python-v0.3",
        "sha256:5e6ae9de58c1177bea615b4fcbfb2fd688e8c4b51c2e56b6a38e817833ec24a2",
        "staging",
        LOGIN,
        "william@yossarian.net",
    ],
    [
        "dsse-with-hashedrekord",
        "sha256:70ed0277251d0cf2eb5eda8b574ce012de485e39a3de1fb4b1e0717e14b02d6a",
        "",
        GITHUB,
        BEACON,
    ],
    ["dsse-rekor-v2-alpha", A_TXT, "staging", GITHUB, BEACON],
    ["intoto-in-dsse", A_TXT, "", GITHUB, BEACON],
    [
        "rekor-v2-timestamp",
        "managed-key.txt",
        "timestamp",
        GITHUB,
        BEACON,
    ],
    [
        "python-rekor-v2",
        "python-rekor-v2.txt",
        "staging",
        LOGIN,
        "jku@goto.fi",
    ],
    ["python-dsse-rekor-v2", A_TXT, "staging", GITHUB, BEACON],
    [
        "two-intermediates",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "two-intermediates",
        GITHUB,
        "https://github.com/sigstore/root-signing-staging/.github/workflows/custom-test.yml@refs/heads/main",
    ],
];

#[test]
fn good_bundles_of_many_tools_verify() {
    for [bundle, artifact, root, issuer, subject] in GOOD {
        let verified = keyless(bundle, artifact, root, issuer, subject)
            .unwrap_or_else(|error| panic!("{bundle}: {error}"));
        assert!(!verified.times().is_empty(), "{bundle}");
        assert_eq!(verified.log_entries(), 1, "{bundle}");
        let Signer::Identity(identity) = verified.signer() else {
            panic!("{bundle} is keyless");
        };
        assert_eq!(identity.subject, *subject);
    }
}

#[test]
fn good_bundles_are_good_for_their_artifact_signer_and_root_only() {
    for [bundle, artifact, root, issuer, subject] in GOOD {
        for (artifact, root, issuer, subject, kind) in [
            (
                "cosign-v3-blob.txt",
                *root,
                *issuer,
                *subject,
                "wrong-artifact",
            ),
            (
                artifact,
                root,
                "https://issuer.test",
                subject,
                "wrong-identity",
            ),
            (
                artifact,
                root,
                issuer,
                "somebody@else.test",
                "wrong-identity",
            ),
            (artifact, root, issuer, &subject[1..], "wrong-identity"),
            (artifact, "github", issuer, subject, ""),
        ] {
            if *bundle == "cosign-v3-blob" && kind == "wrong-artifact" {
                continue;
            }
            let error = keyless(bundle, artifact, root, issuer, subject).unwrap_err();
            assert!(kind.is_empty() || error.kind() == kind, "{bundle}: {error}");
        }
    }
}

#[test]
fn bad_bundles_are_refused_for_their_fault() {
    const NOBODY: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for (bundle, artifact, root, issuer, subject, fault) in [
        (
            "invalid-ct-key",
            A_TXT,
            "invalid-ct-key",
            GITHUB,
            BEACON,
            "certificate:",
        ),
        (
            "timestamp-of-another-signature",
            A_TXT,
            "timestamp",
            GITHUB,
            BEACON,
            "timestamp:",
        ),
        (
            "no-certificate",
            NOBODY,
            "",
            LOGIN,
            "",
            "malformed:chain is empty",
        ),
        (
            "no-checkpoint",
            NOBODY,
            "",
            LOGIN,
            "",
            "malformed:no checkpoint",
        ),
        (
            "no-log-entry",
            NOBODY,
            "",
            LOGIN,
            "",
            "not-enough:a log entry",
        ),
        (
            "invalid-version",
            NOBODY,
            "",
            LOGIN,
            "",
            "unsupported:mediaType",
        ),
        (
            "no-signed-time",
            "sha256:ca6de99a11d3d38056d838c7dc9a23a11a0c81bcace0d11eaa301a2ffb482c42",
            "",
            LOGIN,
            "william@yossarian.net",
            "not-enough:no time",
        ),
        (
            "cve-2022-36056",
            "sha256:c87b5b213ab08b32970c106d0c7e4423e67f5449c2fd2d1e9b4ea6cc43b6ee7c",
            "",
            LOGIN,
            "william@yossarian.net",
            ":",
        ),
        (
            "dsse-v0.1-with-root",
            NOBODY,
            "",
            LOGIN,
            "brian@dehamer.com",
            "malformed:root certificate",
        ),
        (
            "dsse-two-signatures",
            NOBODY,
            "",
            LOGIN,
            "brian@dehamer.com",
            "malformed:",
        ),
        (
            "github-private",
            NOBODY,
            "github",
            "",
            "",
            "not-enough:log entry",
        ),
        (
            "managed-key",
            "managed-key.txt",
            "",
            GITHUB,
            BEACON,
            "wrong-signer:",
        ),
    ] {
        let error = keyless(bundle, artifact, root, issuer, subject).unwrap_err();
        let (kind, words) = fault.split_once(':').unwrap();
        assert!(kind.is_empty() || error.kind() == kind, "{bundle}: {error}");
        assert!(error.to_string().contains(words), "{bundle}: {error}");
    }
}

#[test]
fn a_user_name_of_a_private_instance_is_an_identity() {
    let good = [
        "other-name",
        "sha256:bc103b4a84971ef6459b294a2b98568a2bfb72cded09d4acd1e16366a401f95b",
        "scaffolding",
        "http://oidc.local:8080",
        "foo!oidc.local",
    ];
    let [bundle, artifact, root, issuer, subject] = good;
    let verified = keyless(bundle, artifact, root, issuer, subject).unwrap();
    assert_eq!(verified.times().len(), 1);
    let error = keyless(bundle, artifact, root, issuer, "foo").unwrap_err();
    assert_eq!(error.kind(), "wrong-identity", "{error}");
}

#[test]
fn a_managed_key_verifies_with_its_log_entry_and_timestamp() {
    let key = VerifyingKey::load(&path("artifacts/managed-key.pub")).unwrap();
    for evidence in [
        Evidence::KeyAlone,
        Evidence::Any,
        Evidence::Log,
        Evidence::Timestamp,
        Evidence::LogAndTimestamp,
    ] {
        for artifact in ["managed-key.txt", A_TXT] {
            let verified = verify(
                "managed-key",
                artifact,
                Expected::Key(&key),
                &root(""),
                evidence,
            )
            .unwrap_or_else(|error| panic!("{evidence:?} {artifact}: {error}"));
            assert_eq!(*verified.signer(), Signer::Key(key.fingerprint()));
            assert_eq!((verified.log_entries(), verified.timestamps()), (1, 1));
        }
    }
    let error = verify(
        "managed-key",
        "cosign-v3-blob.txt",
        Expected::Key(&key),
        &root(""),
        Evidence::Any,
    )
    .unwrap_err();
    assert_eq!(error.kind(), "wrong-artifact", "{error}");
    // The log and the timestamp authority are the public ones: another root knows neither.
    let error = verify(
        "managed-key",
        "managed-key.txt",
        Expected::Key(&key),
        &root("github"),
        Evidence::KeyAlone,
    )
    .unwrap_err();
    assert!(["log", "timestamp"].contains(&error.kind()), "{error}");
    let error = verify(
        "cosign-v3-blob",
        "cosign-v3-blob.txt",
        Expected::Key(&key),
        &root(""),
        Evidence::Any,
    )
    .unwrap_err();
    assert_eq!(error.kind(), "wrong-signer", "{error}");
}

#[test]
fn a_key_and_a_root_without_witnesses_prove_who_and_not_when() {
    let key = VerifyingKey::load(&path("artifacts/managed-key.pub")).unwrap();
    assert!(!root("empty").has_witnesses() && root("").has_witnesses());
    let alone = |evidence| {
        verify(
            "managed-key-alone",
            A_TXT,
            Expected::Key(&key),
            &root("empty"),
            evidence,
        )
    };
    let verified = alone(Evidence::KeyAlone).unwrap();
    assert!(verified.times().is_empty());
    assert_eq!(alone(Evidence::Any).unwrap_err().kind(), "not-enough");
    // What is in a bundle must verify, and this root knows no log.
    let error = verify(
        "managed-key",
        A_TXT,
        Expected::Key(&key),
        &root("empty"),
        Evidence::KeyAlone,
    );
    assert_eq!(error.unwrap_err().kind(), "log");
}

#[test]
fn an_entry_of_the_old_kind_may_have_the_hash_of_the_payload_alone() {
    let key = VerifyingKey::load(&path("artifacts/intoto-canonical.pub")).unwrap();
    let of = |artifact| {
        let root = root("intoto-canonical");
        verify(
            "intoto-canonical",
            artifact,
            Expected::Key(&key),
            &root,
            Evidence::Log,
        )
    };
    let verified = of(A_TXT).unwrap();
    assert_eq!(verified.predicate_type(), Some("https://example.com/test"));
    // The log gives neither a promise nor a time.
    assert_eq!((verified.log_entries(), verified.times().len()), (1, 0));
    assert_eq!(
        of("cosign-v3-blob.txt").unwrap_err().kind(),
        "wrong-artifact"
    );
}

#[test]
fn a_certificate_without_an_issuer_of_the_identity_vouches_for_nobody() {
    let identity = Identity {
        issuer: String::new(),
        subject: "https://dotcom.releases.github.com".to_owned(),
    };
    let error = verify(
        "github-private",
        "sha256:76f1fe8593bf227cca2c089e3c16dc95014a8d3e89c5dd220530469ca043c428",
        Expected::Identity(&identity),
        &root("github"),
        Evidence::Timestamp,
    )
    .unwrap_err();
    assert_eq!(error.kind(), "certificate", "{error}");
    assert!(error.to_string().contains("who vouches"), "{error}");
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
