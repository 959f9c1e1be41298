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
    let folder = tempfile::tempdir().unwrap();
    let beside_others = folder.path().join("roots.jsonl");
    let roots = ["roots/empty.json", "roots/github.json"].map(|root| std::fs::read(asset(root)));
    std::fs::write(&beside_others, roots.map(Result::unwrap).concat()).unwrap();
    let beside_others = beside_others.to_str().unwrap();
    assert_eq!(run(&["--trusted-root", beside_others]).code, 3);
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
        answer["trust"][0]["identities"][0]["subject"], "me@acme.test",
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
        assert_eq!(answer.code, 2, "{was} -> {is}: {}", answer.err);
        assert!(answer.err.contains(says), "{was} -> {is}: {}", answer.err);
    }
}

#[test]
fn a_policy_check_says_everything_that_decides() {
    let folder = tempfile::tempdir().unwrap();
    copy("artifacts/managed-key.pub", &folder.path().join("a.pub"));
    let digest = |with: &str| format!("sha256:{}", with.repeat(32));
    let (denied, pinned) = (digest("0d"), digest("0e"));
    let policy = format!(
        "[[trust]]\nplugins = ['acme/*']\n\
         keys = [{{ path = 'a.pub', not-before = '2020-01-01', not-after = '2099-01-01' }}]\n\
         minimum-version = '1.2.3'\nevidence = 'timestamp'\nallow-older = true\n\
         denied-digests = ['{denied}']\npinned-digests = ['{pinned}']\nvalid-until = '2098-01-01'\n"
    );
    std::fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let check = |more: &[&str]| {
        let args = [&["policy", "check", "policy.toml"], more].concat();
        wharf_in(folder.path(), &args, &[]).ok()
    };
    let shown = check(&[]).out;
    for says in [
        "from 2020-01-01",
        "until 2099-01-01",
        "version   1.2.3 or newer",
        "evidence  timestamp",
        "older     than what was run before is let in",
        &format!("denied    {denied}"),
        &format!("pinned    {pinned}"),
        "ends      2098-01-01",
    ] {
        assert!(shown.contains(says), "{says}: {shown}");
    }
    let answer = check(&["--json"]).json();
    let rule = &answer["trust"][0];
    for (name, value) in [
        ("minimum-version", "1.2.3"),
        ("evidence", "timestamp"),
        ("trusted-root", "public-good"),
    ] {
        assert_eq!(rule[name], value, "{rule}");
    }
    assert_eq!(rule["allow-older"], true);
    assert_eq!(rule["denied-digests"][0], denied.as_str());
    assert_eq!(rule["pinned-digests"][0], pinned.as_str());
    assert_eq!(rule["keys"][0]["path"], "a.pub");
    for name in ["fingerprint", "not-before", "not-after"] {
        assert!(rule["keys"][0][name].is_string(), "{rule}");
    }
    assert!(rule["valid-until"].is_string(), "{rule}");
}

#[test]
fn a_digest_is_never_answered_for_by_a_file_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (bundle, key) = (
        asset("bundles/managed-key.json"),
        asset("artifacts/managed-key.pub"),
    );
    let digest = format!("sha256:{}07", "00".repeat(31));
    copy("artifacts/managed-key.txt", &folder.path().join(&digest));
    let run = |artifact: &str, more: &[&str]| {
        let args = [&["verify", artifact, "--key", &key], more].concat();
        wharf_in(folder.path(), &args, &[])
    };
    let with = ["--bundle", bundle.as_str()];
    let answer = run(&digest, &with);
    assert_eq!(answer.code, 3, "{} {}", answer.out, answer.err);
    run(&format!("./{digest}"), &with).ok();

    for (artifact, more, code, says) in [
        ("sha256:ABC", &[][..], 2, "not a SHA-256 digest"),
        ("sha256:ABC", &with, 2, "not a SHA-256 digest"),
        ("sha512:00", &with, 2, "not a SHA-256 digest"),
        ("no-such-file", &[], 2, "cannot read no-such-file"),
        ("no-such-file", &with, 2, "cannot read no-such-file"),
        (".", &[], 2, "is a folder"),
        (".", &with, 2, "is a folder"),
        (&format!("./{digest}"), &[], 3, "is not signed"),
    ] {
        let answer = run(artifact, more);
        assert_eq!(answer.code, code, "{artifact}: {}", answer.err);
        assert!(answer.err.contains(says), "{artifact}: {}", answer.err);
    }
}

#[test]
fn what_does_not_end_is_not_read_to_its_end() {
    let (bundle, key) = (
        asset("bundles/managed-key.json"),
        asset("artifacts/managed-key.pub"),
    );
    let file = asset("artifacts/managed-key.txt");
    let endless = "/dev/zero";
    for (bundle, key, root, code) in [
        (endless, key.as_str(), None, 3),
        (&bundle, endless, None, 2),
        (&bundle, &key, Some(endless), 3),
    ] {
        let mut args = vec!["verify", &file, "--bundle", bundle, "--key", key];
        args.extend(root.into_iter().flat_map(|root| ["--trusted-root", root]));
        let answer = wharf(&args);
        assert_eq!(answer.code, code, "{args:?}: {}", answer.err);
    }
}

#[test]
fn a_file_with_several_trusted_roots_is_good_for_each_and_for_none_together() {
    let folder = tempfile::tempdir().unwrap();
    let text = |name: &str| {
        let text = std::fs::read(asset(&format!("roots/{name}.json"))).unwrap();
        let root: serde_json::Value = serde_json::from_slice(&text).unwrap();
        root.to_string()
    };
    let (github, staging) = (text("github"), text("staging"));
    let roots = folder.path().join("roots.jsonl");
    let file = asset("artifacts/python-rekor-v2.txt");
    let run = |content: &str, more: &[&str]| {
        std::fs::write(&roots, content).unwrap();
        let root = ["--trusted-root", roots.to_str().unwrap()];
        let more = [&root[..], more].concat();
        keyless("python-rekor-v2", &file, "jku@goto.fi", &more)
    };
    let answer = run(&format!("{github}\n{staging}\n"), &["--json"])
        .ok()
        .json();
    let named = answer["trusted-root"].as_str().unwrap();
    assert!(named.ends_with("roots.jsonl (2)"), "{named}");
    run(&format!("{staging}\n{github}\n"), &[]).ok();
    let answer = run(&format!("{github}\n{github}\n"), &[]);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(answer.err.contains("roots.jsonl (2): "), "{}", answer.err);

    // The authorities of one and the logs of the other are no root.
    let part = |of: &str, without: &str| {
        let mut root: serde_json::Value = serde_json::from_str(of).unwrap();
        root[without] = serde_json::json!([]);
        root.to_string()
    };
    let halves = ["certificateAuthorities", "tlogs"].map(|without| part(&staging, without));
    assert_eq!(run(&halves.join("\n"), &[]).code, 3);
    // One that cannot be used is not passed over.
    for broken in [format!("{staging}\n{{}}\n"), format!("{staging}\nx")] {
        assert_eq!(run(&broken, &[]).code, 3);
    }
}

#[test]
fn an_instance_without_a_log_is_asked_for_a_timestamp_and_others_are_told_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(asset(name)).unwrap()).unwrap()
    };
    let write = |name: &str, json: &serde_json::Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, json.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let mut bundle = read("bundles/python-rekor-v2.json");
    let entries = bundle["verificationMaterial"].as_object_mut().unwrap();
    entries.remove("tlogEntries");
    let bundle = write("bundle.json", &bundle);
    let mut root = read("roots/staging.json");
    let whole = write("whole.json", &root);
    root["tlogs"] = serde_json::json!([]);
    let without_logs = write("without-logs.json", &root);
    let file = asset("artifacts/python-rekor-v2.txt");
    let run = |root: &str, more: &[&str]| {
        let whom = ["--certificate-identity", "jku@goto.fi"];
        let by = ["--certificate-oidc-issuer", LOGIN];
        let with = ["--bundle", &bundle, "--trusted-root", root];
        wharf(&[&["verify", &file][..], &whom, &by, &with, more].concat())
    };
    run(&without_logs, &[]).ok();
    assert_eq!(run(&without_logs, &["--evidence", "log"]).code, 3);
    let answer = run(&whole, &[]);
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(
        answer.err.contains("--evidence timestamp"),
        "{}",
        answer.err
    );
    run(&whole, &["--evidence", "timestamp"]).ok();
}

fn copy(name: &str, to: &Path) {
    std::fs::copy(asset(name), to).unwrap();
}
