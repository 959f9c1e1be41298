//! The command line as scripts use it: exit codes, one JSON document, errors that say what to do.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;
use wharf_e2e::{Answer, Bundles, DECOY, bundles, wharf, wharf_in};

struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.dir.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    }

    fn policy(&self, rest: &str) -> PathBuf {
        let Bundles { key, .. } = bundles();
        self.file(
            "policy.toml",
            format!(
                "[[trust]]\nplugins = ['*']\nkeys = ['{}']\n{rest}",
                key.display()
            ),
        )
    }

    /// A copy of a bundle that a test may spoil.
    fn copy(&self, name: &str) -> PathBuf {
        let from = bundles().file(name);
        let to = self.file(&format!("{name}.wasm"), std::fs::read(from).unwrap());
        let signature = |path: &Path| format!("{}.sigstore.json", path.display());
        std::fs::copy(signature(from), signature(&to)).unwrap();
        to
    }

    fn run(&self, file: &Path, action: &str, input: &str, policy: &Path) -> Answer {
        let home = self.dir.path().join("home");
        let args = [
            "run",
            file.to_str().unwrap(),
            action,
            "--json",
            "--input",
            input,
            "--policy",
            policy.to_str().unwrap(),
        ];
        wharf_in(
            self.dir.path(),
            &args,
            &[("WHARF_HOME", home.to_str().unwrap())],
        )
    }
}

#[test]
fn an_action_that_is_done_exits_0_and_prints_its_output() {
    let desk = Desk::new();
    let input =
        json!({ "filter": ".a + $b", "input": { "a": 1 }, "variables": { "b": 2 } }).to_string();
    let answer = desk
        .run(bundles().file("transform"), "jq", &input, &desk.policy(""))
        .ok()
        .json();
    assert_eq!(answer["ok"], true, "{answer}");
    assert!(answer["output"].to_string().contains('3'), "{answer}");
}

#[test]
fn an_action_that_fails_exits_1() {
    let desk = Desk::new();
    let input = json!({ "filter": "error(\"no\")", "input": 1 }).to_string();
    let answer = desk.run(bundles().file("transform"), "jq", &input, &desk.policy(""));
    assert_eq!(answer.code, 1, "{} {}", answer.out, answer.err);
    assert_eq!(answer.json()["outcome"], "failed");
}

#[test]
fn input_that_does_not_fit_the_schema_exits_2_and_names_the_place() {
    let desk = Desk::new();
    let answer = desk.run(
        bundles().file("transform"),
        "jq",
        r#"{"filter": 7}"#,
        &desk.policy(""),
    );
    assert_eq!(answer.code, 2, "{} {}", answer.out, answer.err);
    assert!(answer.out.contains("/filter"), "{}", answer.out);
}

#[test]
fn input_that_is_not_json_exits_2_and_says_where_it_breaks() {
    let desk = Desk::new();
    let answer = desk.run(
        bundles().file("transform"),
        "jq",
        "{\"filter\":",
        &desk.policy(""),
    );
    assert_eq!(answer.code, 2);
    assert!(answer.err.contains("column"), "{}", answer.err);
}

/// The file is a pipe that is replaced as soon as somebody reads it.
#[test]
fn a_plugin_is_read_once_so_that_what_is_verified_is_what_runs() {
    let desk = Desk::new();
    let [good, evil] =
        ["transform", "http"].map(|name| std::fs::read(bundles().file(name)).unwrap());
    let file = desk.copy("transform");
    let swapped = desk.file("swapped.wasm", evil);
    std::fs::remove_file(&file).unwrap();
    let owner = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, &file, FileType::Fifo, owner, 0).unwrap();
    let path = file.clone();
    let writer = std::thread::spawn(move || {
        // Opening waits for the reader.
        let mut end = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        std::fs::rename(swapped, path).unwrap();
        end.write_all(&good).unwrap();
    });
    let input = json!({ "filter": ".", "input": 7 }).to_string();
    let answer = desk.run(&file, "jq", &input, &desk.policy("")).ok().json();
    assert_eq!(answer["ok"], true, "{answer}");
    writer.join().unwrap();
    let again = desk.run(&file, "jq", &input, &desk.policy(""));
    assert_eq!(again.code, 3, "{}", again.err);
}

#[test]
fn an_unsigned_bundle_is_refused_with_3() {
    let desk = Desk::new();
    let file = desk.file(
        "bare.wasm",
        std::fs::read(bundles().file("transform")).unwrap(),
    );
    let answer = desk.run(&file, "jq", "{}", &desk.policy(""));
    assert_eq!(answer.code, 3, "{}", answer.err);
    assert_eq!(answer.json()["ok"], false);
    assert!(answer.err.contains("sign"), "{}", answer.err);
}

#[test]
fn a_bundle_with_one_byte_changed_is_refused_with_3() {
    let desk = Desk::new();
    let file = desk.copy("transform");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let policy = desk.policy("");
    assert_eq!(desk.run(&file, "jq", "{}", &policy).code, 3);
    let args = [
        "verify",
        file.to_str().unwrap(),
        "--policy",
        policy.to_str().unwrap(),
    ];
    assert_eq!(wharf(&args).code, 3);
}

#[test]
fn a_policy_that_cannot_be_read_refuses_everything_with_3() {
    let desk = Desk::new();
    let good = desk.policy("");
    for (name, broken) in [
        (
            "unknown field",
            format!("{}\n[[grnat]]\n", std::fs::read_to_string(&good).unwrap()),
        ),
        (
            "missing key file",
            "[[trust]]\nplugins = ['*']\nkeys = ['nowhere.pub']\n".to_owned(),
        ),
        ("trusting nobody", String::new()),
        ("not TOML", "[[[".to_owned()),
    ] {
        let policy = desk.file("broken.toml", broken);
        let answer = desk.run(bundles().file("transform"), "jq", "{}", &policy);
        assert_eq!(answer.code, 3, "{name}: {} {}", answer.out, answer.err);
    }
    let answer = desk.run(
        bundles().file("transform"),
        "jq",
        "{}",
        Path::new("no-such-policy.toml"),
    );
    assert_eq!(answer.code, 3, "{}", answer.err);
}

#[test]
fn an_import_without_a_grant_is_refused_with_3_and_the_grant_is_named() {
    let desk = Desk::new();
    let answer = desk.run(
        bundles().file("notify"),
        "webhook",
        r#"{"url":"https://x.test/","payload":{"json":{}}}"#,
        &desk.policy(""),
    );
    assert_eq!(answer.code, 3, "{} {}", answer.out, answer.err);
    assert!(answer.out.contains("wharf:plugin/http"), "{}", answer.out);
    assert!(answer.out.contains("[[grant]]"), "{}", answer.out);
}

#[test]
fn a_limit_that_is_reached_exits_4_and_is_named() {
    let desk = Desk::new();
    for (action, limit, limits) in [
        ("spin", "deadline", "deadline = '300ms', cpu = '10s'"),
        ("hoard", "memory", "memory = '16MiB'"),
    ] {
        let limits = format!("[[grant]]\nplugins = ['hostile']\nlimits = {{ {limits} }}\n");
        let policy = desk.policy(&[DECOY, &limits].concat());
        let answer = desk.run(bundles().file("hostile"), action, "{}", &policy);
        assert_eq!(answer.code, 4, "{} {}", answer.out, answer.err);
        let answer = answer.json();
        assert_eq!(answer["limit"], limit, "{answer}");
    }
}

#[test]
fn a_controller_that_is_not_there_exits_5() {
    let args = [
        "exec",
        "list",
        "--json",
        "--controller",
        "http://127.0.0.1:9",
    ];
    let answer = wharf_in(Path::new("."), &args, &[("WHARF_TOKEN", "whf_x")]);
    assert_eq!(answer.code, 5, "{}", answer.err);
    assert_eq!(answer.json()["error"]["kind"], "unreachable");
    // A file that is named by nothing keeps nobody out who has a token, and is no token.
    let empty = ("WHARF_TOKEN_FILE", "");
    let answer = wharf_in(Path::new("."), &args, &[("WHARF_TOKEN", "whf_x"), empty]);
    assert_eq!(answer.code, 5, "{}", answer.err);
    let answer = wharf_in(Path::new("."), &args, &[empty]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("is empty"), "{}", answer.err);
}

#[test]
fn a_file_with_a_token_that_does_not_end_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    for args in [
        &["exec", "list"][..],
        &["runner", "enroll", "--state", state],
    ] {
        let more = ["--controller", "http://127.0.0.1:9"];
        let file = ["--token-file", "/dev/zero"];
        let answer = wharf(&[args, &more, &file].concat());
        assert_eq!(answer.code, 2, "{}", answer.err);
        assert!(answer.err.contains("more than"), "{}", answer.err);
    }
}

#[test]
fn what_is_not_a_component_cannot_be_packed_and_the_reason_is_said() {
    let desk = Desk::new();
    let toml = desk.file(
        "plugin.toml",
        "[plugin]\nname = 'x'\nversion = '1.0.0'\ndescription = 'x'\n",
    );
    let whole = std::fs::read(bundles().file("transform")).unwrap();
    for (name, bytes, said) in [
        (
            "a core module",
            b"\0asm\x01\0\0\0".to_vec(),
            "core WebAssembly module",
        ),
        ("text", b"hello".to_vec(), "component"),
        (
            "a truncated component",
            whole[..whole.len() / 2].to_vec(),
            "component",
        ),
        ("nothing", Vec::new(), "component"),
    ] {
        let file = desk.file("input.wasm", bytes);
        let args = [
            "plugin",
            "pack",
            file.to_str().unwrap(),
            "--manifest",
            toml.to_str().unwrap(),
            "-o",
            "out.wasm",
        ];
        let answer = wharf_in(desk.dir.path(), &args, &[]);
        assert_eq!(answer.code, 2, "{name}: {}", answer.err);
        assert!(answer.err.contains(said), "{name}: {}", answer.err);
        assert!(!answer.err.contains("panicked"), "{name}: {}", answer.err);
    }
}

#[test]
fn a_manifest_with_an_unknown_field_cannot_be_packed() {
    let desk = Desk::new();
    let toml = desk.file(
        "plugin.toml",
        "[plugin]\nname = 'x'\nversion = '1.0.0'\ndescription = 'x'\nsuper-powers = true\n",
    );
    let bundle = bundles().file("transform");
    let args = [
        "plugin",
        "pack",
        bundle.to_str().unwrap(),
        "--manifest",
        toml.to_str().unwrap(),
        "-o",
        "out.wasm",
    ];
    let answer = wharf_in(desk.dir.path(), &args, &[]);
    assert_eq!(answer.code, 2, "{}", answer.err);
    assert!(answer.err.contains("super-powers"), "{}", answer.err);
}

#[test]
fn any_file_can_be_signed_and_verified_with_a_key() {
    let desk = Desk::new();
    let keys = desk.dir.path().join("keys");
    let made = wharf(&["keygen", keys.to_str().unwrap(), "--json"])
        .ok()
        .json();
    assert_eq!(made["public-key"], keys.join("wharf.pub").to_str().unwrap());
    assert!(made["fingerprint"].as_str().unwrap().starts_with("sha256:"));
    assert_ne!(
        wharf(&["keygen", keys.to_str().unwrap()]).code,
        0,
        "a key was overwritten"
    );
    let file = desk.file("notes.txt", "any file");
    let (key, public) = (keys.join("wharf.key"), keys.join("wharf.pub"));
    wharf(&[
        "sign",
        file.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ])
    .ok();
    let verify = [
        "verify",
        file.to_str().unwrap(),
        "--key",
        public.to_str().unwrap(),
        "--json",
    ];
    assert_eq!(wharf(&verify).ok().json()["ok"], true);
    desk.file("notes.txt", "any filE");
    assert_eq!(wharf(&verify).code, 3);
    let stranger = [
        "verify",
        bundles().file("http").to_str().unwrap(),
        "--key",
        public.to_str().unwrap(),
    ];
    assert_eq!(wharf(&stranger).code, 3);
}

#[test]
fn a_program_runs_as_an_action_with_the_arguments_and_environment_of_its_manifest() {
    let desk = Desk::new();
    let policy = desk.policy("");
    let bundle = bundles().file("command");
    let answer = desk
        .run(bundle, "report", r#"{"stderr":"hello"}"#, &policy)
        .ok()
        .json();
    assert_eq!(
        answer["output"]["args"],
        json!(["--json", "two words"]),
        "{answer}"
    );
    assert_eq!(
        answer["output"]["env"],
        json!({ "MODE": "test" }),
        "{answer}"
    );
    assert!(answer["logs"].to_string().contains("hello"), "{answer}");
    let failed = desk.run(
        bundle,
        "report",
        r#"{"exit":7,"stderr":"the disk is full"}"#,
        &policy,
    );
    assert_eq!(failed.code, 1, "{}", failed.out);
    // WASI 0.2 tells success from failure and no more: `exit(7)` arrives as 1.
    assert_eq!(failed.json()["code"], "exit-1", "{}", failed.out);
    assert!(failed.out.contains("the disk is full"), "{}", failed.out);
    let garbled = desk.run(bundle, "report", r#"{"stdout":"not json"}"#, &policy);
    assert_ne!(garbled.code, 0, "{}", garbled.out);
}

#[test]
fn inspect_shows_actions_capabilities_imports_and_digest() {
    let answer = wharf(&[
        "plugin",
        "inspect",
        bundles().file("http").to_str().unwrap(),
        "--json",
    ])
    .ok()
    .json();
    assert_eq!(answer["manifest"]["name"], "http");
    assert!(
        answer["manifest"]["actions"]["request"]["input_schema"].is_object()
            || answer["manifest"]["actions"]["request"]["input-schema"].is_object(),
        "{answer}"
    );
    assert!(answer["digest"].as_str().unwrap().starts_with("sha256:"));
    assert!(
        answer["imports"]
            .to_string()
            .contains("wharf:plugin/http@0.1.0")
    );
}

#[test]
fn help_teaches_every_command() {
    let help = wharf(&["help"]).ok().out;
    for command in [
        "demo",
        "plugin",
        "keygen",
        "sign",
        "verify",
        "run",
        "controller",
        "group",
        "token",
        "runner",
        "exec",
    ] {
        assert!(help.contains(command), "{command}");
    }
    assert!(help.contains("Exit codes"));
}

#[test]
fn an_api_token_is_never_sent_in_the_clear_to_another_machine() {
    let variables = [("WHARF_TOKEN", "whf_of_the_api")];
    for controller in [
        "http://192.0.2.1:7070",
        "http://wharf.example",
        "wharf.example",
    ] {
        let args = ["exec", "list", "--controller", controller];
        let answer = wharf_in(Path::new("."), &args, &variables);
        assert_eq!(answer.code, 2, "{controller}: {}", answer.err);
        assert!(answer.err.contains("https"), "{controller}: {}", answer.err);
        assert!(!answer.err.contains("cannot be reached"), "{}", answer.err);
    }
}
