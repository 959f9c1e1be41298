//! `wharf verify` as a client of Sigstore uses it, and `wharf policy check`: what is printed and how
//! they end.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use wharf_e2e::{Answer, source, wharf, wharf_in};

const A_TXT: &str = "sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf";
const LOGIN: &str = "https://github.com/login/oauth";

fn asset(name: &str) -> String {
    let path: PathBuf = source().join("runner/bundle/tests/sigstore").join(name);
    path.to_str().unwrap().to_owned()
}

fn keyless(bundle: &str, artifact: &str, subject: &str, more: &[&str]) -> Answer {
    let bundle = asset(&format!("bundles/{bundle}.json"));
    let mut args = vec![
        "verify",
        "--bundle",
        &bundle,
        "--certificate-identity",
        subject,
        "--certificate-oidc-issuer",
        LOGIN,
    ];
    args.extend(more);
    args.push(artifact);
    wharf(&args)
}

#[test]
fn a_file_or_its_digest_is_verified_by_an_identity() {
    let file = asset("artifacts/cosign-v3-blob.txt");
    let digest = "sha256:e194b99df6639501325c5f44da79fe3a8efae6f239bd79443a19787e06fb1764";
    for artifact in [file.as_str(), digest] {
        keyless("cosign-v3-blob", artifact, "w.vollprecht@gmail.com", &[]).ok();
    }
    let answer = keyless(
        "cosign-v3-blob",
        &file,
        "w.vollprecht@gmail.com",
        &["--json"],
    )
    .ok()
    .json();
    assert_eq!(answer["signer"]["issuer"], LOGIN, "{answer}");
    assert_eq!(answer["digest"], digest);
    assert_eq!(answer["log-entries"], 1);
    let root = asset("roots/staging.json");
    let file = asset("artifacts/python-rekor-v2.txt");
    keyless(
        "python-rekor-v2",
        &file,
        "jku@goto.fi",
        &["--trusted-root", &root],
    )
    .ok();
    let staged = keyless("python-rekor-v2", &file, "jku@goto.fi", &["--staging"]);
    staged.ok();
    // What is good there is nothing here.
    let here = keyless("python-rekor-v2", &file, "jku@goto.fi", &[]);
    assert_eq!(here.code, 3, "{}", here.err);
}

#[test]
fn what_is_not_verified_exits_3_and_says_why() {
    let file = asset("artifacts/cosign-v3-blob.txt");
    let root = asset("roots/staging.json");
    for (bundle, artifact, subject, more, says) in [
        (
            "cosign-v3-blob",
            file.as_str(),
            "somebody@else.test",
            &[][..],
            "somebody else",
        ),
        (
            "cosign-v3-blob",
            A_TXT,
            "w.vollprecht@gmail.com",
            &[],
            "not about this artifact",
        ),
        (
            "cosign-v3-blob",
            &file,
            "w.vollprecht@gmail.com",
            &["--trusted-root", &root],
            "trusted root",
        ),
        ("invalid-version", A_TXT, "a@b.test", &[], "mediaType"),
        ("no-checkpoint", A_TXT, "a@b.test", &[], "checkpoint"),
        ("managed-key", A_TXT, "a@b.test", &[], "signed with a key"),
        ("python-rekor-v2", A_TXT, "jku@goto.fi", &[], ""),
    ] {
        let answer = keyless(bundle, artifact, subject, more);
        assert_eq!(answer.code, 3, "{bundle}: {} {}", answer.out, answer.err);
        assert!(answer.err.contains(says), "{bundle}: {}", answer.err);
    }
    let bundle = asset("bundles/cosign-v3-blob.json");
    let broken = asset("bundles/managed-key.json");
    let answer = wharf(&[
        "verify",
        "--bundle",
        &bundle,
        "--certificate-identity",
        "w.vollprecht@gmail.com",
        "--certificate-oidc-issuer",
        LOGIN,
        "--trusted-root",
        &broken,
        &file,
    ]);
    assert_eq!(answer.code, 3, "a root that is none: {}", answer.err);
}

#[test]
fn a_key_verifies_alone_and_with_a_trusted_root() {
    let (bundle, key) = (
        asset("bundles/managed-key.json"),
        asset("artifacts/managed-key.pub"),
    );
    let file = asset("artifacts/managed-key.txt");
    let run = |more: &[&str]| {
        let mut args = vec!["verify", "--bundle", &bundle, "--key", &key];
        args.extend(more);
        args.push(&file);
        wharf(&args)
    };
    run(&[]).ok();
    run(&["--evidence", "log-and-timestamp"]).ok();
    let root = asset("roots/github.json");
    assert_eq!(run(&["--trusted-root", &root]).code, 3);

    // Without a proof of when: enough for a key alone, and where the root knows nobody who could prove
    // it; not where somebody could.
    let bare = asset("bundles/managed-key-alone.json");
    let run = |more: &[&str]| {
        wharf(&[&["verify", A_TXT, "--bundle", &bare, "--key", &key], more].concat())
    };
    run(&[]).ok();
    run(&["--trusted-root", &asset("roots/empty.json")]).ok();
    assert_eq!(run(&["--trusted-root", &root]).code, 3);
    assert_eq!(run(&["--staging"]).code, 3);
    let empty = asset("roots/empty.json");
    assert_eq!(
        run(&["--trusted-root", &empty, "--evidence", "any"]).code,
        3
    );
}

#[test]
fn what_was_not_asked_properly_exits_2() {
    let (bundle, key) = (
        asset("bundles/managed-key.json"),
        asset("artifacts/managed-key.pub"),
    );
    let file = asset("artifacts/managed-key.txt");
    for args in [
        &["verify", &file][..],
        &["verify", "--bundle", &bundle, &file],
        &[
            "verify",
            "--bundle",
            &bundle,
            "--certificate-identity",
            "a",
            &file,
        ],
        &[
            "verify",
            "--bundle",
            &bundle,
            "--certificate-oidc-issuer",
            "a",
            "--key",
            &key,
            &file,
        ],
        &[
            "verify",
            "--bundle",
            &bundle,
            "--key",
            &key,
            "--certificate-identity",
            "a",
            "--certificate-oidc-issuer",
            "b",
            &file,
        ],
        &["verify", "--bundle", &bundle, "--key", &file, &file],
        &["verify", "--bundle", &bundle, "--key", &key, "no-such-file"],
        &["verify", "--bundle", "no-such-bundle", "--key", &key, &file],
        &[
            "verify",
            "--bundle",
            &bundle,
            "--key",
            &key,
            "--trusted-root",
            "no-such-root",
            &file,
        ],
        &["verify", "--key", &key, A_TXT],
    ] {
        let answer = wharf(args);
        assert_eq!(answer.code, 2, "{args:?}: {}", answer.err);
    }
}

#[test]
fn a_policy_is_checked_with_everything_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str, more: &[&str]| {
        std::fs::write(folder.path().join("policy.toml"), text).unwrap();
        let mut args = vec!["policy", "check", "policy.toml"];
        args.extend(more);
        wharf_in(folder.path(), &args, &[])
    };
    copy("artifacts/managed-key.pub", &folder.path().join("a.pub"));
    copy("roots/staging.json", &folder.path().join("root.json"));
    let good = "[[trust]]\nplugins = ['acme/*']\nkeys = [{ path = 'a.pub', not-after = '2020-01-01' }]\n\
                identities = [{ issuer = 'https://issuer.test', subject = 'me@acme.test' }]\n\
                trusted-root = 'root.json'\nvalid-until = '2021-01-01'\n";
    let answer = check(good, &["--json"]).ok().json();
    assert_eq!(
        answer["trust"][0]["identities"][0][0], "me@acme.test",
        "{answer}"
    );
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("ended at 2021"), "{warnings}");
    assert!(warnings.contains("trusted until 2020"), "{warnings}");
    let answer = check(good, &[]).ok();
    assert!(answer.out.contains("a.pub"), "{}", answer.out);
    // What one block wants attested, and another for some of the same names does not.
    let wanted = "attestations = [{ type = 'https://slsa.dev/provenance/v1' }]\n";
    let strict = format!("{good}{wanted}");
    let other =
        |names: &str| format!("{strict}[[trust]]\nplugins = ['{names}']\nkeys = ['a.pub']\n");
    for (policy, around) in [
        (strict.clone(), false),
        (other("*"), true),
        (other("acme/x"), true),
        (other("b/*"), false),
        (format!("{}{wanted}", other("*")), false),
    ] {
        let answer = check(&policy, &["--json"]).ok().json();
        let warnings = answer["warnings"].to_string();
        assert_eq!(
            warnings.contains("without the attestation"),
            around,
            "{warnings}"
        );
    }
    for (was, is, says) in [
        ("a.pub", "gone.pub", "gone.pub"),
        ("root.json", "gone.json", "gone.json"),
        ("root.json", "a.pub", "trusted root"),
        ("valid-until", "valid-untill", "valid-untill"),
        ("identities", "require = 3\nidentities", "names 2"),
    ] {
        let answer = check(&good.replace(was, is), &[]);
        assert_eq!(answer.code, 3, "{was} -> {is}: {}", answer.err);
        assert!(answer.err.contains(says), "{was} -> {is}: {}", answer.err);
    }
}

fn copy(name: &str, to: &Path) {
    std::fs::copy(asset(name), to).unwrap();
}
