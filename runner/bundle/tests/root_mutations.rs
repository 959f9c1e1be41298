//! A trusted root that names only what one bundle needs, with one thing changed at a time: the bundle
//! verifies no more, but for changes of what does not decide, each of which is listed here with the reason.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use common::changes::{Changed, Taken, changes_at, none_is_taken_wrongly};
use jiff::Timestamp;
use serde_json::{Value, json};
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, TrustRoot, VerifiedArtifact, verify_artifact,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode as _, Encode as _};

const BEACON: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";

fn asset(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sigstore");
    std::fs::read(folder.join(name)).unwrap()
}

/// The root of a bundle with a log entry of Rekor v2 and a timestamp, without all that it does not need.
fn good() -> Value {
    let mut root: Value = serde_json::from_slice(&asset("roots/timestamp.json")).unwrap();
    for (list, needed) in [("tlogs", 1), ("ctlogs", 2)] {
        root[list] = json!([root[list][needed]]);
    }
    root
}

fn verifies(root: &str) -> Option<VerifiedArtifact> {
    let root = TrustRoot::from_json(root).ok()?;
    let identity = Identity {
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: BEACON.to_owned(),
    };
    verify_artifact(
        &Artifact::from_bytes(&asset("artifacts/managed-key.txt")),
        &asset("bundles/rekor-v2-timestamp.json"),
        Expected::Identity(&identity),
        &root,
        Evidence::LogAndTimestamp,
    )
    .ok()
}

/// Why a change leaves the root as good as it was for that bundle.
fn neutral(good: &Value, time: Timestamp, changed: &Changed) -> Option<&'static str> {
    let at = changed.at.as_str();
    let (was, is) = (good.pointer(at), changed.json.pointer(at));
    let last = at.rsplit('/').next().unwrap_or_default();
    if ["baseUrl", "uri", "subject", "organization", "commonName"].contains(&last) {
        return Some("what an authority is called and where it is decides nothing");
    }
    if last == "hashAlgorithm" {
        return Some("entries name their own");
    }
    if last == "mediaType" && is.is_some_and(|is| is.as_str().is_some_and(is_a_version)) {
        return Some("another version of the same form");
    }
    if last == "keyDetails" && same_kind(was, is) {
        return Some("no kind is asked for, or the same by another name");
    }
    if ["validFor", "start", "end"].contains(&last) && holds(changed, at, time) {
        return Some("the time of the signature is in the window, or there is none");
    }
    if same_bytes(was, is) {
        return Some("bytes have four spellings in base64");
    }
    if changed.how == "is twice as long" {
        return Some("whoever is named twice is nobody else");
    }
    if changed.how == "is gone" && at.contains("/certificates/") {
        return Some("what is left of a chain is trusted, as it was");
    }
    if last == "rawBytes" && at.contains("/certificates/") && same_anchor(was, is) {
        return Some("an anchor is trusted for its name and its key: nobody vouches for the rest");
    }
    None
}

fn is_a_version(text: &str) -> bool {
    ["+json;version=0.1", "+json;version=0.2", ".v0.2+json"]
        .iter()
        .any(|end| text == format!("application/vnd.dev.sigstore.trustedroot{end}"))
}

/// Whether both name the same kind of key, whatever hash goes with it, or the new one names none.
fn same_kind(was: Option<&Value>, is: Option<&Value>) -> bool {
    let family = |text: &str| {
        let mut parts = text.splitn(4, '_');
        let parts = [parts.next(), parts.next(), parts.next()];
        parts.map(|part| part.unwrap_or_default().to_owned())
    };
    match (was.and_then(Value::as_str), is) {
        (Some(_), None | Some(Value::Null)) => true,
        // By its number: PUBLIC_KEY_DETAILS_UNSPECIFIED.
        (Some(_), Some(Value::Number(is))) => is.as_u64() == Some(0),
        (Some(was), Some(Value::String(is))) => is.is_empty() || family(was) == family(is),
        _ => false,
    }
}

/// Whether the window that was changed is one, and the time is in it.
fn holds(changed: &Changed, at: &str, time: Timestamp) -> bool {
    let window = match at.rsplit_once('/') {
        Some((_, "validFor")) => changed.json.pointer(at),
        Some((window, _)) => changed.json.pointer(window),
        None => None,
    };
    let end = |name: &str| {
        let end = window?.get(name).filter(|end| !end.is_null())?;
        Some(end.as_str().and_then(|text| text.parse::<Timestamp>().ok()))
    };
    match (window, end("start"), end("end")) {
        (None | Some(Value::Null), ..) => true,
        (Some(_), Some(Some(start)), None) => start <= time,
        (Some(_), Some(Some(start)), Some(Some(end))) => start <= time && time <= end,
        _ => false,
    }
}

/// Whether both are the same bytes, in either alphabet and however they are padded.
fn same_bytes(was: Option<&Value>, is: Option<&Value>) -> bool {
    let bytes = |value: Option<&Value>| {
        let text = value?.as_str()?.replace('-', "+").replace('_', "/");
        STANDARD_NO_PAD.decode(text.trim_end_matches('=')).ok()
    };
    bytes(was).is_some() && bytes(was) == bytes(is)
}

/// Whether both are certificates that signed themselves, of the same name and with the same key.
fn same_anchor(was: Option<&Value>, is: Option<&Value>) -> bool {
    let anchor = |value: Option<&Value>| {
        let der = STANDARD.decode(value?.as_str()?).ok()?;
        let certificate = Certificate::from_der(&der).ok()?;
        let body = certificate.tbs_certificate;
        Some([
            body.subject.to_der().ok()?,
            body.subject_public_key_info.to_der().ok()?,
        ])
    };
    let is_root = |value: Option<&Value>| {
        let der = STANDARD.decode(value?.as_str()?).ok()?;
        let certificate = Certificate::from_der(&der).ok()?;
        let body = certificate.tbs_certificate;
        Some(body.subject == body.issuer)
    };
    is_root(was) == Some(true) && anchor(was) == anchor(is)
}

#[test]
fn no_change_of_one_field_of_a_trusted_root_leaves_it_as_good() {
    let good = good();
    let verified = verifies(&good.to_string()).unwrap();
    let [time] = verified.times() else {
        panic!("one time: {:?}", verified.times());
    };
    let all = changes_at(&good, 50).map(|changed| {
        if verifies(&changed.json.to_string()).is_none() {
            return Taken::Refused;
        }
        match neutral(&good, *time, &changed) {
            Some(_) => Taken::Rightly,
            None => Taken::Wrongly(format!("{} {}", changed.at, changed.how)),
        }
    });
    none_is_taken_wrongly(1_000, all);
}

#[test]
fn a_trusted_root_that_is_cut_off_anywhere_or_goes_on_is_refused() {
    let json = good().to_string();
    TrustRoot::from_json(&json).unwrap();
    for end in (0..json.len()).filter(|end| json.is_char_boundary(*end)) {
        assert!(TrustRoot::from_json(&json[..end]).is_err(), "at {end}");
    }
    for more in [&json, "x", "{}"] {
        assert!(TrustRoot::from_json(&format!("{json}{more}")).is_err());
    }
}
