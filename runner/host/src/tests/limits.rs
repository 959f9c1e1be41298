//! Each limit that is the host's, reached.

use super::support::*;
use crate::bindings::{http, log, output, progress, secrets};
use crate::{LimitHit, LimitKind, LogSource};
use std::sync::Arc;
use wasmtime_wasi::p2::bindings::random::random::Host as Random;
use wharf_policy::Rights;
use wharf_stores::Stores;

fn limited(limits: &str) -> Arc<Rights> {
    rights(&open_grant(&format!("limits = {{ {limits} }}")))
}

fn hit(error: &wasmtime::Error) -> LimitKind {
    error.downcast_ref::<LimitHit>().unwrap().kind
}

#[tokio::test]
async fn lines_past_the_budget_are_dropped_and_counted_and_told_once() {
    for limits in ["log-entries = 3", "log-bytes = '15B'"] {
        let mut run = bound(&limited(limits), &Stores::none()).await;
        for _ in 0..10 {
            log::Host::log(&mut run.state, log::Level::Info, "12345".into(), vec![]).unwrap();
        }
        let usage = run.state.take().usage;
        assert_eq!(
            (usage.log_entries, usage.log_bytes, usage.log_dropped),
            (3, 15, 7)
        );
        run.state.take();
        let lines = run.events.lines.lock().unwrap().clone();
        assert_eq!(lines.len(), 4, "{limits}");
        assert_eq!(lines[3].source, LogSource::Host);
        assert!(
            lines[3].message.contains("7 log lines were dropped"),
            "{}",
            lines[3].message
        );
    }
}

#[tokio::test]
async fn a_line_larger_than_the_budget_leaves_room_for_smaller_ones() {
    let mut run = bound(&limited("log-bytes = '10B'"), &Stores::none()).await;
    log::Host::log(&mut run.state, log::Level::Info, "x".repeat(11), vec![]).unwrap();
    log::Host::log(&mut run.state, log::Level::Info, "small".into(), vec![]).unwrap();
    assert_eq!(run.events.messages(), ["small"]);
    assert_eq!(run.state.take().usage.log_dropped, 1);
}

#[tokio::test]
async fn output_past_the_limit_is_refused_from_there_on() {
    let mut run = bound(&limited("output = '4B'"), &Stores::none()).await;
    let mut write = |chunk: &[u8]| output::Host::write(&mut run.state, chunk.to_vec()).unwrap();
    assert!(write(b"123").is_ok());
    assert!(matches!(write(b"45"), Err(output::OutputError::TooLarge)));
    assert!(matches!(write(b"4"), Err(output::OutputError::TooLarge)));
    assert_eq!(run.state.take().output, "123");
}

#[tokio::test]
async fn a_host_call_that_carries_too_much_ends_the_run_and_names_the_limit() {
    let big = || "x".repeat(65);
    let mut run = bound(&limited("host-call = '64B'"), &Stores::none()).await;
    let state = &mut run.state;
    assert_eq!(
        hit(&log::Host::log(state, log::Level::Info, big(), vec![]).unwrap_err()),
        LimitKind::HostCall
    );
    assert_eq!(
        hit(&progress::Host::report(state, None, big()).unwrap_err()),
        LimitKind::HostCall
    );
    assert_eq!(
        hit(&output::Host::write(state, big().into_bytes()).unwrap_err()),
        LimitKind::HostCall
    );
    let mut request = get("http://127.0.0.1/");
    request.body = Some(big().into_bytes());
    let error = http::Host::send(state, request).await.unwrap_err();
    assert_eq!(hit(&error), LimitKind::HostCall);
    let stopped = state.stopped_by().unwrap();
    assert_eq!(stopped.kind, LimitKind::HostCall);
    assert!(
        stopped.to_string().contains("64B in one host call"),
        "{stopped}"
    );
}

#[tokio::test]
async fn an_hmac_of_too_much_ends_the_run() {
    let policy = format!(
        "[[secret]]\nname='api'\nfrom='mem:token'\n{}",
        open_grant("secrets=[{name='api',rungs=['operate']}]\nlimits={host-call='64B'}")
    );
    let mut run = bound_to(&policy).await;
    let handle = secrets::HostSecret::open(&mut run.state, "api".into())
        .unwrap()
        .unwrap();
    let error = secrets::HostSecret::hmac(
        &mut run.state,
        handle,
        secrets::DigestAlgorithm::Sha256,
        vec![0; 65],
    )
    .unwrap_err();
    assert_eq!(hit(&error), LimitKind::HostCall);
}

#[tokio::test]
async fn open_handles_are_bounded() {
    let policy = format!(
        "[[secret]]\nname='api'\nfrom='mem:token'\n{}",
        open_grant("secrets=[{name='api',rungs=['operate']}]\nlimits={resources=2}")
    );
    let mut run = bound_to(&policy).await;
    let mut open = || secrets::HostSecret::open(&mut run.state, "api".into());
    let first = open().unwrap().unwrap();
    open().unwrap().unwrap();
    let error = open().unwrap_err();
    let limit = run.state.limit_behind(&error).unwrap();
    assert_eq!((limit.kind, limit.allowed), (LimitKind::Resources, 2));
    secrets::HostSecret::drop(&mut run.state, first).unwrap();
    assert!(
        secrets::HostSecret::open(&mut run.state, "api".into())
            .unwrap()
            .is_ok()
    );
}

#[tokio::test]
async fn randomness_in_one_call_is_bounded() {
    let mut run = bound(&limited("requests = 1"), &Stores::none()).await;
    assert_eq!(
        Random::get_random_bytes(&mut run.state, 32).unwrap().len(),
        32
    );
    let error = Random::get_random_bytes(&mut run.state, crate::wasi::RANDOM + 1).unwrap_err();
    assert_eq!(hit(&error), LimitKind::Random);
    assert_eq!(run.state.stopped_by().unwrap().kind, LimitKind::Random);
}

async fn exhausted(limits: &str, server: &Server, requests: usize) -> String {
    let mut run = bound(&limited(limits), &Stores::none()).await;
    let mut last = None;
    for _ in 0..requests {
        let mut request = get(server.url("/"));
        request.method = "POST".into();
        request.body = Some(vec![b'x'; 300]);
        last = Some(http::Host::send(&mut run.state, request).await.unwrap());
    }
    match last.unwrap() {
        Err(http::HttpError::Exhausted(why)) => why,
        other => panic!("{limits}: {other:?}"),
    }
}

#[tokio::test]
async fn requests_and_their_bytes_are_bounded() {
    let server = Server::start(|_| vec![reply("", &[b'y'; 300])]).await;
    assert!(
        exhausted("requests = 2", &server, 3)
            .await
            .contains("`limits = { requests = 4 }`")
    );
    assert_eq!(server.requests().len(), 2);
    let why = exhausted("request-bytes = '500B'", &server, 2).await;
    assert!(
        why.contains("`limits = { request-bytes = \"1000B\" }`"),
        "{why}"
    );
    assert_eq!(server.requests().len(), 3);
    let why = exhausted("response-bytes = '500B'", &server, 2).await;
    assert!(
        why.contains("`limits = { response-bytes = \"1000B\" }`"),
        "{why}"
    );
}

#[tokio::test]
async fn a_response_that_is_too_large_is_not_held() {
    let server = Server::start(|_| vec![reply("", &[b'y'; 300])]).await;
    let mut run = bound(&limited("response = '299B'"), &Stores::none()).await;
    let response = http::Host::send(&mut run.state, get(server.url("/")))
        .await
        .unwrap();
    assert!(
        matches!(response, Err(http::HttpError::TooLarge(299))),
        "{response:?}"
    );
    let mut run = bound(&limited("response = '300B'"), &Stores::none()).await;
    let response = http::Host::send(&mut run.state, get(server.url("/")))
        .await
        .unwrap();
    assert_eq!(response.unwrap().body.len(), 300);
}
