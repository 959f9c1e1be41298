//! The same bundle in the spellings that ProtoJSON has for it, and in those that it has not.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use serde_json::{Value, json};
use wharf_bundle::sigstore::{
    Artifact, Evidence, Expected, Identity, Rejection, TrustRoot, VerifyingKey, verify_artifact,
};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

fn path(of: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/sigstore")
        .join(of)
}

fn bundle(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(path(&format!("bundles/{name}.json"))).unwrap()).unwrap()
}

/// What a key signed, with a log entry and a timestamp.
fn by_key(bundle: &Value) -> Result<(), Rejection> {
    let key = VerifyingKey::load(&path("artifacts/managed-key.pub")).unwrap();
    verified("managed-key.txt", bundle, Expected::Key(&key))
}

/// An attestation that an identity made.
fn by_identity(bundle: &Value) -> Result<(), Rejection> {
    let identity = Identity {
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: "https://github.com/prefix-dev/sigstore-example/.github/workflows/action.yaml@refs/heads/main".to_owned(),
    };
    verified(
        "signed-package.conda",
        bundle,
        Expected::Identity(&identity),
    )
}

fn verified(file: &str, bundle: &Value, expected: Expected<'_>) -> Result<(), Rejection> {
    let file = std::fs::read(path(&format!("artifacts/{file}"))).unwrap();
    verify_artifact(
        &Artifact::from_bytes(&file),
        bundle.to_string().as_bytes(),
        expected,
        &TrustRoot::public_good().unwrap(),
        Evidence::Log,
    )
    .map(drop)
}

/// The document with every name and every text in it written otherwise.
fn rewritten(
    value: &Value,
    name: &impl Fn(&str) -> String,
    text: &impl Fn(&str) -> String,
) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(key, inner)| (name(key), rewritten(inner, name, text)))
                .collect(),
        ),
        Value::Array(items) => items
            .iter()
            .map(|item| rewritten(item, name, text))
            .collect(),
        Value::String(old) => text(old).into(),
        other => other.clone(),
    }
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn at(mut bundle: Value, place: &str, value: Value) -> Value {
    *bundle.pointer_mut(place).unwrap() = value;
    bundle
}

#[test]
fn every_name_may_be_written_in_snake_case() {
    let as_is = str::to_owned;
    by_key(&rewritten(&bundle("managed-key"), &snake, &as_is)).unwrap();
    by_identity(&rewritten(&bundle("conda-dsse"), &snake, &as_is)).unwrap();
}

#[test]
fn a_name_in_both_spellings_comes_twice_and_is_refused() {
    let good = bundle("managed-key");
    let mut objects = 0;
    for place in [
        "",
        "/verificationMaterial",
        "/messageSignature",
        ENTRY,
        "/verificationMaterial/tlogEntries/0/inclusionProof",
    ] {
        for (name, value) in good.pointer(place).unwrap().as_object().unwrap() {
            if snake(name) == *name {
                continue;
            }
            let mut both = good.clone();
            both.pointer_mut(place).unwrap()[snake(name)] = value.clone();
            let error = by_key(&both).unwrap_err();
            assert!(
                error.to_string().contains("duplicate field"),
                "{place} {name}: {error}"
            );
            objects += 1;
        }
    }
    assert!(objects > 10, "{objects}");
}

#[test]
fn bytes_may_be_url_safe_and_without_padding() {
    let url_safe = |text: &str| match text.starts_with("application/") || text.contains('\n') {
        true => text.to_owned(),
        false => text.replace('+', "-").replace('/', "_"),
    };
    let bare = |text: &str| text.trim_end_matches('=').to_owned();
    for spelling in [
        &url_safe as &dyn Fn(&str) -> String,
        &bare,
        &|text: &str| bare(&url_safe(text)),
    ] {
        for (name, verifies) in [
            ("managed-key", &by_key as &dyn Fn(&Value) -> _),
            ("conda-dsse", &by_identity),
        ] {
            let good = bundle(name);
            let other = rewritten(&good, &str::to_owned, &spelling);
            assert_ne!(good, other);
            verifies(&other).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn bytes_have_no_other_spellings() {
    let good = bundle("managed-key");
    let (stamp, signature) = (
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
        "/messageSignature/signature",
    );
    let text = |place: &str| good.pointer(place).unwrap().as_str().unwrap().to_owned();
    let (both, padded) = (text(stamp), text(signature));
    assert!(
        both.matches('+').count() > 1 && both.contains('/'),
        "{both}"
    );
    assert!(padded.ends_with("c="), "{padded}");
    let bare = padded.trim_end_matches("c=");
    for (place, other) in [
        (stamp, both.replacen('+', "-", 1)),
        (stamp, both.replace('/', "_")),
        (stamp, format!("{both}=")),
        (stamp, format!("{both}\n")),
        (signature, format!("{padded}=")),
        (signature, format!(" {padded}")),
        // The last letter has two bits that are of no byte.
        (signature, format!("{bare}d=")),
        (signature, format!("{bare}d")),
    ] {
        let error = by_key(&at(good.clone(), place, json!(other))).unwrap_err();
        assert_eq!(error.kind(), "malformed", "{other}: {error}");
    }
}

#[test]
fn numbers_may_be_texts_or_numbers_and_have_an_exponent_or_a_fraction_of_nothing() {
    let place = format!("{ENTRY}/logIndex");
    let good = bundle("managed-key");
    let index = good.pointer(&place).unwrap().as_str().unwrap().to_owned();
    let number: u64 = index.parse().unwrap();
    let fraction: f64 = format!("{number}.0").parse().unwrap();
    for same in [
        json!(number),
        json!(fraction),
        json!(format!("{index}.0")),
        json!(format!("{index}e0")),
        json!(format!("{index}0E-1")),
    ] {
        by_key(&at(good.clone(), &place, same.clone())).unwrap_or_else(|error| {
            panic!("{same}: {error}");
        });
    }
    for other in [
        json!(format!(" {index}")),
        json!(format!("{index}\n")),
        json!(format!("+{index}")),
        json!(format!("0{index}")),
        json!(format!("-{index}")),
        json!(format!("{index}.")),
        json!(format!("{index}.5")),
        json!(format!("{index}e")),
        json!("-0"),
        json!(-0.0),
        json!("1e400"),
        json!("18446744073709551615"),
        json!("9007199254740993.0"),
        json!(9_007_199_254_740_992.0),
        json!("NaN"),
        json!("inf"),
        json!("0x10"),
        json!(""),
    ] {
        let error = by_key(&at(good.clone(), &place, other.clone())).unwrap_err();
        assert_eq!(error.kind(), "malformed", "{other}: {error}");
    }
}

#[test]
fn a_hash_function_may_be_written_as_its_number() {
    let place = "/messageSignature/messageDigest/algorithm";
    let good = bundle("managed-key");
    by_key(&at(good.clone(), place, json!(1))).unwrap();
    for (number, kind) in [
        (json!(2), "wrong-artifact"),
        (json!(3), "wrong-artifact"),
        (json!(0), "malformed"),
        (json!(4), "malformed"),
        (json!("1"), "unsupported"),
        (json!(1.5), "malformed"),
    ] {
        let error = by_key(&at(good.clone(), place, number.clone())).unwrap_err();
        assert_eq!(error.kind(), kind, "{number}: {error}");
    }
}

#[test]
fn what_is_null_is_not_there() {
    let mut attested = bundle("conda-dsse");
    attested["dsseEnvelope"]["signatures"][0]["keyid"] = Value::Null;
    attested["messageSignature"] = Value::Null;
    attested["verificationMaterial"]["timestampVerificationData"] = Value::Null;
    attested["verificationMaterial"]["publicKey"] = Value::Null;
    by_identity(&attested).unwrap();
    let hint = "/verificationMaterial/publicKey/hint";
    by_key(&at(bundle("managed-key"), hint, Value::Null)).unwrap();
    // What must be there is not.
    for place in ["/mediaType", "/verificationMaterial", ENTRY] {
        let error = by_key(&at(bundle("managed-key"), place, Value::Null)).unwrap_err();
        assert_eq!(error.kind(), "malformed", "{place}: {error}");
    }
}

#[test]
fn a_list_is_no_object_whatever_is_in_it() {
    let key = bundle("managed-key");
    let dsse = bundle("conda-dsse");
    let message = &key["messageSignature"];
    let digest = &message["messageDigest"];
    let listed = json!([
        [digest["algorithm"], digest["digest"]],
        message["signature"]
    ]);
    let hint = json!([key["verificationMaterial"]["publicKey"]["hint"]]);
    for (place, list) in [
        ("/messageSignature", listed),
        ("/verificationMaterial/publicKey", hint),
    ] {
        let error = by_key(&at(key.clone(), place, list)).unwrap_err();
        assert_eq!(error.kind(), "malformed", "{place}: {error}");
    }
    let certificate = "/verificationMaterial/certificate";
    let bytes = json!([dsse.pointer(certificate).unwrap()["rawBytes"]]);
    let error = by_identity(&at(dsse.clone(), certificate, bytes)).unwrap_err();
    assert_eq!(error.kind(), "malformed", "{error}");
    let whole = json!([
        key["mediaType"],
        key["verificationMaterial"],
        key["messageSignature"],
        null
    ]);
    let error = by_key(&whole).unwrap_err();
    assert_eq!(error.kind(), "malformed", "{error}");
}
