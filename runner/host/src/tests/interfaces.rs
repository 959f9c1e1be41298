//! Log, progress, control, config and output, bound.

use super::support::*;
use crate::bindings::{config, control, log, output, progress};
use crate::{Level, LogSource};
use wharf_stores::Stores;

#[tokio::test]
async fn a_line_keeps_its_level_and_fields_and_loses_secrets() {
    let mut run = bound_to(&secret_grant("http://h", "'bearer'", "inject")).await;
    log::Host::log(
        &mut run.state,
        log::Level::Warn,
        format!("sent {TOKEN}"),
        vec![("token".into(), TOKEN.into()), (TOKEN.into(), "x".into())],
    )
    .unwrap();
    let lines = run.events.lines.lock().unwrap().clone();
    assert_eq!(lines[0].level, Level::Warn);
    assert_eq!(lines[0].source, LogSource::Plugin);
    assert_eq!(lines[0].message, "sent [secret api]");
    assert_eq!(lines[0].fields[0].1, "[secret api]");
    assert_eq!(lines[0].fields[1].0, "[secret api]");
}

#[tokio::test]
async fn progress_is_clamped_cut_and_scrubbed() {
    let mut run = bound_to(&secret_grant("http://h", "'bearer'", "inject")).await;
    let long = format!("{}{TOKEN}", "é".repeat(505));
    for (fraction, message) in [(Some(7.0), "a"), (Some(f32::NAN), TOKEN), (None, &long)] {
        progress::Host::report(&mut run.state, fraction, message.into()).unwrap();
    }
    let told = run.events.progress.lock().unwrap().clone();
    assert_eq!(told[0].fraction, Some(1.0));
    assert_eq!(told[1].fraction, None);
    assert_eq!(told[1].message, "[secret api]");
    assert!(told[2].message.len() < 1030 && !told[2].message.contains("canary"));
}

#[tokio::test]
async fn control_tells_of_cancelling_and_of_the_time_left() {
    let mut run = bound(&rights(""), &Stores::none()).await;
    assert!(!control::Host::cancelled(&mut run.state).unwrap());
    run.cancel.cancel();
    assert!(control::Host::cancelled(&mut run.state).unwrap());
    let left = control::Host::remaining(&mut run.state).unwrap();
    assert!((1..=20_000).contains(&left), "{left}");
}

#[tokio::test]
async fn settings_are_those_of_the_grant() {
    let rights = rights("[[grant]]\nplugins = ['http']\nconfig = { region = 'eu' }");
    let mut run = bound(&rights, &Stores::none()).await;
    assert_eq!(config::Host::names(&mut run.state).unwrap(), ["region"]);
    assert_eq!(
        config::Host::get(&mut run.state, "region".into()).unwrap(),
        Some("eu".to_owned())
    );
    assert_eq!(
        config::Host::get(&mut run.state, "other".into()).unwrap(),
        None
    );
}

#[tokio::test]
async fn streamed_output_is_scrubbed_across_chunks() {
    let mut run = bound_to(&secret_grant("http://h", "'bearer'", "inject")).await;
    let document = format!("{{\"a\":\"{TOKEN}\",\"b\":1}}");
    for byte in document.bytes() {
        output::Host::write(&mut run.state, vec![byte])
            .unwrap()
            .unwrap();
    }
    assert_eq!(run.state.take().output, r#"{"a":"[secret api]","b":1}"#);
}

#[tokio::test]
async fn an_instance_is_bound_once() {
    let mut run = bound(&rights(""), &Stores::none()).await;
    let mut other = bound(
        &rights("[[grant]]\nplugins=['http']\nconfig={a='b'}"),
        &Stores::none(),
    )
    .await;
    let second = other.state.run.take().unwrap();
    run.state.bind(crate::Binding {
        execution: "e2".into(),
        attempt: 1,
        rights: second.rights.clone(),
        deadline: second.deadline,
        cancel: second.cancel.clone(),
        services: second.services.clone(),
        events: second.events.clone(),
        command: None,
        secrets: second.secrets.clone(),
    });
    assert!(config::Host::names(&mut run.state).unwrap().is_empty());
}
