//! Trust rules beyond one key: how many, when, which digests, and what must come with a signature.

#![allow(clippy::unwrap_used)]

mod common;

use common::{TRUST_ALL, key, plugin, stranger, trust};
use wharf_bundle::sigstore::TrustRoot;
use wharf_bundle::{
    Beside, PublicKey, Refusal, TrustError, TrustPolicy, Verified, attest, digest, sign,
};
use wharf_policy::{Moment, Policy};

const BOTH: &str = "[[trust]]\nplugins = ['*']\nkeys = ['ours.pub', 'theirs.pub']\n";

fn at(time: &str) -> Moment {
    time.parse().unwrap()
}

fn verify(policy: &str, bytes: &[u8], signature: &[u8], now: &str) -> Result<Verified, Refusal> {
    let beside = Beside {
        signatures: Some(signature),
        ..Beside::default()
    };
    trust(policy).verify_at(bytes.into(), beside, at(now))
}

/// One signature after the other, as lines of a file.
fn together(signatures: &[Vec<u8>]) -> Vec<u8> {
    signatures.join(&b"\n"[..])
}

#[test]
fn two_of_two_signers_must_both_have_signed() {
    let bytes = plugin("p", "1.0.0");
    let policy = format!("{BOTH}require = 2");
    let ours = sign(&bytes, key()).unwrap();
    let theirs = sign(&bytes, stranger()).unwrap();
    let both = together(&[ours.clone(), theirs.clone()]);
    let verified = verify(&policy, &bytes, &both, "2026-01-01").unwrap();
    assert_eq!(verified.signers().len(), 2);
    for one in [&ours, &theirs] {
        let refusal = verify(&policy, &bytes, one, "2026-01-01").unwrap_err();
        assert!(
            matches!(refusal, Refusal::TooFewSigners { require: 2, .. }),
            "{refusal}"
        );
        verify(BOTH, &bytes, one, "2026-01-01").unwrap();
    }
}

#[test]
fn the_same_signer_twice_is_one_signer() {
    let bytes = plugin("p", "1.0.0");
    let policy = format!("{BOTH}require = 2");
    let twice = together(&[sign(&bytes, key()).unwrap(), sign(&bytes, key()).unwrap()]);
    // One signed, and the line is content with one.
    let by_one = |refusal: Refusal, name: &str| {
        let text = refusal.to_string();
        for says in [
            "needs 2 signers",
            &format!("is signed by 1 ({name})"),
            "`require = 1`",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
    };
    let refusal = verify(&policy, &bytes, &twice, "2026-01-01").unwrap_err();
    by_one(refusal, "ours.pub");
    verify(BOTH, &bytes, &twice, "2026-01-01").unwrap();

    // The same key under two names, beside another.
    let named = "[[trust]]\nplugins = ['*']\nkeys = ['ours.pub', 'ours-too.pub', 'theirs.pub']\n";
    let read = |lines: &str| {
        let policy = Policy::from_toml(&format!("{named}{lines}")).unwrap();
        TrustPolicy::with_keys(&policy, |path| {
            let key = if path == "theirs.pub" {
                stranger()
            } else {
                key()
            };
            Ok::<PublicKey, _>(key.public().clone())
        })
        .unwrap()
    };
    let once = sign(&bytes, key()).unwrap();
    for file in [&once, &twice] {
        let bytes = || bytes.clone().into();
        let refusal = read("require = 2").verify(bytes(), Some(file)).unwrap_err();
        by_one(refusal, "ours.pub");
        read("require = 1").verify(bytes(), Some(file)).unwrap();
    }

    let aliased = "[[trust]]\nplugins = ['*']\nkeys = ['ours.pub', 'ours-too.pub']\nrequire = 2";
    let error = TrustPolicy::with_keys(&Policy::from_toml(aliased).unwrap(), |_| {
        Ok(key().public().clone())
    })
    .unwrap_err();
    assert!(
        matches!(error, TrustError::TooFewSigners { signers: 1, .. }),
        "{error}"
    );
}

#[test]
fn signers_of_two_rules_do_not_add_up_to_one_rule() {
    let bytes = plugin("p", "1.0.0");
    let third = wharf_bundle::SigningKey::generate().unwrap();
    let policy = Policy::from_toml(
        "[[trust]]\nplugins = ['p']\nkeys = ['ours.pub', 'third.pub']\nrequire = 2\n\
         [[trust]]\nplugins = ['p']\nkeys = ['theirs.pub', 'third.pub']\nrequire = 2",
    )
    .unwrap();
    let policy = TrustPolicy::with_keys(&policy, |path| {
        Ok::<PublicKey, _>(match path {
            "ours.pub" => key().public().clone(),
            "theirs.pub" => stranger().public().clone(),
            _ => third.public().clone(),
        })
    })
    .unwrap();
    let file = together(&[
        sign(&bytes, key()).unwrap(),
        sign(&bytes, stranger()).unwrap(),
    ]);
    let refusal = policy.verify(bytes.into(), Some(&file)).unwrap_err();
    assert!(
        matches!(refusal, Refusal::TooFewSigners { .. }),
        "{refusal}"
    );
}

#[test]
fn a_signature_of_a_stranger_beside_a_good_one_does_no_harm() {
    let bytes = plugin("p", "1.0.0");
    let file = together(&[
        sign(&bytes, stranger()).unwrap(),
        sign(&bytes, key()).unwrap(),
    ]);
    verify(TRUST_ALL, &bytes, &file, "2026-01-01").unwrap();
}

#[test]
fn signatures_of_different_files_or_too_many_or_none_are_refused() {
    let bytes = plugin("p", "1.0.0");
    let ours = sign(&bytes, key()).unwrap();
    let other = sign(b"other", key()).unwrap();
    let mut cut = together(&[ours.clone(), ours.clone()]);
    cut.pop();
    for file in [
        together(&[ours.clone(), other]),
        together(&vec![ours.clone(); 17]),
        cut,
        [&ours[..], b"\nx"].concat(),
        b" \n".to_vec(),
        b"[]".to_vec(),
    ] {
        let refusal = verify(TRUST_ALL, &bytes, &file, "2026-01-01").unwrap_err();
        assert!(
            matches!(refusal, Refusal::MalformedSignature(_)),
            "{refusal}"
        );
    }
}

#[test]
fn a_key_is_trusted_in_its_time_and_keys_may_overlap() {
    let bytes = plugin("p", "1.0.0");
    let policy = "[[trust]]\nplugins = ['*']\nkeys = [\n\
                  { path = 'ours.pub', not-after = '2026-06-30T00:00:00Z' },\n\
                  { path = 'theirs.pub', not-before = '2026-06-01' }]";
    let (old, new) = (
        sign(&bytes, key()).unwrap(),
        sign(&bytes, stranger()).unwrap(),
    );
    for (signature, now, good) in [
        (&old, "2026-05-01", true),
        (&new, "2026-05-01", false),
        (&new, "2026-06-01T00:00:00Z", true),
        (&old, "2026-06-15", true),
        (&old, "2026-06-30T00:00:00Z", true),
        (&old, "2026-06-30T00:00:01Z", false),
        (&new, "2030-01-01", true),
    ] {
        match verify(policy, &bytes, signature, now) {
            Ok(_) => assert!(good, "{now}"),
            Err(refusal) => {
                assert!(!good, "{now}: {refusal}");
                assert!(
                    matches!(refusal, Refusal::KeyNotTrustedNow { .. }),
                    "{refusal}"
                );
            }
        }
    }
}

#[test]
fn a_rule_that_has_ended_lets_nothing_in_and_still_refuses() {
    let bytes = plugin("p", "1.0.0");
    let signature = sign(&bytes, key()).unwrap();
    let policy = format!("{TRUST_ALL}\nvalid-until = '2026-06-01'");
    verify(&policy, &bytes, &signature, "2026-05-31T23:59:59Z").unwrap();
    let refusal = verify(&policy, &bytes, &signature, "2026-06-01").unwrap_err();
    assert!(matches!(refusal, Refusal::RuleEnded { .. }), "{refusal}");
    // Another rule lets it in; the minimum of the one that ended still holds.
    let two = format!("{policy}\nminimum-version = '2.0.0'\n{TRUST_ALL}");
    let refusal = verify(&two, &bytes, &signature, "2027-01-01").unwrap_err();
    assert!(matches!(refusal, Refusal::TooOld { .. }), "{refusal}");
}

#[test]
fn the_term_of_what_is_trusted_is_the_first_end_of_what_it_rests_on() {
    let bytes = plugin("p", "1.0.0");
    let ours = sign(&bytes, key()).unwrap();
    let both = together(&[ours.clone(), sign(&bytes, stranger()).unwrap()]);
    let null = serde_json::Value::Null;
    let reviewed = attest(digest(&bytes), "https://r.test/1", &null, stranger()).unwrap();
    // The last moment of each, if there is one.
    let rule = |ours: &str, theirs: &str, more: &str| {
        let key = |path: &str, last: &str| match last {
            "" => format!("'{path}'"),
            last => format!("{{ path = '{path}', not-after = '{last}' }}"),
        };
        let keys = [key("ours.pub", ours), key("theirs.pub", theirs)].join(", ");
        format!("[[trust]]\nplugins = ['*']\nkeys = [{keys}]\n{more}\n")
    };
    let (early, late) = ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z");
    let until = format!("valid-until = '{early}'");
    let reviewers = format!(
        "attestations = [{{ type = 'https://r.test/1', keys = [{{ path = 'theirs.pub', not-after = '{early}' }}] }}]"
    );
    for (policy, signatures, last, over) in [
        (
            rule(early, late, ""),
            &both,
            early,
            "2026-06-01T00:00:00.000000001Z",
        ),
        (
            rule(late, early, ""),
            &both,
            early,
            "2026-06-01T00:00:00.000000001Z",
        ),
        (
            rule(late, early, ""),
            &ours,
            late,
            "2026-07-01T00:00:00.000000001Z",
        ),
        // One that was over before lets in nothing, and takes nothing away.
        (
            rule(late, "2025-01-01", ""),
            &both,
            late,
            "2026-07-01T00:00:01Z",
        ),
        (
            rule(late, "", &until),
            &both,
            "2026-05-31T23:59:59.999999999Z",
            early,
        ),
        (
            rule("", "", &reviewers),
            &ours,
            early,
            "2026-06-01T00:00:01Z",
        ),
        (
            format!("{}{}", rule("", late, ""), rule(early, "", "")),
            &both,
            early,
            "2026-06-01T00:00:01Z",
        ),
    ] {
        let beside = Beside {
            signatures: Some(signatures),
            attestations: Some(&reviewed),
        };
        let verified = trust(&policy).verify_at(bytes.as_slice().into(), beside, at("2026-01-01"));
        let term = verified.unwrap().term();
        assert!(!term.is_over(at(last)), "{policy}");
        assert!(term.is_over(at(over)), "{policy}");
    }
    let verified = verify(BOTH, &bytes, &both, "2026-01-01").unwrap();
    assert!(!verified.term().is_over(at("9999-01-01")));
}

#[test]
fn a_refusal_names_a_line_that_lets_it_in() {
    let bytes = plugin("p", "1.0.0");
    let now = "2026-01-01";
    let ours = sign(&bytes, key()).unwrap();
    let refused = |policy: &str, member: &str| {
        let refusal = verify(policy, &bytes, &ours, now).unwrap_err().to_string();
        let begins = |part: &&str| part.starts_with(&format!("{member} = "));
        let line = refusal.split('`').find(begins);
        line.unwrap_or_else(|| panic!("no line: {refusal}"))
            .to_owned()
    };
    let lets_in = |policy: &str| drop(verify(policy, &bytes, &ours, now).unwrap());

    // In place of what the block says.
    let line = refused(&format!("{BOTH}require = 2"), "require");
    lets_in(&format!("{BOTH}{line}"));
    let newer = format!("{TRUST_ALL}\nminimum-version = '1.1.0'");
    let line = refused(&newer, "minimum-version");
    lets_in(&format!("{TRUST_ALL}\n{line}"));
    let pinned = format!("{TRUST_ALL}\npinned-digests = ['{}']", digest(b"another"));
    let line = refused(&pinned, "pinned-digests");
    lets_in(&format!("{TRUST_ALL}\n{line}"));
    // In another block.
    let narrow = "[[trust]]\nplugins = ['q']\nkeys = ['ours.pub']\n";
    let line = refused(narrow, "plugins");
    lets_in(&format!("{narrow}[[trust]]\nkeys = ['ours.pub']\n{line}"));
    let theirs = "[[trust]]\nplugins = ['*']\nkeys = ['theirs.pub']\n";
    let line = refused(theirs, "keys").replace("signer.pub", "ours.pub");
    lets_in(&format!("{theirs}[[trust]]\nplugins = ['*']\n{line}"));
    let nobody = refused("", "keys").replace("signer.pub", "ours.pub");
    lets_in(&format!("[[trust]]\n{}\n{nobody}", refused("", "plugins")));
}

#[test]
fn pinned_digests_let_nothing_else_in_and_let_it_be_older() {
    let (bytes, other) = (plugin("p", "1.0.0"), plugin("p", "1.0.1"));
    let policy = format!("{TRUST_ALL}\npinned-digests = ['{}']", digest(&bytes));
    let now = "2026-01-01";
    let verified = verify(&policy, &bytes, &sign(&bytes, key()).unwrap(), now).unwrap();
    assert!(verified.may_be_older());
    let refusal = verify(&policy, &other, &sign(&other, key()).unwrap(), now).unwrap_err();
    assert!(matches!(refusal, Refusal::NotPinned { .. }), "{refusal}");
    let verified = verify(TRUST_ALL, &other, &sign(&other, key()).unwrap(), now).unwrap();
    assert!(!verified.may_be_older());
    let older = format!("{TRUST_ALL}\nallow-older = true");
    let verified = verify(&older, &other, &sign(&other, key()).unwrap(), now).unwrap();
    assert!(verified.may_be_older());
}

#[test]
fn evidence_that_is_asked_for_must_be_there() {
    let bytes = plugin("p", "1.0.0");
    let signature = sign(&bytes, key()).unwrap();
    for evidence in ["any", "log", "timestamp", "log-and-timestamp"] {
        let policy = format!("{TRUST_ALL}\nevidence = '{evidence}'");
        let refusal = verify(&policy, &bytes, &signature, "2026-01-01").unwrap_err();
        // The line to take out is the one that is there.
        let asks = format!("what asks for that is `evidence = \"{evidence}\"`");
        assert!(
            matches!(&refusal, Refusal::TooLittleProof { line, .. } if line.contains(&asks)),
            "{evidence}: {refusal}"
        );
    }
}

#[test]
fn identities_need_a_root_that_can_be_read() {
    let text = "[[trust]]\nplugins = ['*']\n\
                identities = [{ issuer = 'https://issuer.test', subject = 'me' }]\n";
    let bytes = plugin("p", "1.0.0");
    let signature = sign(&bytes, key()).unwrap();
    let refusal = verify(text, &bytes, &signature, "2026-01-01").unwrap_err();
    assert!(
        matches!(refusal, Refusal::UnknownSigner { .. }),
        "{refusal}"
    );

    let folder = tempfile::tempdir().unwrap();
    let policy = Policy::from_toml(&format!("{text}trusted-root = 'root.json'")).unwrap();
    let missing = TrustPolicy::load(&policy, folder.path()).unwrap_err();
    assert!(matches!(missing, TrustError::Root { .. }), "{missing}");
    for bad in ["", "{}", "[]", "{\"mediaType\":\"application/json\"}"] {
        std::fs::write(folder.path().join("root.json"), bad).unwrap();
        let error = TrustPolicy::load(&policy, folder.path()).unwrap_err();
        assert!(error.to_string().contains("root.json"), "{error}");
        assert!(TrustRoot::from_json(bad).is_err());
    }
}

/// A public bundle: nobody's plugin, so the manifest is the next thing that is wrong with it.
#[test]
fn an_identity_signs_as_a_key_does() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sigstore");
    let bytes = std::fs::read(folder.join("artifacts/cosign-v3-blob.txt")).unwrap();
    let signature = std::fs::read(folder.join("bundles/cosign-v3-blob.json")).unwrap();
    let rule = |issuer: &str, subject: &str, more: &str| {
        let policy = Policy::from_toml(&format!(
            "[[trust]]\nplugins = ['*']\n\
             identities = [{{ issuer = '{issuer}', subject = '{subject}' }}]\n{more}"
        ))
        .unwrap();
        TrustPolicy::load(&policy, &folder)
            .unwrap()
            .verify(bytes.clone().into(), Some(&signature))
            .unwrap_err()
    };
    let (issuer, subject) = ("https://github.com/login/oauth", "w.vollprecht@gmail.com");
    let both = "evidence = 'log-and-timestamp'";
    for more in ["", both] {
        let refusal = rule(issuer, subject, more);
        assert!(matches!(refusal, Refusal::BadManifest(_)), "{refusal}");
    }
    for (issuer, subject) in [
        (issuer, "somebody@else.test"),
        ("https://issuer.test", subject),
        (issuer, "W.VOLLPRECHT@GMAIL.COM"),
        ("https://github.com/login/oauth/", subject),
    ] {
        let refusal = rule(issuer, subject, "");
        assert!(
            matches!(refusal, Refusal::UnknownSigner { .. }),
            "{refusal}"
        );
        assert!(
            refusal.to_string().contains("w.vollprecht@gmail.com"),
            "{refusal}"
        );
    }
    let refusal = rule(issuer, subject, "trusted-root = 'roots/staging.json'");
    assert!(matches!(refusal, Refusal::NotProven(_)), "{refusal}");
}
