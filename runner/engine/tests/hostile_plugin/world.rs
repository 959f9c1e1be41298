//! What an attack happens in: a plugin in an engine, its grants, its secrets, and servers around it.

use std::fmt::Debug;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use wharf_bundle::PluginToml;
use wharf_engine::{Call, Cancel, Engine, EngineConfig, Outcome, Plugin, Prepared, Report};
use wharf_host::{
    AuditEvent, AuditUnavailable, Events, LogLine, Progress, Secrets, Services, ServicesConfig,
    resolve,
};
use wharf_stores::Stores;
use wharf_test_support as support;

use crate::dns::Dns;
use crate::leak;
use crate::servers::{self, Server};

/// Secrets, by the names of their bindings.
pub(crate) const SECRETS: [(&str, &str); 10] = [
    // Injected into requests to `trusted` below /v1, as bearer token.
    ("api", "q7Zp2xW9kLm4vT8sB1nR"),
    // Attached there by name, as x-api-key.
    ("attached", "J3yHc6uF0dQe5gXa9Mw2"),
    // To compute with.
    ("signing", "t4Vb8Ns1Kz7Rj0Pf6Lh3"),
    // Bound, and granted to nobody.
    ("hidden", "Yw5Ei2Oa8Uq3Dk6Cx9Gv"),
    // Injected into requests to `trusted` below a path of their own: as a parameter of the query,
    // as a password, as a header behind a prefix, and as the key of a signature.
    ("query", "pB2nXv7QmZ4kTc9WdR5s"),
    ("basic", "hG6yLf3UeJ8oVi1NaK0z"),
    ("header", "Cw4xSj9HqM2tEb7YrP5u"),
    ("aws", "Fd1gZo6TkN8vIl3BxQ0c"),
    // To be shown.
    ("revealed", "aU5rJw2KyD9mOp7GsE4h"),
    // To sign with, and to make tokens.
    ("key", KEY),
];

const KEY: &str = include_str!("../../../host/src/tests/keys/p256.pem");

/// The value of the secret of that name.
pub(crate) fn secret(name: &str) -> &'static str {
    let (_, value) = SECRETS.iter().find(|(other, _)| *other == name).unwrap();
    value
}

/// How `wasi:http` says that a request was refused and never sent.
const REFUSALS: [&str; 4] = [
    // By the setter of the request's parts, before there is a request.
    "authority refused",
    "ErrorCode::DestinationIpProhibited",
    "ErrorCode::HttpRequestDenied",
    "ErrorCode::HttpRequestUriInvalid",
];

const INTRUDER: &str = include_str!("../../../../tests/plugins/intruder/plugin.toml");

/// Keeps whatever is told of a run, as text.
#[derive(Default)]
pub(crate) struct Spy {
    text: Mutex<String>,
    audited: AtomicUsize,
}

impl Spy {
    fn keep(&self, what: &dyn Debug) {
        self.text.lock().unwrap().push_str(&format!("{what:?}\n"));
    }

    pub(crate) fn told(&self) -> String {
        self.text.lock().unwrap().clone()
    }

    /// How many events the auditor was told of.
    pub(crate) fn audited(&self) -> usize {
        self.audited.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl Events for Spy {
    fn log(&self, line: LogLine) {
        self.keep(&line);
    }

    fn progress(&self, progress: Progress) {
        self.keep(&progress);
    }

    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable> {
        self.audited.fetch_add(1, Ordering::SeqCst);
        self.keep(&event);
        Ok(())
    }

    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        Ok(())
    }
}

pub(crate) struct World {
    /// Has the credentials, and echoes in the way that the path says.
    pub(crate) trusted: Server,
    /// The attacker's: granted, and without any credential.
    pub(crate) evil: Server,
    /// Like `evil`, over TLS, as `tls.test`.
    pub(crate) tls: Server,
    /// Gives bytes back.
    pub(crate) bytes: Server,
    pub(crate) dns: Dns,
    pub(crate) spy: Arc<Spy>,
    told: Mutex<String>,
    services: Arc<Services>,
    folder: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("ca.pem");
        let plain: Arc<servers::Answer> = Arc::new(|_| servers::reply("", b"hello"));
        let dns = Dns::start().await;
        let tls = Server::https(&["tls.test"], &authority, plain.clone()).await;
        let config = ServicesConfig {
            extra_ca: Some(authority),
        };
        for (name, value) in SECRETS {
            use std::io::Write;
            let mut file = std::fs::OpenOptions::new();
            let file = file.write(true).create_new(true).mode(0o600);
            let mut file = file.open(folder.path().join(name)).unwrap();
            file.write_all(value.as_bytes()).unwrap();
        }
        Self {
            trusted: Server::http(Arc::new(crate::echoes::answer)).await,
            evil: Server::http(plain).await,
            tls,
            bytes: Server::bytes().await,
            services: Arc::new(Services::with_lookup(&config, Arc::new(dns.clone())).unwrap()),
            dns,
            spy: Arc::default(),
            told: Mutex::default(),
            folder,
        }
    }

    /// The secrets, and a grant of every kind of right with these lines in it.
    pub(crate) fn policy(&self, grant: &str) -> String {
        let trusted = self.trusted.origin();
        let to = format!("to = [{{ origin = '{trusted}', path = '/v1' }}]");
        let placed = |name: &str, place: &str| {
            format!(
                "[[secret]]\nname = '{name}'\nfrom = 'file:{name}'\nto = [{{ origin = '{trusted}', path = '/{name}' }}]\nas = {place}\n"
            )
        };
        format!(
            "[[secret]]\nname = 'api'\nfrom = 'file:api'\n{to}\n\
             [[secret]]\nname = 'attached'\nfrom = 'file:attached'\n{to}\nas = {{ header = {{ name = 'x-api-key' }} }}\n\
             [[secret]]\nname = 'signing'\nfrom = 'file:signing'\nto = [{{ origin = '{trusted}', path = '/signing' }}]\noperations = ['hmac', 'basic']\n\
             [[secret]]\nname = 'hidden'\nfrom = 'file:hidden'\n{to}\n\
             {}{}{}{}\
             [[secret]]\nname = 'revealed'\nfrom = 'file:revealed'\n\
             [[secret]]\nname = 'key'\nfrom = 'file:key'\noperations = ['sign', 'jwt']\n\
             [[grant]]\nplugins = ['intruder']\nconfig = {{ region = 'eu' }}\n\
             secrets = [{{ name = 'api' }}, {{ name = 'attached', rungs = ['attach'] }}, {{ name = 'signing', rungs = ['operate'] }},\n\
             {{ name = 'query' }}, {{ name = 'basic' }}, {{ name = 'header' }}, {{ name = 'aws' }},\n\
             {{ name = 'revealed', rungs = ['reveal'] }}, {{ name = 'key', rungs = ['operate'] }}]\n\
             {grant}\n",
            placed("query", "{ query = { name = 'key' } }"),
            placed("basic", "{ basic = { user = 'user' } }"),
            placed("header", "{ header = { name = 'x-key', prefix = 'Key ' } }"),
            placed(
                "aws",
                "{ aws-sigv4 = { region = 'eu-west-1', service = 's3', access-key-id = 'AKIDEXAMPLE' } }"
            ),
        )
    }

    /// Every destination there is, on this machine's own address.
    pub(crate) fn wide(&self) -> String {
        self.policy(
            "http = [{ origin = 'http://*:*' }, { origin = 'https://*:*' }]\n\
             tcp = [{ host = '*', ports = '*' }]\nnetworks = ['127.0.0.1/32']",
        )
    }

    /// As `wide`, with these limits.
    pub(crate) fn limited(&self, limits: &str) -> String {
        format!("{}limits = {{ {limits} }}\n", self.wide())
    }

    /// Plays a script under a policy in an instance of its own.
    pub(crate) async fn run(&self, policy: &str, script: Value) -> Report {
        let (engine, plugin) = intruder().await;
        let prepared = prepare(engine, plugin, policy);
        self.play(&prepared, script).await
    }

    /// As [`World::told`], with the store gone by the time that the plugin runs.
    pub(crate) async fn told_without_store(&self, script: Value) -> Vec<Value> {
        let (engine, plugin) = intruder().await;
        let prepared = prepare(engine, plugin, &self.wide());
        let secrets = self.secrets(&prepared).await;
        for (name, _) in SECRETS {
            std::fs::remove_file(self.folder.path().join(name)).unwrap();
        }
        output(&self.play_with(&prepared, secrets, script).await)
    }

    async fn secrets(&self, prepared: &Prepared) -> Arc<Secrets> {
        let stores = Stores::from_env_snapshot(PathBuf::from(self.folder.path()));
        resolve(prepared.rights(), &stores).await.unwrap().secrets
    }

    pub(crate) async fn play(&self, prepared: &Prepared, script: Value) -> Report {
        let secrets = self.secrets(prepared).await;
        self.play_with(prepared, secrets, script).await
    }

    async fn play_with(&self, prepared: &Prepared, secrets: Arc<Secrets>, script: Value) -> Report {
        let call = Call {
            execution: "01TEST".to_owned(),
            attempt: 1,
            input: (&script).into(),
            cancel: Cancel::new(),
            events: self.spy.clone(),
            services: self.services.clone(),
            secrets,
        };
        let report = prepared.run(call).await;
        self.told.lock().unwrap().push_str(&format!("{report:?}\n"));
        report
    }

    /// Plays a script under `wide` and gives what came of each step.
    pub(crate) async fn told(&self, script: Value) -> Vec<Value> {
        self.told_under(&self.wide(), script).await
    }

    pub(crate) async fn told_under(&self, policy: &str, script: Value) -> Vec<Value> {
        output(&self.run(policy, script).await)
    }

    /// Tries URLs, each through both doors where both can say it; all must be refused, with words
    /// such as these somewhere.
    pub(crate) async fn refused(&self, policy: &str, urls: &[&str], words: &str) {
        for url in urls {
            let mut script = vec![json!({ "do": "http", "url": url })];
            if let Some((scheme, rest)) = url.split_once("://") {
                let at = rest.find('/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at(at);
                let path = if path.is_empty() { "/" } else { path };
                script.push(
                    json!({ "do": "wasi", "scheme": scheme, "authority": authority, "path": path }),
                );
            }
            let told = self.told_under(policy, script.into()).await;
            let why = |at: usize| told[at]["err"].as_str().expect(url);
            assert!(why(0).contains(words), "{url}: {}", why(0));
            if told.len() > 1 {
                assert!(
                    REFUSALS.contains(&why(1)) || why(1).contains(words),
                    "{url}: {}",
                    why(1)
                );
            }
        }
    }

    /// Searches everything that came out for the secrets.
    pub(crate) fn leaked_nothing(&self) {
        let mut places = vec![
            ("reports", self.told.lock().unwrap().clone()),
            ("events", self.spy.told()),
            ("the attacker's server", self.evil.received()),
            ("the attacker's server with TLS", self.tls.received()),
            ("the server of bytes", self.bytes.received()),
            ("the name server", self.dns.asked().join(" ")),
        ];
        // Where a credential belongs, and nowhere else in what the trusted server got.
        let mut trusted = self.trusted.received();
        let pair = STANDARD.encode(format!("user:{}", secret("basic")));
        for (place, value) in [
            ("authorization: Bearer ", secret("api")),
            ("x-api-key: ", secret("attached")),
            ("authorization: Basic ", pair.as_str()),
            ("x-key: Key ", secret("header")),
        ] {
            trusted = trusted.replace(&format!("{place}{value}\r\n"), "");
        }
        let parameter = format!("?key={} HTTP/1.1\r\n", secret("query"));
        trusted = trusted.replace(&parameter, "");
        places.push(("the trusted server", trusted));
        for (place, text) in places {
            for (name, secret) in SECRETS {
                let found = leak::find(&text, secret);
                assert!(
                    found.is_none(),
                    "{place} holds `{name}` as {found:?}: {text}"
                );
            }
        }
    }
}

pub(crate) fn prepare(engine: &Engine, plugin: &Plugin, policy: &str) -> Prepared {
    let rights = support::rights(plugin.manifest(), "play", policy);
    engine
        .prepare(plugin, &"play".parse().unwrap(), rights)
        .unwrap()
}

/// An engine with the intruder in it.
pub(crate) async fn load(config: EngineConfig) -> (Engine, Plugin) {
    static PACKED: OnceCell<Vec<u8>> = OnceCell::const_new();
    let packed = PACKED.get_or_init(|| async {
        // Described by hand: it attacks whoever starts it to ask.
        let toml = PluginToml::parse(INTRUDER, |_| unreachable!()).unwrap();
        wharf_bundle::pack(&support::component("intruder"), &toml, &[]).unwrap()
    });
    let engine = Engine::new(config).unwrap();
    let bundle = support::verified(packed.await.clone());
    let plugin = engine.load(&bundle).await.unwrap();
    (engine, plugin)
}

/// An engine, with warm instances, and a program in text form that is named and asks as the
/// intruder does.
pub(crate) async fn load_text(text: &str) -> (Engine, Plugin) {
    let toml = format!("{INTRUDER}command = {{}}\n");
    let toml = PluginToml::parse(&toml, |_| unreachable!()).unwrap();
    let packed = wharf_bundle::pack(&wat::parse_str(text).unwrap(), &toml, &[]).unwrap();
    let engine = Engine::new(EngineConfig {
        max_instances: 4,
        warm: 2,
        max_warm: 2,
        ..EngineConfig::default()
    });
    let engine = engine.unwrap();
    let plugin = engine.load(&support::verified(packed)).await.unwrap();
    (engine, plugin)
}

/// The engine of all attacks that need none of their own.
async fn intruder() -> &'static (Engine, Plugin) {
    static INTRUDER: OnceCell<(Engine, Plugin)> = OnceCell::const_new();
    INTRUDER
        .get_or_init(|| {
            load(EngineConfig {
                max_instances: 16,
                warm: 0,
                max_warm: 0,
                ..EngineConfig::default()
            })
        })
        .await
}

/// What came of each step.
fn output(report: &Report) -> Vec<Value> {
    match &report.outcome {
        Outcome::Done(text) => serde_json::from_str(text).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The output of a run that stopped, as its message.
pub(crate) fn stopped(report: &Report) -> String {
    match &report.outcome {
        Outcome::Stopped(stop) => stop.to_string(),
        other => panic!("not stopped: {other:?}"),
    }
}
