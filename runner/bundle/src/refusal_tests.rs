//! Every refusal says what to do, and names the line that does it.

use wharf_policy::Policy;

use super::*;

/// What an operator can do about a refusal.
enum Line {
    /// This line lets it in.
    LetsIn(&'static str),
    /// This line keeps it out.
    KeepsOut(&'static str),
    /// No line should let that in.
    None,
}

fn line(refusal: &Refusal) -> Line {
    // A new refusal has to say here what its line is.
    match refusal {
        Refusal::Unsigned
        | Refusal::MalformedSignature(_)
        | Refusal::Tampered { .. }
        | Refusal::Altered { .. }
        | Refusal::MalformedAttestations(_)
        | Refusal::AttestationOfAnother { .. }
        | Refusal::BadManifest(_) => Line::None,
        Refusal::Unattested { .. } => Line::KeepsOut("attestations"),
        Refusal::NoTrust | Refusal::UnknownSigner { .. } => Line::LetsIn("keys"),
        Refusal::TooLittleProof { .. } => Line::KeepsOut("evidence"),
        Refusal::NotProven(_) => Line::LetsIn("trusted-root"),
        Refusal::NotTrustedForName { .. } => Line::LetsIn("plugins"),
        Refusal::KeyNotTrustedNow { .. } => Line::LetsIn("keys"),
        Refusal::TooFewSigners { .. } => Line::LetsIn("require"),
        Refusal::RuleEnded { .. } => Line::LetsIn("valid-until"),
        Refusal::RolledBack { .. } => Line::LetsIn("allow-older"),
        Refusal::NotPinned { .. } => Line::LetsIn("pinned-digests"),
        Refusal::TooOld { .. } => Line::LetsIn("minimum-version"),
        Refusal::DeniedDigest(_) => Line::KeepsOut("denied-digests"),
    }
}

fn all() -> Vec<Refusal> {
    let name: PluginName = "acme/tool".parse().unwrap();
    let digest = crate::digest(b"x");
    let version = || Box::new(semver::Version::new(1, 2, 3));
    let at: Moment = "2026-11-22T09:00:00Z".parse().unwrap();
    let words = || "…".to_owned();
    vec![
        Refusal::Unsigned,
        Refusal::NoTrust,
        Refusal::MalformedSignature(words()),
        Refusal::Tampered {
            signed: digest,
            actual: digest,
        },
        Refusal::Altered { key: words() },
        Refusal::NotProven(Rejection::Log(words())),
        Refusal::TooLittleProof {
            why: words(),
            line: "`evidence = \"any\"`".to_owned(),
        },
        Refusal::UnknownSigner {
            line: TRUST_A_KEY.to_owned(),
            hint: words(),
        },
        Refusal::NotTrustedForName {
            name: name.clone(),
            signer: words(),
        },
        key_refused(Some("2025-01-01"), Some("2026-01-01"), at),
        Refusal::TooFewSigners {
            name: name.clone(),
            require: 2,
            signed: vec![words()],
        },
        Refusal::RuleEnded {
            plugins: words(),
            until: at,
            at,
        },
        Refusal::Unattested {
            predicate_type: "https://slsa.dev/provenance/v1".to_owned(),
            why: Box::new(Unattested::NoneAtAll),
        },
        Refusal::MalformedAttestations(words()),
        Refusal::AttestationOfAnother {
            predicate_type: words(),
            actual: digest,
        },
        Refusal::RolledBack {
            name: name.clone(),
            version: version(),
            highest: version(),
        },
        Refusal::NotPinned {
            name: name.clone(),
            digest,
        },
        Refusal::TooOld {
            name,
            version: version(),
            minimum: version(),
        },
        Refusal::DeniedDigest(digest),
        Refusal::BadManifest(BundleError::TooLarge {
            what: "it",
            size: 2,
            limit: 1,
        }),
    ]
}

/// A path that Rust and TOML write otherwise.
const KEY: &str = "a\\b \"c\" e\u{301}.pub";

fn key_refused(first: Option<&str>, last: Option<&str>, at: Moment) -> Refusal {
    Refusal::KeyNotTrustedNow {
        key: KEY.to_owned(),
        not_before: first.map(|time| time.parse().unwrap()),
        not_after: last.map(|time| time.parse().unwrap()),
        at,
    }
}

/// The block of a policy with the lines that a refusal names in backticks.
fn pasted(refusal: &Refusal) -> toml::Table {
    let text = refusal.to_string();
    let mut lines = toml::Table::new();
    for part in text.split('`') {
        lines.extend(part.parse::<toml::Table>().unwrap_or_default());
    }
    let mut block = lines.clone();
    for (key, value) in [("plugins", "*"), ("keys", "a.pub")] {
        let value = toml::Value::from(vec![value]);
        block.entry(key).or_insert(value);
    }
    policy(&text, block);
    lines
}

fn policy(text: &str, block: toml::Table) -> Policy {
    let policy = toml::Table::from_iter([("trust".to_owned(), vec![block].into())]);
    Policy::from_toml(&policy.to_string()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_refusal_names_the_line_that_lets_it_in_or_keeps_it_out() {
    for refusal in all() {
        let text = refusal.to_string();
        match line(&refusal) {
            Line::LetsIn(key) | Line::KeepsOut(key) => {
                assert!(pasted(&refusal).contains_key(key), "{text}");
            }
            Line::None => {
                assert!(text.contains("no line of a policy"), "{text}");
                assert!(pasted(&refusal).is_empty(), "{text}");
            }
        }
    }
}

#[test]
fn the_line_that_asks_for_an_attestation_is_the_one_of_the_policy() {
    for wanted in [
        "https://acme.test/e\u{301}",
        "a\"b\\c",
        "https://slsa.dev/x",
    ] {
        let lines = pasted(&Refusal::Unattested {
            predicate_type: wanted.to_owned(),
            why: Box::new(Unattested::NoneAtAll),
        });
        let named = lines["attestations"][0]["type"].as_str();
        assert_eq!(named, Some(wanted));
    }
}

#[test]
fn every_refusal_is_in_the_list_above() {
    let kinds: std::collections::HashSet<_> = all().iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 20);
}

#[test]
fn the_line_for_a_key_out_of_its_time_trusts_it_now() {
    let at: Moment = "2026-06-01T12:00:00Z".parse().unwrap();
    for (first, last) in [
        (Some("2027-01-01"), None),
        (None, Some("2026-01-01")),
        (Some("2027-01-01"), Some("2028-01-01")),
        (Some("2025-01-01"), Some("2026-01-01")),
    ] {
        let mut block = pasted(&key_refused(first, last, at));
        block.insert("plugins".to_owned(), vec!["*"].into());
        let policy = policy("", block);
        let key = &policy.trust[0].keys[0];
        assert_eq!(key.path, KEY);
        assert!(key.is_trusted_at(at), "{policy:?}");
        // And no more than it must.
        assert_eq!(key.not_before.is_some(), first.is_some());
        assert_eq!(key.not_after.is_some(), last.is_some());
    }
}
