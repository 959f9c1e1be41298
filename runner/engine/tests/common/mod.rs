//! What the tests of the engine share.

#![allow(dead_code)]

use std::sync::Arc;

use tokio::sync::OnceCell;
use wharf_bundle::PluginToml;
use wharf_engine::{
    Call, Cancel, Engine, EngineConfig, Outcome, Plugin, Prepared, Refused, Report,
};
use wharf_host::{Secrets, Services, ServicesConfig};
use wharf_test_support as support;
use wharf_test_support::Recorder;

pub(crate) fn small() -> EngineConfig {
    EngineConfig {
        max_instances: 8,
        warm: 0,
        max_warm: 4,
        ..EngineConfig::default()
    }
}

pub(crate) fn engine() -> Engine {
    Engine::new(small()).unwrap()
}

/// A plugin of the repository.
pub(crate) async fn plugin(engine: &Engine, name: &str) -> Plugin {
    let packed = support::packed(engine, name).await;
    engine.load(&support::verified(packed)).await.unwrap()
}

/// A component in text form, as the plugin `t` with these actions and nothing asked for.
pub(crate) async fn from_text(engine: &Engine, text: &str, actions: &str) -> Plugin {
    let toml = format!(
        "[plugin]\nname = 't'\nversion = '0.1.0'\ndescription = 'test'\nlicense = 'Apache-2.0'\n{actions}"
    );
    let toml = PluginToml::parse(&toml, |_| unreachable!()).unwrap();
    let packed = wharf_bundle::pack(&wat::parse_str(text).unwrap(), &toml, &[]).unwrap();
    engine.load(&support::verified(packed)).await.unwrap()
}

/// An action of any input and output, entered as a plugin or as a program.
pub(crate) fn action(name: &str, command: bool) -> String {
    let command = if command { "command = {}" } else { "" };
    format!(
        "[[action]]\nname = '{name}'\ndescription = ''\nidempotent = true\ninput-schema = true\noutput-schema = true\n{command}\n"
    )
}

pub(crate) fn prepare(
    engine: &Engine,
    plugin: &Plugin,
    action: &str,
    policy: &str,
) -> Result<Prepared, Refused> {
    let rights = support::rights(plugin.manifest(), action, policy);
    engine.prepare(plugin, &action.parse().unwrap(), rights)
}

/// A policy that lets `hostile` link, with these limits.
pub(crate) fn grant(limits: &str) -> String {
    format!(
        "[[secret]]\nname='key'\nfrom='env:WHARF_TEST_KEY'\nto=[{{origin='http://127.0.0.1:1'}}]\nas='bearer'\n\
         [[grant]]\nplugins=['*']\nhttp=[{{origin='http://127.0.0.1:1'}}]\nsecrets=[{{name='key',rungs=['operate']}}]\nlimits={{{limits}}}"
    )
}

pub(crate) fn call(input: &str, cancel: &Cancel, events: &Arc<Recorder>) -> Call {
    Call {
        execution: "01TEST".to_owned(),
        attempt: 1,
        input: input.into(),
        cancel: cancel.clone(),
        events: Arc::clone(events) as _,
        services: Arc::new(Services::new(&ServicesConfig::default()).unwrap()),
        secrets: Arc::new(Secrets::none()),
    }
}

pub(crate) async fn run(prepared: &Prepared, input: &str) -> Report {
    prepared
        .run(call(input, &Cancel::new(), &Arc::default()))
        .await
}

/// `hostile`, built and compiled once for all tests of a file.
pub(crate) async fn hostile_plugin() -> &'static (Engine, Plugin) {
    static HOSTILE: OnceCell<(Engine, Plugin)> = OnceCell::const_new();
    HOSTILE
        .get_or_init(|| async {
            let engine = engine();
            let plugin = plugin(&engine, "hostile").await;
            (engine, plugin)
        })
        .await
}

/// An action of `hostile` under these limits.
pub(crate) async fn hostile_action(action: &str, limits: &str) -> Prepared {
    let (engine, plugin) = hostile_plugin().await;
    prepare(engine, plugin, action, &grant(limits)).unwrap()
}

/// Runs an action of `hostile` under these limits.
pub(crate) async fn hostile(action: &str, input: &str, limits: &str) -> Report {
    run(&hostile_action(action, limits).await, input).await
}

/// The message of a stop, and a check that it names the value and the key.
pub(crate) fn stopped(report: Report, value: &str, key: &str) {
    let Outcome::Stopped(stop) = report.outcome else {
        panic!("not stopped: {:?}", report.outcome);
    };
    let message = stop.to_string();
    assert!(message.contains(value), "{value} is not in: {message}");
    assert!(message.contains(key), "{key} is not in: {message}");
}
