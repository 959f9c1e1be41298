//! Good bundles with one thing changed at a time, thousands of them: none verifies, but for changes
//! that say nothing, each of which is listed here with the reason.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use common::changes::{Changed, Taken, changes, is_empty, none_is_taken_wrongly, places};
use serde_json::{Value, json};
use wharf_bundle::sign;
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, TrustRoot, VerifyingKey, verify_artifact,
};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const LOGIN: &str = "https://github.com/login/oauth";
const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";

/// A good bundle and what it is good for.
struct Good {
    name: &'static str,
    bundle: Value,
    artifact: Vec<u8>,
    signer: Signer,
    root: TrustRoot,
    evidence: Evidence,
}

enum Signer {
    Key(VerifyingKey),
    Identity(Identity),
}

impl Good {
    fn verifies(&self, bundle: &[u8]) -> bool {
        let artifact = match self.artifact.strip_prefix(b"sha256:") {
            Some(_) => {
                let text = std::str::from_utf8(&self.artifact).unwrap();
                Artifact::from_digest(text.parse().unwrap())
            }
            None => Artifact::from_bytes(&self.artifact),
        };
        let expected = match &self.signer {
            Signer::Key(key) => Expected::Key(key),
            Signer::Identity(identity) => Expected::Identity(identity),
        };
        verify_artifact(&artifact, bundle, expected, &self.root, self.evidence).is_ok()
    }
}

fn path(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sigstore")
        .join(of)
}

fn bundle(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(&format!("bundles/{name}.json"))).unwrap()).unwrap()
}

fn artifact(name: &str) -> Vec<u8> {
    if name.starts_with("sha256:") {
        name.into()
    } else {
        std::fs::read(path(&format!("artifacts/{name}"))).unwrap()
    }
}

fn keyless(name: &'static str, file: &str, root: &str, issuer: &str, subject: &str) -> Good {
    Good {
        name,
        bundle: bundle(name),
        artifact: artifact(file),
        signer: Signer::Identity(Identity {
            issuer: issuer.to_owned(),
            subject: subject.to_owned(),
        }),
        root: match root {
            "" => TrustRoot::public_good().unwrap(),
            root => TrustRoot::load(&path(&format!("roots/{root}.json"))).unwrap(),
        },
        evidence: Evidence::Log,
    }
}

fn goods() -> Vec<Good> {
    let a_txt = "sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf";
    let bare = sign(b"any file", common::key()).unwrap();
    let all = vec![
        Good {
            name: "bare-key",
            bundle: serde_json::from_slice(&bare).unwrap(),
            artifact: b"any file".to_vec(),
            signer: Signer::Key(VerifyingKey::from(common::key().public())),
            root: TrustRoot::public_good().unwrap(),
            evidence: Evidence::KeyAlone,
        },
        Good {
            name: "managed-key",
            bundle: bundle("managed-key"),
            artifact: artifact("managed-key.txt"),
            signer: Signer::Key(VerifyingKey::load(&path("artifacts/managed-key.pub")).unwrap()),
            root: TrustRoot::public_good().unwrap(),
            evidence: Evidence::LogAndTimestamp,
        },
        keyless(
            "cosign-v3-blob",
            "cosign-v3-blob.txt",
            "",
            LOGIN,
            "w.vollprecht@gmail.com",
        ),
        keyless(
            "conda-dsse",
            "signed-package.conda",
            "",
            GITHUB,
            "https://github.com/prefix-dev/sigstore-example/.github/workflows/action.yaml@refs/heads/main",
        ),
        keyless(
            "conda-rekor-v2",
            "signed-package.conda",
            "staging",
            LOGIN,
            "jku@goto.fi",
        ),
        keyless(
            "python-rekor-v2",
            "python-rekor-v2.txt",
            "staging",
            LOGIN,
            "jku@goto.fi",
        ),
        keyless(
            "npm-provenance-v0.1",
            "sigstore-2.0.0.tgz",
            "",
            GITHUB,
            "https://github.com/sigstore/sigstore-js/.github/workflows/release.yml@refs/heads/main",
        ),
        keyless(
            "dsse-with-hashedrekord",
            "sha256:70ed0277251d0cf2eb5eda8b574ce012de485e39a3de1fb4b1e0717e14b02d6a",
            "",
            GITHUB,
            BEACON,
        ),
        keyless("dsse-rekor-v2-alpha", a_txt, "staging", GITHUB, BEACON),
    ];
    for good in &all {
        assert!(
            good.verifies(good.bundle.to_string().as_bytes()),
            "{}",
            good.name
        );
    }
    all
}

/// Why a change leaves the bundle as good as it was. Everything that is not listed must be refused.
fn neutral(good: &Good, changed: &Changed) -> Option<&'static str> {
    let at = changed.at.as_str();
    let absent = changed.json.pointer(at).is_none_or(is_empty);
    let entry = "/verificationMaterial/tlogEntries/0";
    let stamped = good
        .bundle
        .pointer("/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0")
        .is_some();
    if at.ends_with("/signedTimestamp") && same_token(good, changed) {
        return Some("what the authority signed is the same; the rest of a token is an envelope");
    }
    if at.ends_with("/checkpoint/envelope") && same_but_for_witnesses(good, changed) {
        return Some("who else signed a checkpoint is not looked at");
    }
    if same_bytes(good, changed) {
        return Some("bytes have four spellings in base64");
    }
    if at.ends_with("/keyid") {
        return Some("the name of the key in an envelope is not signed and not looked at");
    }
    if at == "/verificationMaterial/publicKey/hint" || at == "/verificationMaterial/publicKey" {
        return Some("a hint is any text; only one in the form of another fingerprint is refused");
    }
    if absent && at == "/messageSignature/messageDigest" {
        return Some("the signature itself is over the artifact");
    }
    if at.starts_with("/verificationMaterial/timestampVerificationData") && !stamped {
        return Some("there were no timestamps, and there are none");
    }
    if absent && at == "/verificationMaterial/tlogEntries" && good.name == "bare-key" {
        return Some("there were no log entries, and there are none");
    }
    let v1 = good
        .bundle
        .pointer(&format!("{entry}/inclusionPromise"))
        .is_some();
    if absent && stamped && at == format!("{entry}/inclusionPromise") {
        return Some("the timestamp proves the time, and the proof the log");
    }
    if absent
        && v1
        && good.evidence == Evidence::Log
        && at.starts_with("/verificationMaterial/timestampVerificationData")
    {
        return Some("the promise of the log proves the time");
    }
    if absent && good.name == "npm-provenance-v0.1" && at == format!("{entry}/inclusionProof") {
        return Some("a bundle of 0.1 needs the promise only");
    }
    None
}

/// Whether both are the same bytes, the changed ones in one of the spellings that the specification has.
fn same_bytes(good: &Good, changed: &Changed) -> bool {
    let text = |json: &Value| Some(json.pointer(&changed.at)?.as_str()?.to_owned());
    let (Some(ours), Some(theirs)) = (text(&good.bundle), text(&changed.json)) else {
        return false;
    };
    STANDARD.decode(ours).is_ok_and(|bytes| {
        [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
            .iter()
            .any(|spelling| spelling.decode(&theirs).as_ref() == Ok(&bytes))
    })
}

/// Whether both timestamps have the same signed content, signed by the same signature.
fn same_token(good: &Good, changed: &Changed) -> bool {
    let signed = |json: &Value| {
        let token = STANDARD.decode(json.pointer(&changed.at)?.as_str()?).ok()?;
        signed_parts(&token)
    };
    signed(&good.bundle).is_some_and(|parts| signed(&changed.json) == Some(parts))
}

fn signed_parts(token: &[u8]) -> Option<Vec<Vec<u8>>> {
    use cms::content_info::ContentInfo;
    use cms::signed_data::SignedData;
    use x509_cert::der::{AnyRef, Decode as _, Encode as _, Reader as _, SliceReader};
    // A response is its status and then the token; the status is not signed.
    let mut reader = SliceReader::new(token).ok()?;
    let content = reader
        .sequence(|inner| {
            let _status: AnyRef<'_> = inner.decode()?;
            let content: ContentInfo = inner.decode()?;
            Ok(content)
        })
        .ok()?;
    let data = SignedData::from_der(&content.content.to_der().ok()?).ok()?;
    let [signer] = data.signer_infos.0.as_slice() else {
        return None;
    };
    Some(vec![
        data.encap_content_info.econtent?.to_der().ok()?,
        signer.sid.to_der().ok()?,
        signer.digest_alg.oid.to_der().ok()?,
        signer.signed_attrs.as_ref()?.to_der().ok()?,
        signer.signature.to_der().ok()?,
    ])
}

/// Whether both checkpoints are the same up to the end of the line that the log itself signed.
fn same_but_for_witnesses(good: &Good, changed: &Changed) -> bool {
    let note = |json: &Value| Some(json.pointer(&changed.at)?.as_str()?.to_owned());
    let (Some(ours), Some(theirs)) = (note(&good.bundle), note(&changed.json)) else {
        return false;
    };
    let origin = ours.lines().next().unwrap();
    let of_log = ours
        .lines()
        .find(|line| line.starts_with(&format!("— {origin} ")))
        .unwrap_or_default();
    let (body, _) = ours.split_once("\n\n").unwrap();
    !of_log.is_empty()
        && theirs.starts_with(&format!("{body}\n\n"))
        && theirs.lines().any(|line| line == of_log)
}

#[test]
fn no_change_of_one_field_of_a_good_bundle_verifies() {
    let goods = goods();
    let all = goods.iter().flat_map(|good| {
        changes(&good.bundle).map(move |changed| {
            if !good.verifies(changed.json.to_string().as_bytes()) {
                return Taken::Refused;
            }
            match neutral(good, &changed) {
                Some(_) => Taken::Rightly,
                None => Taken::Wrongly(format!("{} {} {}", good.name, changed.at, changed.how)),
            }
        })
    });
    none_is_taken_wrongly(20_000, all);
}

#[test]
fn no_part_of_one_bundle_fits_another() {
    let goods = goods();
    for good in &goods {
        let mut all = Vec::new();
        places(&good.bundle, "", &mut all);
        for other in goods.iter().filter(|other| other.name != good.name) {
            for at in &all {
                let (Some(ours), Some(theirs)) =
                    (good.bundle.pointer(at), other.bundle.pointer(at))
                else {
                    continue;
                };
                if ours == theirs {
                    continue;
                }
                let mut json = good.bundle.clone();
                *json.pointer_mut(at).unwrap() = theirs.clone();
                let changed = Changed {
                    at: at.clone(),
                    how: format!("is that of {}", other.name),
                    json,
                };
                if at == "/mediaType" || neutral(good, &changed).is_some() {
                    continue;
                }
                assert!(
                    !good.verifies(changed.json.to_string().as_bytes()),
                    "{} {at} {}",
                    good.name,
                    changed.how
                );
            }
        }
    }
}

#[test]
fn a_bundle_that_is_cut_off_anywhere_is_refused() {
    for good in goods() {
        let json = good.bundle.to_string();
        for end in 0..json.len() {
            if json.is_char_boundary(end) {
                assert!(
                    !good.verifies(&json.as_bytes()[..end]),
                    "{} at {end}",
                    good.name
                );
            }
        }
        assert!(!good.verifies(format!("{json}{json}").as_bytes()));
        assert!(!good.verifies(format!("{json}x").as_bytes()));
    }
}

#[test]
fn a_version_relabelled_is_refused_unless_it_has_all_that_the_other_asks_for() {
    let old = |version| format!("application/vnd.dev.sigstore.bundle+json;version={version}");
    for good in goods() {
        let entry = good.bundle.pointer("/verificationMaterial/tlogEntries/0");
        let chained = good
            .bundle
            .pointer("/verificationMaterial/x509CertificateChain")
            .is_some();
        let key = good
            .bundle
            .pointer("/verificationMaterial/publicKey")
            .is_some();
        let promised = entry.is_some_and(|entry| entry.get("inclusionPromise").is_some());
        let first = (chained || key) && (entry.is_none() || promised);
        for (media_type, fits) in [
            (old("0.1"), first),
            (
                "application/vnd.dev.sigstore.bundle.v0.1+json".to_owned(),
                first,
            ),
            (old("0.2"), chained || key),
            (old("0.3"), !chained),
            (
                "application/vnd.dev.sigstore.bundle.v0.3+json".to_owned(),
                !chained,
            ),
            (
                "application/vnd.dev.sigstore.bundle.v0.2+json".to_owned(),
                chained || key,
            ),
            (
                "application/vnd.dev.sigstore.bundle.v0.3.1+json".to_owned(),
                false,
            ),
            (old("0.4"), false),
            (old("0.30"), false),
            ("application/json".to_owned(), false),
        ] {
            let mut json = good.bundle.clone();
            json["mediaType"] = json!(media_type);
            let verifies = good.verifies(json.to_string().as_bytes());
            assert_eq!(verifies, fits, "{} as {media_type}", good.name);
        }
    }
}

/// The tamperings that the high-level verifier of another crate let pass.
#[test]
fn the_six_known_tamperings_are_refused() {
    let good = goods()
        .into_iter()
        .find(|good| good.name == "conda-dsse")
        .unwrap();
    let entry = "/verificationMaterial/tlogEntries/0";
    let flipped = |at: &str| {
        let mut bytes = STANDARD
            .decode(good.bundle.pointer(at).unwrap().as_str().unwrap())
            .unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        json!(STANDARD.encode(bytes))
    };
    let set = format!("{entry}/inclusionPromise/signedEntryTimestamp");
    let time = format!("{entry}/integratedTime");
    let root = format!("{entry}/inclusionProof/rootHash");
    let note = format!("{entry}/inclusionProof/checkpoint/envelope");
    let log = format!("{entry}/logId/keyId");
    let proof = format!("{entry}/inclusionProof");
    let text = good.bundle.pointer(&note).unwrap().as_str().unwrap();
    let seconds: i64 = good
        .bundle
        .pointer(&time)
        .unwrap()
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    for (at, value) in [
        (set.as_str(), flipped(&set)),
        (&time, json!((seconds + 1).to_string())),
        (&root, flipped(&root)),
        (
            &note,
            json!(text.replacen(
                "— rekor.sigstore.dev wNI9ajB",
                "— rekor.sigstore.dev wNI9ajC",
                1
            )),
        ),
        (&log, flipped(&log)),
        (&proof, Value::Null),
    ] {
        let mut json = good.bundle.clone();
        assert_ne!(*json.pointer(at).unwrap(), value, "{at}");
        *json.pointer_mut(at).unwrap() = value;
        assert!(!good.verifies(json.to_string().as_bytes()), "{at}");
    }
    // Relabelled as 0.1, which asks for no proof, and the proof dropped.
    let mut json = good.bundle.clone();
    json["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.1");
    json.pointer_mut(entry)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove("inclusionProof");
    assert!(!good.verifies(json.to_string().as_bytes()));
}
