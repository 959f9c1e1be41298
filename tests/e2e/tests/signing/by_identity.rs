//! `wharf sign` by an identity, against a Sigstore instance of the test's own: what it makes is good,
//! and what a service may do wrong leaves nothing behind.

use std::path::{Path, PathBuf};

use wharf_e2e::{Answer, TlsFront, bundles, wharf_in};
use wharf_test_servers::{Sigstore, free_port};

const MAIL: &str = "me@example.test";
const WHO: &str = "sub=opaque&email=me@example.test";

/// A folder with a file, a token, and an instance that can be asked.
struct Desk {
    folder: tempfile::TempDir,
    instance: Sigstore,
}

impl Desk {
    async fn new() -> Option<Self> {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            instance: Sigstore::start().await?,
        };
        std::fs::write(desk.path().join("any.file"), "content").unwrap();
        let token = desk.instance.token(WHO).await;
        std::fs::write(desk.path().join("token"), token).unwrap();
        Some(desk)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn url(&self) -> &str {
        self.instance.url()
    }

    fn signature(&self) -> PathBuf {
        self.path().join("any.file.sigstore.json")
    }

    fn root(&self) -> String {
        let root = self.instance.folder().join("trusted_root.json");
        root.to_str().unwrap().to_owned()
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Answer {
        wharf_in(self.path(), args, variables)
    }

    /// Signs by the token in the file, with services at these paths below the instance.
    fn sign(&self, fulcio: Option<&str>, rekor: Option<&str>, tsa: Option<&str>) -> Answer {
        let root = self.root();
        let mut args: Vec<String> = ["sign", "any.file", "--identity-token", "@token", "--json"]
            .map(str::to_owned)
            .into();
        args.extend(["--trusted-root".to_owned(), root]);
        for (flag, path) in [
            ("--fulcio-url", fulcio),
            ("--rekor-url", rekor),
            ("--timestamp-url", tsa),
        ] {
            if let Some(path) = path {
                args.extend([flag.to_owned(), format!("{}{path}", self.url())]);
            }
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.run(&args, &[])
    }

    fn verify(&self, identity: &str, issuer: &str, more: &[&str]) -> Answer {
        let args = [
            "verify",
            "any.file",
            "--certificate-identity",
            identity,
            "--certificate-oidc-issuer",
            issuer,
        ];
        self.run(&[&args[..], more].concat(), &[])
    }
}

const STAMP: Option<&str> = Some("/api/v1/timestamp");

#[tokio::test]
async fn what_an_identity_signed_is_verified_by_that_identity_and_no_other() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let root = desk.root();
    let with_root = ["--trusted-root", root.as_str()];
    for (log, stamp, proof) in [
        (Some(""), STAMP, "log-and-timestamp"),
        (Some(""), None, "log"),
        (None, STAMP, "timestamp"),
    ] {
        let signed = desk.sign(Some(""), log, stamp).ok().json();
        assert_eq!(signed["signer"]["identity"], MAIL, "{signed}");
        assert_eq!(signed["signer"]["issuer"], desk.url());
        assert_eq!(signed["log-entries"], u64::from(log.is_some()));
        assert_eq!(signed["timestamps"], u64::from(stamp.is_some()));
        let asked = [&with_root[..], &["--evidence", proof]].concat();
        desk.verify(MAIL, desk.url(), &asked).ok();
    }
    desk.sign(Some(""), Some(""), STAMP).ok();
    for (identity, issuer, more, says) in [
        (
            "you@example.test",
            desk.url(),
            &with_root[..],
            "somebody else",
        ),
        (MAIL, "https://else.test", &with_root, "somebody else"),
        (MAIL, desk.url(), &[], "not verified"),
    ] {
        let refused = desk.verify(identity, issuer, more);
        assert_eq!(refused.code, 3, "{identity} {issuer}: {}", refused.err);
        assert!(refused.err.contains(says), "{}", refused.err);
    }
    std::fs::write(desk.path().join("any.file"), "Content").unwrap();
    assert_eq!(desk.verify(MAIL, desk.url(), &with_root).code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_asked_over_tls_by_an_authority_that_was_named() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let port = desk.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let (front, other) = (TlsFront::before(port).await, TlsFront::before(port).await);
    for (file, front) in [("ca.pem", &front), ("other.pem", &other)] {
        std::fs::write(desk.path().join(file), front.certificate()).unwrap();
    }
    let (root, url) = (desk.root(), front.url());
    let stamp = format!("{url}/api/v1/timestamp");
    let mut args = vec!["sign", "any.file", "--identity-token", "@token"];
    args.extend(["--trusted-root", &root, "--fulcio-url", &url]);
    args.extend(["--rekor-url", &url, "--timestamp-url", &stamp]);
    for (more, code) in [
        (&[][..], 5),
        (&["--ca-file", "other.pem"], 5),
        (&["--ca-file", "token"], 2),
        (&["--ca-file", "ca.pem"], 0),
    ] {
        let answer = desk.run(&[&args, more].concat(), &[]);
        assert_eq!(answer.code, code, "{more:?}: {}", answer.err);
        assert_eq!(desk.signature().exists(), code == 0, "{more:?}");
    }
    desk.verify(MAIL, desk.url(), &["--trusted-root", &root])
        .ok();
}

#[tokio::test]
async fn a_service_that_answers_wrongly_or_not_at_all_leaves_no_signature_behind() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let token = std::fs::read_to_string(desk.path().join("token")).unwrap();
    for (fulcio, rekor, tsa, code, says) in [
        ("/garbage", Some(""), None, 3, "no certificate"),
        ("/stranger", Some(""), None, 3, "another key"),
        ("/other-name", Some(""), None, 3, "somebody@else.test"),
        ("/other-issuer", Some(""), None, 3, "https://else.test"),
        ("/huge", Some(""), None, 3, "more than"),
        ("/redirect", Some(""), None, 3, "not followed"),
        ("/echo", Some(""), None, 3, "refused (400)"),
        ("/busy", Some(""), None, 5, "503"),
        ("", Some("/garbage"), None, 3, "not a log entry"),
        (
            "",
            Some("/elsewhere"),
            None,
            3,
            "it is about something else",
        ),
        ("", Some("/huge"), None, 3, "more than"),
        ("", Some("/busy"), None, 5, "503"),
        (
            "",
            None,
            Some("/garbage/api/v1/timestamp"),
            3,
            "does not verify",
        ),
        (
            "",
            Some(""),
            Some("/elsewhere/api/v1/timestamp"),
            3,
            "timestamp",
        ),
        ("", None, None, 2, "--rekor-url"),
    ] {
        let answer = desk.sign(Some(fulcio), rekor, tsa);
        let case = format!("{fulcio} {rekor:?} {tsa:?}: {}", answer.err);
        assert_eq!(answer.code, code, "{case}");
        assert!(answer.err.contains(says), "{case}");
        assert!(!answer.err.contains(&token), "the token is told: {case}");
        assert!(!desk.signature().exists(), "{case}");
    }
    // A log of Rekor v2 does not say when.
    let root = desk.root();
    let v2 = ["--rekor-version", "2", "--trusted-root", &root];
    let services = ["--fulcio-url", desk.url(), "--rekor-url", desk.url()];
    let by = ["sign", "any.file", "--identity-token", "@token"];
    let answer = desk.run(&[&by[..], &services, &v2].concat(), &[]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("--timestamp-url"), "{}", answer.err);
    // Nobody is there.
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let down = desk.run(
        &[
            "sign",
            "any.file",
            "--identity-token",
            "@token",
            "--fulcio-url",
            &nobody,
            "--rekor-url",
            desk.url(),
        ],
        &[],
    );
    assert_eq!(down.code, 5, "{}", down.err);
    // The instance is another than that of the trusted root.
    let answer = desk.run(
        &[
            "sign",
            "any.file",
            "--identity-token",
            "@token",
            "--fulcio-url",
            desk.url(),
            "--rekor-url",
            desk.url(),
        ],
        &[],
    );
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert!(answer.err.contains("--trusted-root"), "{}", answer.err);
    assert!(!desk.signature().exists());
}

#[tokio::test]
async fn a_token_that_is_over_or_for_somebody_else_is_not_signed_with() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    for (claims, says) in [
        ("sub=s&lifetime=-5", "expired"),
        ("sub=s&audience=else", "refused (400)"),
        ("sub=s&email=e@e.test&email_verified=false", "not verified"),
    ] {
        let token = desk.instance.token(claims).await;
        std::fs::write(desk.path().join("token"), &token).unwrap();
        let answer = desk.sign(Some(""), Some(""), None);
        assert!(matches!(answer.code, 2 | 3), "{claims}: {}", answer.err);
        assert!(answer.err.contains(says), "{claims}: {}", answer.err);
        assert!(!answer.err.contains(&token), "{claims}: the token is told");
        assert!(!desk.signature().exists(), "{claims}");
    }
}

#[tokio::test]
async fn the_identity_of_a_ci_job_signs_by_a_signing_configuration() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let root = desk.root();
    let config = desk.instance.folder().join("signing_config.json");
    let args = [
        "sign",
        "any.file",
        "--keyless",
        "--signing-config",
        config.to_str().unwrap(),
        "--trusted-root",
        &root,
        "--json",
    ];
    let github = format!("{}/github?api-version=2.0", desk.url());
    let job = [
        ("ACTIONS_ID_TOKEN_REQUEST_URL", github.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-token"),
    ];
    let signed = desk.run(&args, &job).ok().json();
    let subject = "repo:acme/plugins:ref:refs/heads/main";
    assert_eq!(signed["signer"]["identity"], subject);
    assert_eq!(
        (&signed["log-entries"], &signed["timestamps"]),
        (&1.into(), &1.into())
    );
    desk.verify(subject, desk.url(), &["--trusted-root", &root])
        .ok();
    let no_job = desk.run(
        &args,
        &[job[0], ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "other")],
    );
    assert_eq!(no_job.code, 3, "{}", no_job.err);
    // GitLab, and our own variable before it.
    let gitlab = desk.instance.token("sub=gitlab").await;
    let variables = [("SIGSTORE_ID_TOKEN", gitlab.as_str())];
    std::fs::remove_file(desk.signature()).unwrap();
    let signed = desk.run(&args, &variables).ok().json();
    assert_eq!(signed["signer"]["identity"], "gitlab");
}

#[tokio::test]
async fn a_key_signature_is_logged_and_timestamped_where_it_is_asked_for() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let root = desk.root();
    desk.run(&["keygen", "keys"], &[]).ok();
    let stamp = format!("{}/api/v1/timestamp", desk.url());
    for version in ["1", "2"] {
        let signed = desk.run(
            &[
                "sign",
                "any.file",
                "--key",
                "keys/wharf.key",
                "--rekor-url",
                desk.url(),
                "--rekor-version",
                version,
                "--timestamp-url",
                &stamp,
                "--trusted-root",
                &root,
                "--json",
            ],
            &[],
        );
        let signed = signed.ok().json();
        assert_eq!(
            (&signed["log-entries"], &signed["timestamps"]),
            (&1.into(), &1.into())
        );
        desk.run(
            &[
                "verify",
                "any.file",
                "--key",
                "keys/wharf.pub",
                "--trusted-root",
                &root,
                "--evidence",
                "log-and-timestamp",
            ],
            &[],
        )
        .ok();
    }
}

#[tokio::test]
async fn a_plugin_signed_by_a_key_and_by_an_identity_satisfies_a_policy_that_asks_for_both() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    let root = desk.root();
    std::fs::copy(bundles().file("http"), desk.path().join("any.file")).unwrap();
    desk.run(&["keygen", "keys"], &[]).ok();
    desk.run(&["sign", "any.file", "--key", "keys/wharf.key"], &[])
        .ok();
    let policy = format!(
        "[[trust]]\nplugins = ['http']\nkeys = ['keys/wharf.pub']\nidentities = [{{ issuer = '{}', subject = '{MAIL}' }}]\nrequire = 2\ntrusted-root = '{root}'\n",
        desk.url()
    );
    std::fs::write(desk.path().join("policy.toml"), policy).unwrap();
    let verify = ["verify", "any.file", "--policy", "policy.toml", "--json"];
    assert_eq!(desk.run(&verify, &[]).code, 3);
    // By now the identity's signature would take the place of the key's, so it has to be added.
    assert_eq!(desk.sign(Some(""), Some(""), None).code, 2);
    let added = desk.run(
        &[
            "sign",
            "any.file",
            "--identity-token",
            "@token",
            "--fulcio-url",
            desk.url(),
            "--rekor-url",
            desk.url(),
            "--trusted-root",
            &root,
            "--add",
        ],
        &[],
    );
    added.ok();
    let verified = desk.run(&verify, &[]).ok().json();
    assert_eq!(
        verified["signers"].as_array().unwrap().len(),
        2,
        "{verified}"
    );
}
