//! What other people's tools make of Wharf's signatures, and Wharf of theirs. The table in
//! docs/signing.md is made by this test: it fails where the table says something else, and writes it
//! with WHARF_WRITE_DOCS=1.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_e2e::{bundles, check_made, cosign_major, version, wharf_in, word};
use wharf_test_servers::{Sigstore, tool};

const FILE: &str = "http.wasm";
const CHANGED: &str = "changed.wasm";
const MAIL: &str = "me@example.test";

/// A folder with a plugin, a copy with one byte changed, keys of ours and of each tool, a token, and
/// the configuration of an instance.
struct Desk {
    folder: tempfile::TempDir,
    instance: Sigstore,
    cosign: PathBuf,
    python: PathBuf,
    wasm_tools: PathBuf,
}

impl Desk {
    async fn new() -> Option<Self> {
        let desk = Self {
            folder: tempfile::tempdir().unwrap(),
            instance: Sigstore::start().await?,
            cosign: tool("get-cosign")?,
            python: tool("get-sigstore-python")?,
            wasm_tools: tool("get-wasm-tools")?,
        };
        let mut plugin = std::fs::read(bundles().file("http")).unwrap();
        desk.write(FILE, &plugin);
        *plugin.last_mut().unwrap() ^= 1;
        desk.write(CHANGED, &plugin);
        for name in ["trusted_root", "signing_config", "trust_config"] {
            let name = format!("{name}.json");
            let content = std::fs::read(desk.instance.folder().join(&name)).unwrap();
            desk.write(&name, &content);
        }
        let who = format!("sub=opaque&email={MAIL}&email_verified=true&lifetime=3600");
        let token = desk.instance.token(&who).await;
        desk.write("token", token.as_bytes());
        let provenance = r#"{"buildDefinition":{"buildType":"https://example.test/build","externalParameters":{"a":1}},"runDetails":{"builder":{"id":"https://example.test/builder"}}}"#;
        desk.write("predicate", provenance.as_bytes());
        Some(desk)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path().join(name), content).unwrap();
    }

    fn run(&self, program: &Path, args: &[&str]) -> bool {
        let output = Command::new(program)
            .args(args)
            .current_dir(self.path())
            .env("HOME", self.path())
            .env("COSIGN_PASSWORD", "test")
            .output()
            .unwrap();
        if !output.status.success() {
            // Shown where the test fails: a refusal may be what is wanted.
            println!("{} {args:?}", program.display());
            println!("{}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success()
    }

    fn cosign(&self, args: &[&str]) -> bool {
        self.run(&self.cosign, args)
    }

    fn python(&self, args: &[&str]) -> bool {
        let config = ["--trust-config", "trust_config.json"];
        self.run(&self.python, &[&config[..], args].concat())
    }

    fn javascript(&self, args: &[&str]) -> bool {
        let client = self.instance.tools().join("client.mjs");
        let args = [&[client.to_str().unwrap()][..], args].concat();
        self.run(Path::new("node"), &args)
    }

    /// The version of a package that is installed beside the client.
    fn npm_version(&self, package: &str) -> String {
        let path = format!("node_modules/{package}/package.json");
        let text = std::fs::read(self.instance.tools().join(path)).unwrap();
        let package: serde_json::Value = serde_json::from_slice(&text).unwrap();
        package["version"].as_str().unwrap().to_owned()
    }

    fn wharf(&self, args: &[&str]) -> bool {
        let answer = wharf_in(self.path(), args, &[]);
        if answer.code != 0 {
            println!("wharf {args:?}: {}", answer.err);
        }
        answer.code == 0
    }

    /// Whether Wharf verifies a bundle by an identity, and only for the file it is about.
    fn by_identity(&self, bundle: &str) -> bool {
        accepts_only_the_file(|file| {
            self.wharf(&[
                "verify",
                file,
                "--bundle",
                bundle,
                "--trusted-root",
                "trusted_root.json",
                "--certificate-identity",
                MAIL,
                "--certificate-oidc-issuer",
                self.instance.url(),
            ])
        })
    }

    /// The same by a key.
    fn by_key(&self, bundle: &str, key: &str, more: &[&str]) -> bool {
        accepts_only_the_file(|file| {
            let args = ["verify", file, "--bundle", bundle, "--key", key];
            self.wharf(&[&args[..], more].concat())
        })
    }
}

/// Whether the file is accepted and the changed one is not.
fn accepts_only_the_file(verify: impl Fn(&str) -> bool) -> bool {
    verify(FILE) && !verify(CHANGED)
}

/// What a tool can do; `None` where it has no such thing.
struct Row {
    tool: String,
    verifies: [Option<bool>; 2],
    is_verified: [Option<bool>; 4],
}

fn cosign(desk: &Desk) -> Row {
    let identity = ["--certificate-identity", MAIL, "--certificate-oidc-issuer"];
    let root = ["--trusted-root", "trusted_root.json"];
    let verify = |how: &[&str], file: &str| {
        let args = [&["verify-blob"][..], how, &[file]].concat();
        desk.cosign(&args)
    };
    let alone = [
        "--insecure-ignore-tlog",
        "--key",
        "ours/wharf.pub",
        "--bundle",
        "key.json",
    ];
    let by = [
        &identity[..],
        &[desk.instance.url()],
        &root,
        &["--bundle", "identity.json"],
    ]
    .concat();
    assert!(desk.cosign(&["generate-key-pair"]));
    assert!(desk.cosign(&["signing-config", "create", "--out", "offline.json"]));
    let attest = ["--predicate", "predicate", "--type", "slsaprovenance1"];
    let make = |command: &str, how: &[&str], more: &[&str], bundle: &str| {
        let args = [
            &[command, "--yes"][..],
            how,
            more,
            &["--bundle", bundle, FILE],
        ]
        .concat();
        desk.cosign(&args)
    };
    let key = ["--key", "cosign.key", "--signing-config", "offline.json"];
    let token = [
        "--identity-token",
        "token",
        "--signing-config",
        "signing_config.json",
    ];
    let token = [&token[..], &root].concat();
    Row {
        tool: format!("cosign {}", cosign_major(&desk.cosign)),
        verifies: [
            Some(accepts_only_the_file(|file| verify(&alone, file))),
            Some(accepts_only_the_file(|file| verify(&by, file))),
        ],
        is_verified: [
            Some(make("sign-blob", &key, &[], "c1") && desk.by_key("c1", "cosign.pub", &[])),
            Some(make("attest-blob", &key, &attest, "c2") && desk.by_key("c2", "cosign.pub", &[])),
            Some(make("sign-blob", &token, &[], "c3") && desk.by_identity("c3")),
            Some(make("attest-blob", &token, &attest, "c4") && desk.by_identity("c4")),
        ],
    }
}

fn python(desk: &Desk) -> Row {
    let token = std::fs::read_to_string(desk.path().join("token")).unwrap();
    let verify = |file: &str| {
        desk.python(&[
            "verify",
            "identity",
            "--bundle",
            "identity.json",
            "--cert-identity",
            MAIL,
            "--cert-oidc-issuer",
            desk.instance.url(),
            file,
        ])
    };
    let make = |command: &str, more: &[&str], bundle: &str| {
        let args = [command, "--identity-token", &token, "--bundle", bundle];
        desk.python(&[&args[..], more, &[FILE]].concat())
    };
    let attest = [
        "--predicate",
        "predicate",
        "--predicate-type",
        "https://slsa.dev/provenance/v1",
    ];
    Row {
        tool: format!(
            "sigstore {} (Python)",
            version(&desk.python, "--version").unwrap()
        ),
        verifies: [None, Some(accepts_only_the_file(verify))],
        is_verified: [
            None,
            None,
            Some(make("sign", &[], "p1") && desk.by_identity("p1")),
            Some(make("attest", &attest, "p2") && desk.by_identity("p2")),
        ],
    }
}

fn javascript(desk: &Desk) -> Row {
    let verify = |bundle: &str, how: &[&str]| {
        accepts_only_the_file(|file| {
            let args = ["verify", file, bundle, "trusted_root.json"];
            desk.javascript(&[&args[..], how].concat())
        })
    };
    let make = |command: &str, how: [&str; 2], bundle: &str| {
        let args = [command, FILE, bundle, desk.instance.url()];
        desk.javascript(&[&args[..], &how].concat())
    };
    let (key, token) = (["--key", "js.key"], ["--token", "token"]);
    let generate = "const { generateKeyPairSync } = require('node:crypto'); \
        const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' }); \
        const { writeFileSync } = require('node:fs'); \
        writeFileSync('js.key', privateKey.export({ format: 'pem', type: 'pkcs8' })); \
        writeFileSync('js.pub', publicKey.export({ format: 'pem', type: 'spki' }));";
    assert!(desk.run(Path::new("node"), &["-e", generate]));
    let root = [
        "--trusted-root",
        "trusted_root.json",
        "--evidence",
        "log-and-timestamp",
    ];
    Row {
        tool: format!(
            "@sigstore/verify {}, @sigstore/sign {} (npm)",
            desk.npm_version("@sigstore/verify"),
            desk.npm_version("@sigstore/sign")
        ),
        verifies: [
            Some(verify("key.json", &["--key", "ours/wharf.pub"])),
            Some(verify(
                "identity.json",
                &["--identity", MAIL, desk.instance.url()],
            )),
        ],
        is_verified: [
            Some(make("sign", key, "j1") && desk.by_key("j1", "js.pub", &root)),
            Some(make("attest", key, "j2") && desk.by_key("j2", "js.pub", &root)),
            Some(make("sign", token, "j3") && desk.by_identity("j3")),
            Some(make("attest", token, "j4") && desk.by_identity("j4")),
        ],
    }
}

fn table(rows: &[Row], wasm_tools: &str, component: bool) -> String {
    let mut text = String::from(
        "| | verifies what Wharf signed: by a key | by an identity | Wharf verifies what it signed: by a key | an attestation by a key | by an identity | an attestation by an identity |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let cells = row.verifies.iter().chain(&row.is_verified);
        let cells: Vec<_> = cells.map(|cell| word(*cell)).collect();
        writeln!(text, "| {} | {} |", row.tool, cells.join(" | ")).unwrap();
    }
    let component = word(Some(component));
    writeln!(text, "\nA plugin that was packed and signed is still a component for wasm-tools {wasm_tools} (`wasm-tools validate`): {component}.").unwrap();
    text
}

#[tokio::test]
async fn the_table_of_what_works_with_other_tools_is_true() {
    let Some(desk) = Desk::new().await else {
        return;
    };
    assert!(desk.wharf(&["keygen", "ours"]));
    let by_key = [
        "sign",
        FILE,
        "--key",
        "ours/wharf.key",
        "--bundle",
        "key.json",
    ];
    assert!(desk.wharf(&by_key));
    assert!(desk.wharf(&[
        "sign",
        FILE,
        "--identity-token",
        "@token",
        "--signing-config",
        "signing_config.json",
        "--trusted-root",
        "trusted_root.json",
        "--bundle",
        "identity.json",
    ]));
    let rows = [cosign(&desk), python(&desk), javascript(&desk)];
    let component = desk.run(&desk.wasm_tools, &["validate", "--features", "all", FILE]);
    let wasm_tools = version(&desk.wasm_tools, "--version").unwrap();
    let found = table(&rows, &wasm_tools, component);
    check_made(
        "docs/signing.md",
        "tests/e2e/tests/signing/interop.rs",
        &found,
    );
}
