//! What a policy wants attested: who passes, who does not, and what is said.

#![allow(clippy::unwrap_used)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{key, plugin, stranger, trust};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha512};
use wharf_bundle::oci::Published;
use wharf_bundle::{
    AttestationFile, Beside, Refusal, SignatureFile, SigningKey, Unattested, Verified, attest,
    digest, sign,
};
use wharf_policy::Digest;

const SLSA: &str = "https://slsa.dev/provenance/v1";
const REVIEW: &str = "https://acme.test/review/v1";
const NOW: &str = "2026-06-01";

/// Signed by ours; with more lines in the block.
fn block(more: &str) -> String {
    format!("[[trust]]\nplugins = ['*']\nkeys = ['ours.pub']\n{more}\n")
}

/// Signed by ours; provenance by theirs.
fn by_theirs() -> String {
    block(&format!(
        "attestations = [{{ type = '{SLSA}', keys = ['theirs.pub'] }}]"
    ))
}

fn verify(policy: &str, bytes: &[u8], attestations: Option<&[u8]>) -> Result<Verified, Refusal> {
    let signatures = sign(bytes, key()).unwrap();
    let beside = Beside {
        signatures: Some(&signatures),
        attestations,
    };
    trust(policy).verify_at(bytes.into(), beside, NOW.parse().unwrap())
}

/// Why an attestation does not count.
fn lack(policy: &str, bytes: &[u8], attestations: Option<&[u8]>) -> Unattested {
    match verify(policy, bytes, attestations).unwrap_err() {
        Refusal::Unattested {
            predicate_type,
            why,
        } => {
            assert_eq!(predicate_type, SLSA);
            *why
        }
        other => panic!("{other}"),
    }
}

fn provenance(of: &[u8], by: &SigningKey) -> Vec<u8> {
    let predicate = json!({ "buildDefinition": { "buildType": "https://acme.test/build" } });
    attest(digest(of), SLSA, &predicate, by).unwrap()
}

/// An attestation whose statement was changed before it was signed.
fn attested(by: &SigningKey, of: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "p.wasm", "digest": { "sha256": digest(of).to_hex() } }],
        "predicateType": SLSA,
        "predicate": {},
    });
    change(&mut statement);
    enveloped(by, statement.to_string().as_bytes())
}

fn enveloped(by: &SigningKey, payload: &[u8]) -> Vec<u8> {
    let kind = "application/vnd.in-toto+json";
    let mut encoded = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    let mut bundle: Value = serde_json::from_slice(&sign(&encoded, by).unwrap()).unwrap();
    let signature = bundle["messageSignature"]["signature"].clone();
    let members = bundle.as_object_mut().unwrap();
    members.remove("messageSignature");
    members.insert(
        "dsseEnvelope".to_owned(),
        json!({
            "payload": STANDARD.encode(payload),
            "payloadType": kind,
            "signatures": [{ "sig": signature }],
        }),
    );
    bundle.to_string().into_bytes()
}

fn lines(attestations: &[&[u8]]) -> Vec<u8> {
    attestations.join(&b'\n')
}

#[test]
fn a_plugin_whose_provenance_is_asked_for_passes_with_it_and_says_so() {
    let bytes = plugin("p", "1.0.0");
    let good = provenance(&bytes, stranger());
    let verified = verify(&by_theirs(), &bytes, Some(&good)).unwrap();
    assert_eq!(verified.attested(), [SLSA]);
    let signers: Vec<_> = verified.signers().iter().map(|s| s.name.as_str()).collect();
    // Who attests is not for that a signer.
    assert_eq!(signers, ["ours.pub"]);
    // Beside others, wherever it stands.
    let other = attest(digest(&bytes), REVIEW, &json!({}), key()).unwrap();
    let elsewhere = provenance(b"other", stranger());
    for file in [[&good[..], &other, &elsewhere], [&elsewhere, &other, &good]] {
        verify(&by_theirs(), &bytes, Some(&lines(&file))).unwrap();
    }
}

#[test]
fn without_the_attestation_that_is_asked_for_nothing_passes_and_what_there_is_instead_is_said() {
    let bytes = plugin("p", "1.0.0");
    let policy = by_theirs();
    assert_eq!(lack(&policy, &bytes, None), Unattested::NoneAtAll);
    let review = attest(digest(&bytes), REVIEW, &json!({}), stranger()).unwrap();
    let why = lack(&policy, &bytes, Some(&review));
    assert_eq!(why, Unattested::OfOtherTypes(REVIEW.to_owned()));
    let of_another = provenance(&plugin("q", "1.0.0"), stranger());
    let why = lack(&policy, &bytes, Some(&lines(&[&review, &of_another])));
    assert_eq!(why, Unattested::OfOtherFiles);
    // The signer of the plugin may not attest where the entry names somebody else.
    let ours = provenance(&bytes, key());
    let why = lack(&policy, &bytes, Some(&lines(&[&of_another, &ours])));
    let fingerprint = key().public().fingerprint().to_string();
    assert!(
        matches!(&why, Unattested::ByOthers(hint) if hint.contains(&fingerprint)),
        "{why}"
    );
    for (file, says) in [(None, "nothing is attested"), (Some(&review[..]), REVIEW)] {
        let said = verify(&policy, &bytes, file).unwrap_err().to_string();
        for part in [SLSA, says, "FILE.attestations.jsonl"] {
            assert!(said.contains(part), "{said}");
        }
    }
}

#[test]
fn an_entry_without_signers_means_any_signer_of_its_block_and_no_other() {
    let bytes = plugin("p", "1.0.0");
    let policy = format!(
        "[[trust]]\nplugins = ['*']\nkeys = ['ours.pub', 'theirs.pub']\nattestations = [{{ type = '{SLSA}' }}]\n"
    );
    for by in [key(), stranger()] {
        verify(&policy, &bytes, Some(&provenance(&bytes, by))).unwrap();
    }
    let third = SigningKey::generate().unwrap();
    let why = lack(&policy, &bytes, Some(&provenance(&bytes, &third)));
    assert!(matches!(why, Unattested::ByOthers(_)), "{why}");
}

#[test]
fn all_that_is_listed_must_be_there() {
    let bytes = plugin("p", "1.0.0");
    let policy = block(&format!(
        "attestations = [{{ type = '{REVIEW}' }}, {{ type = '{SLSA}', keys = ['theirs.pub'] }}]"
    ));
    let review = attest(digest(&bytes), REVIEW, &json!({}), key()).unwrap();
    let slsa = provenance(&bytes, stranger());
    let verified = verify(&policy, &bytes, Some(&lines(&[&slsa, &review]))).unwrap();
    assert_eq!(verified.attested(), [REVIEW, SLSA]);
    let why = lack(&policy, &bytes, Some(&review));
    assert_eq!(why, Unattested::OfOtherTypes(REVIEW.to_owned()));
    let refusal = verify(&policy, &bytes, Some(&slsa)).unwrap_err();
    assert!(
        matches!(&refusal, Refusal::Unattested { predicate_type, .. } if predicate_type == REVIEW),
        "{refusal}"
    );
}

#[test]
fn an_attestation_with_a_key_before_or_after_its_time_does_not_count() {
    let bytes = plugin("p", "1.0.0");
    let good = provenance(&bytes, stranger());
    for (window, trusted) in [
        ("not-after = '2026-12-31'", true),
        ("not-after = '2026-05-31'", false),
        ("not-before = '2026-06-02'", false),
    ] {
        let policy = block(&format!(
            "attestations = [{{ type = '{SLSA}', keys = [{{ path = 'theirs.pub', {window} }}] }}]"
        ));
        match trusted {
            true => drop(verify(&policy, &bytes, Some(&good)).unwrap()),
            false => {
                let why = lack(&policy, &bytes, Some(&good));
                assert!(matches!(why, Unattested::KeyNotTrustedNow { .. }), "{why}");
                assert!(why.to_string().contains("theirs.pub"), "{why}");
            }
        }
    }
}

#[test]
fn a_payload_that_was_changed_after_it_was_signed_attests_nothing() {
    let bytes = plugin("p", "1.0.0");
    let good = provenance(&bytes, stranger());
    let mut bundle: Value = serde_json::from_slice(&good).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
    for (from, to) in [
        ("https://acme.test/build", "https://evil.test/build"),
        ("Statement/v1", "Statement/v0.1"),
    ] {
        let changed = payload.replace(from, to);
        assert_ne!(changed, payload);
        bundle["dsseEnvelope"]["payload"] = STANDARD.encode(changed).into();
        let why = lack(&by_theirs(), &bytes, Some(bundle.to_string().as_bytes()));
        let key = "theirs.pub".to_owned();
        assert_eq!(why, Unattested::Altered { key });
    }
    // An attestation of another plugin under our signature's name, and of our plugin by another type.
    for change in [json!("text/plain"), json!("application/vnd.in-toto+json ")] {
        let mut bundle: Value = serde_json::from_slice(&good).unwrap();
        bundle["dsseEnvelope"]["payloadType"] = change;
        let refusal = verify(&by_theirs(), &bytes, Some(bundle.to_string().as_bytes()));
        assert!(matches!(refusal, Err(Refusal::MalformedAttestations(_))));
    }
}

#[test]
fn one_subject_of_several_is_enough_in_both_versions_of_statements_and_no_other_version() {
    let bytes = plugin("p", "1.0.0");
    let several = json!([
        { "name": "a", "digest": { "sha256": digest(b"a").to_hex() } },
        { "name": "b", "digest": { "sha512": "00", "sha256": digest(&bytes).to_hex() } },
    ]);
    for version in ["v0.1", "v1"] {
        let good = attested(stranger(), &bytes, |statement| {
            statement["subject"] = several.clone();
            statement["_type"] = format!("https://in-toto.io/Statement/{version}").into();
        });
        verify(&by_theirs(), &bytes, Some(&good)).unwrap();
    }
    let refused: [&dyn Fn(&mut Value); 4] = [
        &|statement| statement["_type"] = "https://in-toto.io/Statement/v2".into(),
        &|statement| statement["subject"] = json!([]),
        &|statement| statement["predicateType"] = "".into(),
        &|statement| drop(statement.as_object_mut().unwrap().remove("subject")),
    ];
    for change in refused {
        let bad = attested(stranger(), &bytes, change);
        let refusal = verify(&by_theirs(), &bytes, Some(&bad)).unwrap_err();
        assert!(
            matches!(refusal, Refusal::MalformedAttestations(_)),
            "{refusal}"
        );
    }
}

#[test]
fn types_and_digests_are_compared_whole() {
    let bytes = plugin("p", "1.0.0");
    for kind in [
        "https://slsa.dev/provenance/v1.0",
        "https://slsa.dev/provenance/v",
        "https://SLSA.dev/provenance/v1",
        "https://slsa.dev/provenance/v1/",
    ] {
        let near = attested(stranger(), &bytes, |s| s["predicateType"] = kind.into());
        let why = lack(&by_theirs(), &bytes, Some(&near));
        assert_eq!(why, Unattested::OfOtherTypes(kind.to_owned()));
    }
    let hex = digest(&bytes).to_hex();
    for named in [
        json!({ "sha256": hex[..62] }),
        json!({ "sha1": hex }),
        json!({ "sha512": hex }),
        // Right, and not the digest that a policy goes by.
        json!({ "sha512": Sha512::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect::<String>() }),
        json!({}),
    ] {
        let near = attested(stranger(), &bytes, |s| {
            s["subject"] = json!([{ "name": hex, "digest": named }])
        });
        let why = lack(&by_theirs(), &bytes, Some(&near));
        assert_eq!(why, Unattested::OfOtherFiles, "{named}");
    }
}

#[test]
fn an_attestation_is_never_a_signature_nor_a_signature_an_attestation() {
    let bytes = plugin("p", "1.0.0");
    let attestation = provenance(&bytes, key());
    let signature = sign(&bytes, key()).unwrap();
    let policy = block(&format!("attestations = [{{ type = '{SLSA}' }}]"));
    let trust = trust(&policy);
    let beside = |signatures, attestations| Beside {
        signatures,
        attestations,
    };
    let verify = |beside| trust.verify_with(bytes.clone().into(), beside);
    verify(beside(Some(&signature), Some(&attestation))).unwrap();
    let alone = verify(beside(None, Some(&attestation))).unwrap_err();
    assert_eq!(alone, Refusal::Unsigned);
    let exchanged = verify(beside(Some(&attestation), Some(&signature))).unwrap_err();
    assert!(
        exchanged
            .to_string()
            .contains("belong into FILE.attestations.jsonl"),
        "{exchanged}"
    );
    let twice = verify(beside(Some(&signature), Some(&signature))).unwrap_err();
    assert!(
        twice.to_string().contains("belong into FILE.sigstore.json"),
        "{twice}"
    );
    // Not among others either.
    let both = lines(&[&signature, &attestation]);
    assert!(SignatureFile::parse(&both).is_err());
    assert!(AttestationFile::parse(&both).is_err());
}

#[test]
fn what_no_policy_asks_for_is_not_even_read() {
    let bytes = plugin("p", "1.0.0");
    for policy in [
        block(""),
        // A block for other plugins.
        format!("{}{}", block(""), by_theirs().replace("['*']", "['q']")),
    ] {
        let verified = verify(&policy, &bytes, Some(b"not attestations")).unwrap();
        assert!(verified.attested().is_empty());
    }
    assert!(!trust(&block("")).wants_attestations());
    assert!(trust(&by_theirs()).wants_attestations());
    let refusal = verify(&by_theirs(), &bytes, Some(b"not attestations")).unwrap_err();
    assert!(
        matches!(refusal, Refusal::MalformedAttestations(_)),
        "{refusal}"
    );
}

#[test]
fn each_block_asks_for_its_own_and_one_that_is_satisfied_is_enough() {
    let bytes = plugin("p", "1.0.0");
    // Who is trusted without provenance, and who is trusted with it only.
    let policy = format!(
        "[[trust]]\nplugins = ['*']\nkeys = ['theirs.pub']\n{}",
        block(&format!("attestations = [{{ type = '{SLSA}' }}]"))
    );
    assert_eq!(lack(&policy, &bytes, None), Unattested::NoneAtAll);
    let by_both = lines(&[
        &sign(&bytes, key()).unwrap(),
        &sign(&bytes, stranger()).unwrap(),
    ]);
    let verified = trust(&policy)
        .verify(bytes.clone().into(), Some(&by_both))
        .unwrap();
    let names: Vec<_> = verified.signers().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["theirs.pub"]);
    assert!(verified.attested().is_empty());
}

#[test]
fn an_attestation_of_the_image_that_a_plugin_becomes_vouches_for_it_and_that_of_another_does_not() {
    let image = |bytes: &[u8]| Published::new(bytes.into(), None).unwrap().digest();
    let bytes = plugin("p", "1.0.0");
    let of = |image: Digest| attest(image, SLSA, &json!({}), stranger()).unwrap();
    verify(&by_theirs(), &bytes, Some(&of(image(&bytes)))).unwrap();
    let other = of(image(&plugin("p", "1.0.1")));
    assert_eq!(
        lack(&by_theirs(), &bytes, Some(&other)),
        Unattested::OfOtherFiles
    );
}

#[test]
fn a_predicate_is_signed_as_it_was_written() {
    // Both members of one name, every digit, and the blanks.
    let written = r#"{"at": 1, "at" : 18446744073709551616, "cost":0.10000000000000000000001,
        "unicode": "\u00e9"}"#;
    let bytes = plugin("p", "1.0.0");
    let predicate: Box<RawValue> = serde_json::from_str(written).unwrap();
    let file = attest(digest(&bytes), SLSA, &predicate, stranger()).unwrap();
    verify(&by_theirs(), &bytes, Some(&file)).unwrap();
    let bundle: Value = serde_json::from_slice(&file).unwrap();
    let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
    let payload = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
    assert!(payload.contains(written), "{payload}");
}

#[test]
fn a_file_of_attestations_has_a_form_and_bounds() {
    let bytes = plugin("p", "1.0.0");
    let one = provenance(&bytes, key());
    let of = |count: usize| lines(&vec![&one[..]; count]);
    assert_eq!(AttestationFile::parse(&of(16)).unwrap().count(), 16);
    let large = attest(digest(&bytes), SLSA, &json!(" ".repeat(1 << 20)), key()).unwrap();
    let old = String::from_utf8(one.clone())
        .unwrap()
        .replace("bundle.v0.3+json", "bundle+json;version=0.2");
    for (bad, says) in [
        (of(17), "more than 16 attestations"),
        (large, "more than the 1048576"),
        (Vec::new(), "empty"),
        (b"{}".to_vec(), "mediaType"),
        (one[..one.len() - 1].to_vec(), "EOF"),
        (old.into_bytes(), "older version than 0.3"),
    ] {
        let refusal = AttestationFile::parse(&bad).unwrap_err().to_string();
        assert!(refusal.contains(says), "{refusal}");
    }
    let file = AttestationFile::parse(&of(2)).unwrap();
    file.check_about(&bytes).unwrap();
    let mixed = AttestationFile::parse(&lines(&[&one, &provenance(b"other", key())])).unwrap();
    let refusal = mixed.check_about(&bytes).unwrap_err();
    assert!(
        matches!(refusal, Refusal::AttestationOfAnother { .. }),
        "{refusal}"
    );
}

#[test]
fn a_file_of_attestations_that_is_cut_off_anywhere_is_refused_or_has_whole_ones_only() {
    let bytes = plugin("p", "1.0.0");
    let (first, second) = (provenance(&bytes, stranger()), provenance(&bytes, key()));
    let file = lines(&[&first, &second]);
    for end in 0..file.len() {
        let cut = AttestationFile::parse(&file[..end]).map(|file| file.count());
        match end == first.len() || end == first.len() + 1 {
            true => assert_eq!(cut, Ok(1), "at {end}"),
            false => assert!(cut.is_err(), "at {end}: {cut:?}"),
        }
    }
    // The other way round, the one that counts is cut off.
    let file = lines(&[&second, &first]);
    for end in 0..file.len() {
        assert!(verify(&by_theirs(), &bytes, Some(&file[..end])).is_err());
    }
    verify(&by_theirs(), &bytes, Some(&file)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_attestation_counts_exactly_if_type_subject_and_signer_are_those_asked_for(
        right_type: bool, right_subject: bool, right_signer: bool,
        others in 0usize..4, place in 0usize..4, text in "[a-z]{1,12}",
    ) {
        let bytes = plugin("p", "1.0.0");
        let by = if right_signer { stranger() } else { key() };
        let attestation = attested(by, &bytes, |statement| {
            let mut subjects: Vec<Value> = (0..others)
                .map(|n| json!({ "digest": { "sha256": digest(format!("{text}{n}").as_bytes()).to_hex() } }))
                .collect();
            let hex = match right_subject {
                true => digest(&bytes).to_hex(),
                false => digest(text.as_bytes()).to_hex(),
            };
            subjects.insert(place.min(others), json!({ "name": text, "digest": { "sha256": hex } }));
            statement["subject"] = subjects.into();
            if !right_type {
                statement["predicateType"] = format!("https://slsa.dev/{text}").into();
            }
        });
        let verified = verify(&by_theirs(), &bytes, Some(&attestation));
        prop_assert_eq!(verified.is_ok(), right_type && right_subject && right_signer);
    }

    #[test]
    fn no_changed_byte_of_what_was_attested_passes(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let bytes = plugin("p", "1.0.0");
        let mut bundle: Value = serde_json::from_slice(&provenance(&bytes, stranger())).unwrap();
        let payload = STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        let mut changed = payload;
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        bundle["dsseEnvelope"]["payload"] = STANDARD.encode(changed).into();
        let verified = verify(&by_theirs(), &bytes, Some(bundle.to_string().as_bytes()));
        prop_assert!(verified.is_err());
    }
}

#[test]
fn a_type_that_a_terminal_would_act_on_or_that_has_no_end_is_none() {
    for kind in [
        "https://a.test/\u{1b}[2J",
        "https://a.test/ b",
        "a\nb",
        &"x".repeat(513),
    ] {
        let file = attest(wharf_bundle::digest(b"a"), kind, &json!({}), key()).unwrap();
        let refused = AttestationFile::parse(&file);
        assert!(
            matches!(refused, Err(Refusal::MalformedAttestations(_))),
            "{kind:?}"
        );
    }
}
