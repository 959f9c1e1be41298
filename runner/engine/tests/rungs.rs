//! Every rung from within a component: the plugin `rungs`, built with the SDK.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::*;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use wharf_engine::{Call, Cancel, Engine, EngineConfig, Outcome, Plugin, Report};
use wharf_host::{AuditEvent, AuditUnavailable, Events, LogLine, Progress};
use wharf_stores::Stores;
use wharf_test_support as support;

const TOKEN: &str = "canary-9c1f77-token";

/// Everything that a run told.
#[derive(Default)]
struct Told(Mutex<String>);

impl Told {
    fn add(&self, what: impl std::fmt::Debug) {
        self.0.lock().unwrap().push_str(&format!("{what:?}\n"));
    }

    fn all(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Events for Told {
    fn log(&self, line: LogLine) {
        self.add(line);
    }
    fn progress(&self, progress: Progress) {
        self.add(progress);
    }
    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable> {
        self.add(event);
        Ok(())
    }
    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }
}

async fn rungs() -> &'static (Engine, Plugin) {
    static RUNGS: OnceCell<(Engine, Plugin)> = OnceCell::const_new();
    RUNGS
        .get_or_init(|| async {
            // With warm instances, so that one could be used again if that were possible.
            let engine = Engine::new(EngineConfig { warm: 1, ..small() }).unwrap();
            let plugin = plugin(&engine, "rungs").await;
            (engine, plugin)
        })
        .await
}

/// A server that answers every request with its head.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(length @ 1..) = stream.read(&mut buffer) {
                    let head = &buffer[..length];
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                    let whole = [answer.as_bytes(), head].concat();
                    if stream.write_all(&whole).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Runs an action with one secret `key` from that file, bound with these lines.
async fn run_with(
    action: &str,
    input: Value,
    value: &str,
    lines: &str,
    rungs_granted: &str,
) -> (Report, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, value).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let policy = format!(
        "[[secret]]\nname='key'\nfrom='file:{}'\n{lines}\n[[grant]]\nplugins=['*']\n\
         http=[{{origin='http://127.0.0.1:*'}}]\nnetworks=['127.0.0.0/8']\n\
         secrets=[{{name='key',rungs=[{rungs_granted}]}}]",
        path.display()
    );
    let (engine, plugin) = rungs().await;
    let rights = support::rights(plugin.manifest(), action, &policy);
    let stores = Stores::from_env_snapshot(folder.path());
    let resolved = wharf_host::resolve(&rights, &stores).await.unwrap();
    let prepared = engine
        .prepare(plugin, &action.parse().unwrap(), rights)
        .unwrap();
    let told = Arc::new(Told::default());
    let call = Call {
        secrets: Arc::clone(&resolved.secrets),
        events: Arc::clone(&told) as _,
        ..call(&input.to_string(), &Cancel::new(), &Arc::default())
    };
    (prepared.run(call).await, told.all())
}

fn output(report: &Report) -> Value {
    let Outcome::Done(output) = &report.outcome else {
        panic!("{:?}", report.outcome)
    };
    serde_json::from_str(output).unwrap()
}

/// All rungs, because the component imports the interfaces of all.
const ALL: &str = "'inject','attach','operate','reveal'";

#[tokio::test]
async fn a_plugin_sends_with_a_credential_in_every_way_and_never_sees_it() {
    let address = echo();
    let to = format!("to=[{{origin='http://{address}',path='/in'}}]");
    let all = "operations=['bearer','basic','aws-sigv4']";
    for (how, path, lines, expected) in [
        (
            "plain",
            "/in",
            "as='bearer'".to_owned(),
            "Bearer [secret key]",
        ),
        (
            "plain",
            "/in",
            "as={query={name='k'}}".to_owned(),
            "GET /in?k=[secret key] HTTP",
        ),
        (
            "attach",
            "/in",
            "as={header={name='x-key'}}".to_owned(),
            "x-key: [secret key]",
        ),
        ("bearer", "/in", all.to_owned(), "Bearer [secret key]"),
        ("basic", "/in", all.to_owned(), "Basic dXNlcj[secret key]"),
        (
            "aws-sigv4",
            "/in",
            format!(
                "{all}\nas={{aws-sigv4={{region='eu-west-1',service='execute-api',access-key-id='AKID'}}}}"
            ),
            "Credential=AKID/",
        ),
    ] {
        let lines = format!("{to}\n{lines}");
        let input = json!({ "url": format!("http://{address}{path}"), "how": how });
        // What is injected is not named too, and the other way round.
        let rungs = if how == "plain" {
            ALL
        } else {
            "'attach','operate','reveal'"
        };
        let (report, told) = run_with("send", input, TOKEN, &lines, rungs).await;
        let body = output(&report)["body"].as_str().unwrap().to_owned();
        assert!(body.contains(expected), "{how}: {body}");
        assert!(!format!("{report:?} {told}").contains(TOKEN), "{how}");
    }
}

#[tokio::test]
async fn a_plugin_has_a_message_signed_and_a_token_made() {
    const KEY: &str = include_str!("../../host/src/tests/keys/p256.pem");
    // A key of many lines cannot be a header, so it is bound to a query, where it never goes.
    let lines =
        "to=[{origin='http://127.0.0.1:1'}]\nas={query={name='k'}}\noperations=['sign','jwt']";
    let input = json!({ "secret": "key", "message": "m" });
    let (report, _) = run_with("sign", input, KEY, lines, ALL).await;
    assert_eq!(output(&report).as_array().unwrap().len(), 64);
    let input = json!({ "secret": "key", "sub": "s" });
    let (report, _) = run_with("token", input, KEY, lines, ALL).await;
    let token = output(&report);
    assert_eq!(token.as_str().unwrap().split('.').count(), 3, "{token}");

    let lines = "to=[{origin='http://127.0.0.1:1'}]\nas={query={name='k'}}\noperations=['jwt']";
    let input = json!({ "secret": "key", "message": "m" });
    let (report, _) = run_with("sign", input, KEY, lines, ALL).await;
    let shown = format!("{:?}", report.outcome);
    assert!(shown.contains("operate of the secret `key`"), "{shown}");
}

#[tokio::test]
async fn a_revealed_secret_is_audited_scrubbed_from_the_output_and_its_instance_is_never_used_again()
 {
    let lines = "to=[{origin='http://127.0.0.1:1'}]";
    for _ in 0..3 {
        let input = json!({ "secret": "key" });
        let (report, told) = run_with("look", input, TOKEN, lines, ALL).await;
        let seen = output(&report);
        assert_eq!(seen, json!({ "value": "[secret key]", "runs": 1 }));
        assert!(told.contains("SecretRevealed"), "{told}");
        assert!(!told.contains(TOKEN), "{told}");
    }
}

#[tokio::test]
async fn what_is_not_granted_to_be_revealed_is_not() {
    let lines = "to=[{origin='http://127.0.0.1:1'}]";
    let other = format!("{lines}\n[[secret]]\nname='other'\nfrom='env:WHARF_TEST_NO_SUCH'\n");
    let input = json!({ "secret": "other" });
    let (report, told) = run_with("look", input, TOKEN, &other, ALL).await;
    let shown = format!("{:?}", report.outcome);
    assert!(shown.contains("reveal of the secret `other`"), "{shown}");
    assert!(told.contains("SecretRefused"), "{told}");
}
