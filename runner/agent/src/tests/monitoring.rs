//! `/metrics` and `/healthz`: what they say while a runner comes, serves, is in trouble, and goes.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wharf_protocol::{Pipe, ToController, ToRunner};

use super::controller::Fake;
use super::executor::FakeExecutor;
use super::{key, soon};
use crate::agent::Surroundings;
use crate::status::{Link, Status};
use crate::{Agent, AgentConfig, AgentError, Running};

fn start(fake: &Fake, state: &Path, around: Surroundings) -> Result<Running, AgentError> {
    start_at("127.0.0.1:0".parse().unwrap(), fake, state, around)
}

fn start_at(
    address: SocketAddr,
    fake: &Fake,
    state: &Path,
    around: Surroundings,
) -> Result<Running, AgentError> {
    let config = AgentConfig {
        metrics: Some(address),
        ..fake.config(state)
    };
    Agent::start_with(&config, around, Arc::new(FakeExecutor::default()))
}

/// The code and the body of an answer.
async fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nhost: runner\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, body.to_owned())
}

/// Waits until the runner says so of itself.
async fn says(runner: &Running, what: &str, holds: impl FnMut(&Status) -> bool) {
    let mut status = runner.status();
    soon(what, status.wait_for(holds)).await.unwrap();
}

fn connected(status: &Status) -> bool {
    matches!(status.link, Link::Connected { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_is_healthy_only_while_it_is_connected_and_takes_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = Fake::start().await;
    let runner = start(&fake, folder.path(), fake.surroundings(folder.path())).unwrap();
    let address = runner.metrics().unwrap();
    let mut peer = fake.peer(Pipe::Control).await;
    says(&runner, "connected", connected).await;
    assert_eq!(ask(address, "GET /healthz").await, (200, "ok\n".to_owned()));
    let (code, text) = ask(address, "GET /metrics").await;
    assert!(
        code == 200 && text.contains("\nwharf_runner_healthy 1\n"),
        "{text}"
    );

    // It holds an attempt, so that it does not leave at once when it is told to.
    peer.assign(key(1), "wait", "1").await;
    let started = ToController::Started(key(1));
    peer.find("the start", |frame| (frame == started).then_some(()))
        .await;
    peer.send(ToRunner::Drain).await;
    says(&runner, "draining", |now| now.draining).await;
    let (code, why) = ask(address, "GET /healthz").await;
    assert!(code == 503 && why.contains("leaves"), "{why}");

    drop(peer);
    says(&runner, "disconnected", |now| !connected(now)).await;
    let (code, why) = ask(address, "GET /healthz").await;
    assert!(code == 503 && why.contains("not connected"), "{why}");
    let (_, text) = ask(address, "GET /metrics").await;
    assert!(text.contains("\nwharf_runner_connected 0\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_can_run_nothing_is_not_healthy_though_it_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = Fake::start().await;
    let around = Surroundings {
        useless: Some("nobody is trusted".to_owned()),
        ..fake.surroundings(folder.path())
    };
    let runner = start(&fake, folder.path(), around).unwrap();
    let _peer = fake.peer(Pipe::Control).await;
    says(&runner, "connected", connected).await;
    let (code, why) = ask(runner.metrics().unwrap(), "GET /healthz").await;
    assert_eq!((code, why.as_str()), (503, "nobody is trusted\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_is_served_and_one_that_says_nothing_does_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::start().await;
    let runner = start(&fake, folder.path(), fake.surroundings(folder.path())).unwrap();
    let address = runner.metrics().unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    assert_eq!(ask(address, "GET /").await.0, 404);
    assert_eq!(ask(address, "GET /metrics/../healthz").await.0, 404);
    assert_eq!(ask(address, "POST /metrics").await.0, 405);

    // An address that is taken is no reason to go unwatched: the other does not start.
    let other = tempfile::tempdir().unwrap();
    let around = fake.surroundings(other.path());
    let started = start_at(address, &fake, other.path(), around);
    let error = started.err().unwrap().to_string();
    assert!(
        error.contains("metrics") && error.contains(&address.to_string()),
        "{error}"
    );
}
