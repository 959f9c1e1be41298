//! `wharf verify` over bundles of others and of instances that were made for it, each as a client would
//! ask: the same list as the tests of the library go by.

#![allow(clippy::unwrap_used)]

#[path = "../../../runner/bundle/tests/sigstore/cases.rs"]
mod cases;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use cases::{Case, Given, Outcome, Who};
use wharf_e2e::{Answer, wharf_in};

/// Asks about a case, with its files in an empty folder.
fn ask(folder: &Path, case: &Case) -> Answer {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    let mut args = vec!["verify"];
    match &case.artifact {
        Given::File(bytes) => {
            write("file", bytes);
            args.push("file");
        }
        Given::Digest(digest) => args.push(digest),
    }
    write("bundle.json", &case.bundle);
    args.extend(["--bundle", "bundle.json"]);
    match &case.who {
        Who::Key(pem) => {
            write("key.pub", pem);
            args.extend(["--key", "key.pub"]);
        }
        Who::Identity { issuer, subject } => {
            args.extend(["--certificate-identity", subject]);
            args.extend(["--certificate-oidc-issuer", issuer]);
        }
    }
    if let Some(root) = &case.root {
        write("root.json", root);
        args.extend(["--trusted-root", "root.json"]);
    }
    if let Some(evidence) = &case.evidence {
        args.extend(["--evidence", evidence]);
    }
    wharf_in(folder, &args, &[])
}

/// What a person is told of a rejection of that kind.
fn words(kind: &str) -> &'static str {
    match kind {
        "malformed" => "the bundle is malformed: ",
        "unsupported" => "the bundle cannot be checked here: ",
        "wrong-artifact" => "the signature is not about this artifact: ",
        "bad-signature" => "the signature does not verify: ",
        "certificate" => "the certificate does not verify: ",
        "wrong-identity" => "it was signed by somebody else: ",
        "log" => "the log entry does not verify: ",
        "timestamp" => "the timestamp does not verify: ",
        "not-enough" => "the bundle does not prove enough: ",
        "root" => "root.json cannot be used: ",
        // These have no words in common.
        "" | "wrong-signer" => "",
        other => panic!("{other}"),
    }
}

/// What is wrong with the answer.
fn wrong(case: &Case, answer: &Answer) -> Option<String> {
    let Answer { code, out, err } = answer;
    let as_listed = match &case.outcome {
        Outcome::Good(proof) => {
            let says = match proof {
                None => "verified sha256:".to_owned(),
                Some([0, 0]) => "no proof of when".to_owned(),
                Some([logged, stamped]) => {
                    format!("{logged} log entries and {stamped} timestamps")
                }
            };
            *code == 0 && err.is_empty() && out.contains(&says)
        }
        Outcome::Refused { kind, says } => {
            let reason = err.split_once(match kind.as_str() {
                "root" => "root.json cannot be used: ",
                _ => "is not verified: ",
            });
            let reason = reason.is_some_and(|(_, reason)| !reason.trim().is_empty());
            let named = [words(kind), says].iter().all(|part| err.contains(part));
            *code == 3 && out.is_empty() && reason && named
        }
    };
    (!as_listed).then(|| format!("{}: {code} {out}{err}", case.name))
}

/// Runs the program over all of them, two at a time.
fn check(cases: &[Case]) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrongs = Vec::new();
        while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let folder = tempfile::tempdir().unwrap();
            wrongs.extend(wrong(case, &ask(folder.path(), case)));
        }
        wrongs
    };
    let wrongs = std::thread::scope(|scope| {
        let all = [scope.spawn(work), scope.spawn(work)];
        all.map(|each| each.join().unwrap()).concat()
    });
    assert!(wrongs.is_empty(), "{}", wrongs.join("\n"));
}

fn by_digest(cases: &[Case]) -> Vec<Case> {
    cases.iter().filter_map(Case::by_digest).collect()
}

#[test]
fn each_bundle_of_other_tools_is_accepted_or_refused_with_its_reason() {
    let cases = cases::public();
    let of_others: Vec<_> = cases.iter().flat_map(Case::in_vain).collect();
    let digests = by_digest(&cases);
    assert!(cases.len() >= 40 && of_others.len() >= 75 && digests.len() >= 15);
    check(&[cases, digests, of_others].concat());
}

#[test]
fn each_bundle_of_a_made_instance_is_accepted_or_refused_with_its_reason() {
    let cases = cases::made();
    let digests = by_digest(&cases);
    assert!(cases.len() >= 135 && digests.len() == cases.len());
    check(&[cases, digests].concat());
}
