//! *Operate* on requests: the guest says how, the host makes the credential, and where it goes is
//! still the binding's word.

use wharf_policy::Rung;

use super::support::*;
use crate::AuditEvent;
use crate::bindings::http::{HttpError, Response};
use crate::bindings::secrets::HostSecret;
use crate::bindings::signed_http::{Authentication, AwsScope, Host};
use crate::bindings::{http, http_credentials};

/// A grant of *operate* on requests to `/v1` of this origin.
fn operate(origin: &str, lines: &str) -> String {
    format!(
        "[[secret]]\nname = 'api'\nfrom = 'mem:token'\nto = [{{ origin = '{origin}', path = '/v1' }}]\n{lines}\n{}",
        open_grant("secrets = [{ name = 'api', rungs = ['operate'] }]")
    )
}

async fn send(run: &mut Bound, url: String, how: Authentication) -> Result<Response, HttpError> {
    let secret = run.state.open("api".into()).unwrap().unwrap();
    Host::send(&mut run.state, get(url), secret, how)
        .await
        .unwrap()
}

fn basic(user: &str) -> Authentication {
    Authentication::Basic(user.to_owned())
}

fn aws(region: &str, key: Option<&str>) -> Authentication {
    Authentication::AwsSigv4(AwsScope {
        region: region.to_owned(),
        service: "execute-api".to_owned(),
        access_key_id: key.map(str::to_owned),
    })
}

fn denied(answer: Result<Response, HttpError>) -> String {
    match answer {
        Err(HttpError::Denied(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_host_makes_the_credential_and_nothing_of_it_comes_back() {
    use base64::Engine as _;
    let server = Server::echo().await;
    let lines = "operations = ['bearer', 'basic', 'aws-sigv4']";
    let mut run = bound_to(&operate(&server.url(""), lines)).await;
    send(&mut run, server.url("/v1/a"), Authentication::Bearer)
        .await
        .unwrap();
    assert!(server.requests()[0].contains(&format!("authorization: Bearer {TOKEN}\r\n")));

    // Users of each length that shifts the base64 of the secret otherwise.
    for user in ["u", "us", "use", "user"] {
        let answer = send(&mut run, server.url("/v1/a"), basic(user))
            .await
            .unwrap();
        let pair = format!("{user}:{TOKEN}");
        let token = base64::engine::general_purpose::STANDARD.encode(&pair);
        let got = server.requests().pop().unwrap();
        assert!(
            got.contains(&format!("authorization: Basic {token}\r\n")),
            "{got}"
        );
        let shown = String::from_utf8_lossy(&answer.body).into_owned();
        // What is left of the token is the user's part, and no bit of the secret's.
        let left = shown.split("Basic ").nth(1).unwrap();
        let (left, _) = left.split_once("[secret api]").unwrap();
        assert!(left.len() <= (user.len() * 8).div_ceil(6), "{shown}");
        assert!(shown.contains("[secret api]\r\n"), "{shown}");
    }

    send(
        &mut run,
        server.url("/v1/a"),
        aws("eu-west-1", Some("AKID")),
    )
    .await
    .unwrap();
    let got = server.requests().pop().unwrap();
    assert!(got.contains("AWS4-HMAC-SHA256 Credential=AKID/"), "{got}");
    assert!(!got.contains(TOKEN), "{got}");
}

#[tokio::test]
async fn a_manner_that_the_binding_does_not_list_is_denied() {
    let server = Server::echo().await;
    let mut run = bound_to(&operate(&server.url(""), "operations = ['basic']")).await;
    let why = denied(send(&mut run, server.url("/v1/a"), Authentication::Bearer).await);
    assert!(
        why.contains("operations = [\"basic\", \"bearer\"]"),
        "{why}"
    );
    let why = denied(send(&mut run, server.url("/v1/a"), aws("r", Some("K"))).await);
    assert!(why.contains("aws-sigv4"), "{why}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_request_goes_only_where_the_binding_says() {
    let (server, other) = (Server::echo().await, Server::echo().await);
    let mut run = bound_to(&operate(&server.url(""), "operations = ['bearer']")).await;
    for url in [
        server.url("/other"),
        other.url("/v1/a"),
        server.url("/v1/..;/x"),
    ] {
        let why = denied(send(&mut run, url, Authentication::Bearer).await);
        assert!(why.contains("[[secret]]"), "{why}");
    }
    assert!(server.requests().is_empty() && other.requests().is_empty());
}

#[tokio::test]
async fn what_a_guest_says_of_a_user_cannot_break_out_of_the_credential() {
    let server = Server::echo().await;
    let mut run = bound_to(&operate(&server.url(""), "operations = ['basic']")).await;
    for user in ["a:b", "a\r\nx-evil: 1", &"u".repeat(300)] {
        let answer = send(&mut run, server.url("/v1/a"), basic(user)).await;
        assert!(matches!(answer, Err(HttpError::Invalid(_))), "{answer:?}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn the_user_that_the_operator_says_stands() {
    let server = Server::echo().await;
    let lines = "operations = ['basic']\nas = { basic = { user = 'backup' } }";
    let mut run = bound_to(&operate(&server.url(""), lines)).await;
    let why = denied(send(&mut run, server.url("/v1/a"), basic("admin")).await);
    assert!(
        why.contains("as = { basic = { user = \"admin\" } }"),
        "{why}"
    );
    assert!(server.requests().is_empty());
    let sent = send(&mut run, server.url("/v1/a"), basic("backup")).await;
    assert_eq!(sent.unwrap().status, 200);
}

#[tokio::test]
async fn a_use_on_a_request_that_is_refused_is_told_with_the_name_of_the_secret() {
    let server = Server::echo().await;
    let policy = operate(&server.url(""), "operations = ['basic']")
        .replace("['operate']", "['operate', 'attach']");
    let mut run = bound_to(&policy).await;
    let _ = denied(send(&mut run, server.url("/other"), basic("me")).await);
    let _ = denied(send(&mut run, server.url("/v1/a"), Authentication::Bearer).await);
    let credential = http_credentials::HostCredential::open(&mut run.state, "api".into());
    let credential = credential.unwrap().unwrap();
    let attached =
        http_credentials::Host::send(&mut run.state, get(server.url("/other")), credential);
    let _ = denied(attached.await.unwrap());
    let told = run.events.audit.lock().unwrap().clone();
    let refused = told.iter().filter_map(|event| match event {
        AuditEvent::SecretRefused { secret, rung, .. } => Some((secret.as_str(), *rung)),
        _ => None,
    });
    let refused: Vec<_> = refused.collect();
    let expected = [Rung::Operate, Rung::Operate, Rung::Attach].map(|rung| ("api", rung));
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn what_the_operator_says_of_aws_stands() {
    let server = Server::echo().await;
    let lines = "operations = ['aws-sigv4']\nas = { aws-sigv4 = { region = 'eu-west-1', service = 'execute-api', access-key-id = 'AKID' } }";
    let mut run = bound_to(&operate(&server.url(""), lines)).await;
    send(&mut run, server.url("/v1/a"), aws("eu-west-1", None))
        .await
        .unwrap();
    for how in [aws("us-east-1", None), aws("eu-west-1", Some("OTHER"))] {
        let why = denied(send(&mut run, server.url("/v1/a"), how).await);
        assert!(why.contains("[[secret]]"), "{why}");
    }
    let bad = send(&mut run, server.url("/v1/a"), aws("eu/west", None)).await;
    assert!(matches!(bad, Err(HttpError::Invalid(_))), "{bad:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn the_line_for_another_region_keeps_what_else_the_operator_says() {
    let server = Server::echo().await;
    let policy = |line: &str| {
        let lines = format!("operations = ['aws-sigv4']\n{line}");
        operate(&server.url(""), &lines)
    };
    let mut run = bound_to(&policy(
        "as = { aws-sigv4 = { region = 'eu-west-1', service = 'execute-api', access-key-id = 'AKID', unsigned-payload = true } }",
    ))
    .await;
    let wanted = || aws("us-east-1", None);
    let why = denied(send(&mut run, server.url("/v1/a"), wanted()).await);
    let line = why.split('`').find(|part| part.starts_with("as = "));
    let line = line.unwrap_or_else(|| panic!("no line: {why}"));
    assert!(line.contains("unsigned-payload = true"), "{why}");
    let mut run = bound_to(&policy(line)).await;
    send(&mut run, server.url("/v1/a"), wanted()).await.unwrap();
    let got = server.requests().remove(0);
    assert!(got.contains("Credential=AKID/"), "{got}");
    assert!(got.contains("/us-east-1/execute-api/"), "{got}");
}

#[tokio::test]
async fn the_line_for_what_is_no_aws_key_says_whose_it_is_and_keeps_the_rest() {
    let server = Server::echo().await;
    let policy = |line: &str| secret_grant(&server.url(""), line, "inject");
    let no_id = "{ aws-sigv4 = { region = 'r', service = 's', unsigned-payload = true } }";
    let request = async |placement: &str| {
        let mut run = bound_to(&policy(placement)).await;
        http::Host::send(&mut run.state, get(server.url("/v1/a")))
            .await
            .unwrap()
    };
    let why = denied(request(no_id).await);
    let line = why.split('`').find_map(|part| part.strip_prefix("as = "));
    let line = line.unwrap_or_else(|| panic!("no line: {why}"));
    assert!(line.contains("unsigned-payload = true"), "{why}");
    request(line).await.unwrap();
    let got = server.requests().remove(0);
    assert!(got.contains("Credential=AKIA"), "{got}");
}

#[tokio::test]
async fn handles_on_secrets_and_credentials_are_dead_when_the_run_is_over() {
    let server = Server::echo().await;
    let policy = operate(&server.url(""), "operations = ['bearer']")
        .replace("['operate']", "['operate', 'attach', 'reveal']");
    let mut run = bound_to(&policy).await;
    let state = &mut run.state;
    let secret = state.open("api".into()).unwrap().unwrap();
    let credential = http_credentials::HostCredential::open(state, "api".into())
        .unwrap()
        .unwrap();
    state.take();
    let url = server.url("/v1/a");
    // What the handle stood for is gone, or what it stood for is denied.
    let dead = |answer: wasmtime::Result<Result<Response, HttpError>>| {
        matches!(answer, Err(_) | Ok(Err(HttpError::Denied(_))))
    };
    assert!(dead(
        Host::send(state, get(&url), secret, Authentication::Bearer).await
    ));
    assert!(dead(
        http_credentials::Host::send(state, get(&url), credential).await
    ));
    assert!(dead(http::Host::send(state, get(&url)).await));
    assert!(matches!(
        http_credentials::HostCredential::open(state, "api".into()).unwrap(),
        Err(http_credentials::CredentialError::Denied)
    ));
    assert!(server.requests().is_empty());
}
