//! Standard streams: a command's document, and everything else as log.

use bytes::Bytes;
use wasmtime::component::Resource;
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::{environment, stderr, stdin, stdout};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, StreamError};

use super::support::*;
use crate::{CommandIo, LimitKind, LogSource, ServicesConfig, State};

fn out(state: &mut State) -> Resource<DynOutputStream> {
    stdout::Host::get_stdout(&mut state.cli()).unwrap()
}

fn err(state: &mut State) -> Resource<DynOutputStream> {
    stderr::Host::get_stderr(&mut state.cli()).unwrap()
}

fn write(
    state: &mut State,
    stream: &Resource<DynOutputStream>,
    text: impl Into<Bytes>,
) -> Result<(), StreamError> {
    state.table.get_mut(stream).unwrap().write(text.into())
}

async fn command(more: &str) -> Bound {
    let policy = secret_grant("http://h", "'bearer'", "inject") + more;
    let io = CommandIo {
        args: vec!["prog".into(), "--fast".into()],
        env: vec![("MODE".into(), "test".into())],
        stdin: "{\"in\":1}".into(),
    };
    bind_with(
        &rights(&policy),
        &stores(&[("token", TOKEN)]),
        Names::default(),
        &ServicesConfig::default(),
        Some(io),
    )
    .await
}

#[tokio::test]
async fn a_command_gets_its_input_arguments_and_environment_and_nothing_else() {
    let mut run = command("").await;
    let input: Resource<DynInputStream> = stdin::Host::get_stdin(&mut run.state.cli()).unwrap();
    let read = run.state.table.get_mut(&input).unwrap().read(100).unwrap();
    assert_eq!(read, "{\"in\":1}");
    let mut cli = run.state.cli();
    assert_eq!(
        environment::Host::get_arguments(&mut cli).unwrap(),
        ["prog", "--fast"]
    );
    assert_eq!(
        environment::Host::get_environment(&mut cli).unwrap(),
        [("MODE".to_owned(), "test".to_owned())]
    );
    assert_eq!(environment::Host::initial_cwd(&mut cli).unwrap(), None);
}

#[tokio::test]
async fn a_commands_output_is_its_document_and_its_errors_are_log() {
    let mut run = command("").await;
    let (out, err) = (out(&mut run.state), err(&mut run.state));
    for part in ["{\"t\":\"", &TOKEN[..9], &TOKEN[9..], "\"}"] {
        write(&mut run.state, &out, part.to_owned()).unwrap();
    }
    for part in ["one\ntwo ", &TOKEN[..3], &TOKEN[3..], "\r\n\nlast"] {
        write(&mut run.state, &err, part.to_owned()).unwrap();
    }
    assert_eq!(run.state.take().stdout, "{\"t\":\"[secret api]\"}");
    assert_eq!(
        run.events.messages(),
        ["one", "two [secret api]", "", "last"]
    );
    assert_eq!(
        run.events.lines.lock().unwrap()[0].source,
        LogSource::Stderr
    );
}

#[tokio::test]
async fn a_document_past_the_limit_ends_the_run() {
    let mut run = command("\nlimits = { output = '8B' }").await;
    let out = out(&mut run.state);
    write(&mut run.state, &out, "12345678").unwrap();
    let error = write(&mut run.state, &out, "9").unwrap_err();
    assert!(matches!(error, StreamError::Trap(_)), "{error:?}");
    assert_eq!(run.state.stopped_by().unwrap().kind, LimitKind::Output);
}

#[tokio::test]
async fn without_a_command_standard_output_is_log_and_handles_from_before_binding_work() {
    let rights = rights(&open_grant(""));
    let mut state = State::unbound(rights.limits());
    let early = out(&mut state);
    write(&mut state, &early, "nobody hears this").unwrap();
    let mut run = bound(&rights, &stores(&[])).await;
    let donor = run.state.run.take().unwrap();
    state.bind(crate::Binding {
        execution: "e".into(),
        attempt: 1,
        rights,
        deadline: donor.deadline,
        cancel: donor.cancel.clone(),
        services: donor.services.clone(),
        events: donor.events.clone(),
        command: None,
        secrets: donor.secrets.clone(),
    });
    write(&mut state, &early, format!("heard\n{}", "x".repeat(9000))).unwrap();
    let collected = state.take();
    assert_eq!(collected.stdout, "");
    assert_eq!(collected.usage.ignored_unbound, 1);
    let messages = run.events.messages();
    assert_eq!(messages[0], "heard");
    assert_eq!((messages[1].len(), messages[2].len()), (8192, 808));
}
