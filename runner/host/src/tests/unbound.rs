//! Before an instance is bound, nothing is reached.

use super::support::{bound_to, get, open_grant};
use crate::bindings::{
    config, control, http, http_credentials, log, output, progress, reveal, secrets,
};
use crate::state::Unbound;
use crate::{Collected, State};
use wharf_policy::Limits;

fn state() -> State {
    State::unbound(&Limits::default())
}

#[tokio::test]
async fn every_call_that_reaches_something_is_denied_before_binding() {
    let mut state = state();
    let response = http::Host::send(&mut state, get("http://127.0.0.1:1/"))
        .await
        .unwrap();
    assert!(
        matches!(response, Err(http::HttpError::Denied(_))),
        "{response:?}"
    );
    assert!(matches!(
        secrets::HostSecret::open(&mut state, "api".into()).unwrap(),
        Err(secrets::SecretError::Denied)
    ));
    assert!(matches!(
        http_credentials::HostCredential::open(&mut state, "api".into()).unwrap(),
        Err(http_credentials::CredentialError::Denied)
    ));
    assert!(matches!(
        reveal::Host::reveal(&mut state, "api".into())
            .await
            .unwrap(),
        Err(reveal::RevealError::Denied)
    ));
    assert!(matches!(
        output::Host::write(&mut state, b"{}".to_vec()).unwrap(),
        Err(output::OutputError::Denied)
    ));
    assert_eq!(state.take().output, "");
}

#[test]
fn calls_that_have_no_error_trap_before_binding_and_say_why() {
    let mut state = state();
    for error in [
        control::Host::cancelled(&mut state).unwrap_err(),
        control::Host::remaining(&mut state).unwrap_err(),
        config::Host::get(&mut state, "region".into()).unwrap_err(),
        config::Host::names(&mut state).unwrap_err(),
    ] {
        assert!(error.downcast_ref::<Unbound>().is_some(), "{error}");
        assert!(
            error.to_string().contains("before the instance was bound"),
            "{error}"
        );
    }
}

#[test]
fn log_and_progress_before_binding_go_nowhere_and_are_counted() {
    let mut state = state();
    log::Host::log(&mut state, log::Level::Info, "hello".into(), vec![]).unwrap();
    progress::Host::report(&mut state, Some(0.5), "half".into()).unwrap();
    let Collected { usage, .. } = state.take();
    assert_eq!(usage.ignored_unbound, 2);
    assert_eq!(usage.log_entries, 0);
}

#[tokio::test]
async fn nothing_of_a_run_is_held_once_it_is_over() {
    let policy = format!(
        "[[secret]]\nname='api'\nfrom='mem:token'\n{}",
        open_grant("secrets=[{name='api',rungs=['operate']}]")
    );
    let mut bound = bound_to(&policy).await;
    let run = std::sync::Arc::downgrade(bound.state.run.as_ref().unwrap());
    secrets::HostSecret::open(&mut bound.state, "api".into())
        .unwrap()
        .unwrap();
    assert!(!bound.state.table.is_empty());
    bound.state.take();
    assert!(bound.state.table.is_empty(), "its handles are still there");
    assert!(run.upgrade().is_none(), "its secrets are still held");
}
