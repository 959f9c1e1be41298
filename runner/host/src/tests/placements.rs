//! *Inject*: each place for a credential, and that what a guest puts there itself is dropped.

use super::support::*;
use crate::bindings::http::{self, HttpError, Request, Response};
use crate::bindings::http_credentials;

async fn send(run: &mut Bound, request: Request) -> Result<Response, HttpError> {
    http::Host::send(&mut run.state, request).await.unwrap()
}

/// Sends a request with `api` injected in that place, and gives what the server got.
async fn injected(placement: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let server = Server::echo().await;
    let mut run = bound_to(&secret_grant(&server.url(""), placement, "inject")).await;
    let mut request = get(server.url(path));
    for (name, value) in headers {
        let pair = ((*name).to_owned(), value.as_bytes().to_vec());
        request.headers.push(pair);
    }
    let response = send(&mut run, request).await.unwrap();
    let shown = String::from_utf8_lossy(&response.body).into_owned();
    assert!(!shown.contains(TOKEN), "{shown}");
    assert!(!run.events.everything().contains(TOKEN));
    server.requests().remove(0)
}

#[tokio::test]
async fn a_query_parameter_takes_the_place_of_the_guests_own() {
    let placement = "{ query = { name = 'api_key' } }";
    for (path, line) in [
        ("/v1/x", "GET /v1/x?api_key=TOKEN HTTP/1.1"),
        ("/v1/x?", "GET /v1/x?api_key=TOKEN HTTP/1.1"),
        (
            "/v1/x?a=1&api_key=mine&b=%20",
            "GET /v1/x?a=1&b=%20&api_key=TOKEN HTTP/1.1",
        ),
        (
            "/v1/x?API_KEY=1&%61pi_key=2&api%5Fkey=3;api_key=4&b",
            "GET /v1/x?b&api_key=TOKEN HTTP/1.1",
        ),
        (
            "/v1/x?a=1#&api_key=mine",
            "GET /v1/x?a=1&api_key=TOKEN HTTP/1.1",
        ),
        (
            "/v1/x?api.key=1&api+key=2&api_key[]=3&api_key[x]=4&api_key%00=5&+api%20key=6&apis.key=7",
            "GET /v1/x?apis.key=7&api_key=TOKEN HTTP/1.1",
        ),
    ] {
        let got = injected(placement, path, &[]).await;
        let first = got.lines().next().unwrap().replace(TOKEN, "TOKEN");
        assert_eq!(first, line, "{path}");
    }
}

#[tokio::test]
async fn a_query_parameter_is_encoded_so_that_it_adds_nothing_else() {
    let server = Server::echo().await;
    let policy = secret_grant(&server.url(""), "{ query = { name = 'k y' } }", "inject");
    let stores = stores(&[("token", "a&b=c #d/é+%")]);
    let mut run = bound(&rights(&policy), &stores).await;
    let response = send(&mut run, get(server.url("/v1/x?q=1"))).await.unwrap();
    let got = server.requests().remove(0);
    let encoded = "a%26b%3Dc%20%23d%2F%C3%A9%2B%25";
    let line = format!("GET /v1/x?q=1&k%20y={encoded} HTTP/1.1");
    assert_eq!(got.lines().next(), Some(line.as_str()));
    let shown = String::from_utf8_lossy(&response.body).into_owned();
    assert!(!shown.contains(encoded), "{shown}");
}

#[tokio::test]
async fn a_header_takes_the_place_of_the_guests_own_in_any_spelling() {
    let got = injected(
        "{ header = { name = 'x-api-key', prefix = 'v=' } }",
        "/v1/x",
        &[
            ("X-Api-Key", "mine"),
            ("x_api_key", "mine"),
            ("X_API-KEY", "mine"),
            ("x-api-key", "mine too"),
            ("x-api-keys", "kept"),
        ],
    )
    .await;
    assert!(got.contains(&format!("x-api-key: v={TOKEN}\r\n")), "{got}");
    assert!(!got.contains("mine"), "{got}");
    assert!(got.contains("x-api-keys: kept"), "{got}");
}

#[tokio::test]
async fn a_guest_cannot_have_the_host_drop_the_credential_again() {
    let got = injected(
        "'bearer'",
        "/v1/x",
        &[
            ("connection", "authorization, x-other"),
            ("x-http-method-override", "DELETE"),
            ("X-HTTP-Method", "DELETE"),
            ("x_method_override", "DELETE"),
        ],
    )
    .await;
    assert!(got.contains(&format!("authorization: Bearer {TOKEN}\r\n")));
    assert!(!got.contains("DELETE"), "{got}");
}

#[tokio::test]
async fn two_credentials_in_different_places_go_onto_one_request() {
    let server = Server::echo().await;
    let origin = server.url("");
    let policy = format!(
        "[[secret]]\nname='a'\nfrom='mem:a'\nto=[{{origin='{origin}'}}]\nas={{query={{name='k'}}}}\n\
         [[secret]]\nname='b'\nfrom='mem:b'\nto=[{{origin='{origin}'}}]\n{}",
        open_grant("secrets = [{ name = 'a' }, { name = 'b' }]")
    );
    let stores = stores(&[("a", "first-secret"), ("b", "second-secret")]);
    let mut run = bound(&rights(&policy), &stores).await;
    send(&mut run, get(server.url("/"))).await.unwrap();
    let got = server.requests().remove(0);
    assert!(got.starts_with("GET /?k=first-secret HTTP/1.1"), "{got}");
    assert!(got.contains("authorization: Bearer second-secret"), "{got}");
}

#[tokio::test]
async fn two_credentials_for_one_parameter_are_ambiguous_and_nothing_is_sent() {
    let server = Server::echo().await;
    let origin = server.url("");
    let policy = format!(
        "[[secret]]\nname='a'\nfrom='mem:a'\nto=[{{origin='{origin}'}}]\nas={{query={{name='k'}}}}\n\
         [[secret]]\nname='b'\nfrom='mem:a'\nto=[{{origin='{origin}'}}]\nas={{query={{name='K'}}}}\n{}",
        open_grant("secrets = [{ name = 'a' }, { name = 'b' }]")
    );
    let mut run = bound(&rights(&policy), &stores(&[("a", "some-secret")])).await;
    let Err(HttpError::Denied(why)) = send(&mut run, get(server.url("/"))).await else {
        panic!("it was sent")
    };
    assert!(
        why.contains("ambiguous") && why.contains("parameter"),
        "{why}"
    );
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_parameter_that_signing_takes_out_is_ambiguous_beside_a_signature_and_nothing_is_sent() {
    let server = Server::echo().await;
    let origin = server.url("");
    let aws = "{ aws-sigv4 = { region = 'eu-west-1', service = 's3', access-key-id = 'AKID' } }";
    for (parameter, is_refused) in [
        ("X-Amz-Date", true),
        ("x-amz-signature", true),
        ("key", false),
    ] {
        let policy = format!(
            "[[secret]]\nname='a'\nfrom='mem:a'\nto=[{{origin='{origin}'}}]\nas={{query={{name='{parameter}'}}}}\n\
             [[secret]]\nname='b'\nfrom='mem:a'\nto=[{{origin='{origin}'}}]\nas={aws}\n{}",
            open_grant("secrets = [{ name = 'a' }, { name = 'b' }]")
        );
        let mut run = bound(&rights(&policy), &stores(&[("a", "some-secret")])).await;
        let sent = send(&mut run, get(server.url("/"))).await;
        let refused = matches!(&sent, Err(HttpError::Denied(why)) if why.contains("ambiguous"));
        assert_eq!(refused, is_refused, "{parameter}: {sent:?}");
    }
    assert_eq!(server.requests().len(), 1);
}

/// The policy with the line that a refusal names in the place of the one that grants secrets.
fn pasted(why: &str, policy: impl Fn(&str) -> String) -> String {
    let (_, rest) = why.split_once("secrets = ").unwrap();
    let (line, _) = rest.split_once(" without the other").unwrap();
    policy(&format!("secrets = {line}"))
}

#[tokio::test]
async fn the_line_for_two_credentials_leaves_the_one_that_the_guest_attaches() {
    let server = Server::echo().await;
    let origin = server.url("");
    let policy = |grant: &str| {
        format!(
            "[[secret]]\nname='mine'\nfrom='mem:a'\nto=[{{origin='{origin}'}}]\n\
             [[secret]]\nname='theirs'\nfrom='mem:b'\nto=[{{origin='{origin}'}}]\n{}",
            open_grant(grant)
        )
    };
    let stores = stores(&[("a", "first-secret"), ("b", "second-secret")]);
    let attached = async |policy: &str| {
        let mut run = bound(&rights(policy), &stores).await;
        let secret = http_credentials::HostCredential::open(&mut run.state, "mine".into());
        let secret = secret.unwrap().unwrap();
        http_credentials::Host::send(&mut run.state, get(server.url("/")), secret)
            .await
            .unwrap()
    };
    let both = "secrets = [{ name = 'mine', rungs = ['attach'] }, { name = 'theirs' }]";
    let Err(HttpError::Denied(why)) = attached(&policy(both)).await else {
        panic!("it was sent")
    };
    assert!(why.contains("ambiguous"), "{why}");
    assert!(server.requests().is_empty());
    attached(&pasted(&why, policy)).await.unwrap();
    let got = server.requests().remove(0);
    assert!(got.contains("authorization: Bearer first-secret"), "{got}");
}

#[tokio::test]
async fn a_path_that_the_server_may_read_otherwise_gets_no_credential() {
    let server = Server::echo().await;
    let mut run = bound_to(&secret_grant(&server.url(""), "'bearer'", "inject")).await;
    for path in [
        "/v1/..;/admin",
        "/v1/%252e%252e/admin",
        "/v1/..%2fadmin",
        "/v1x",
        "/V1/x",
        "//v1/x",
    ] {
        send(&mut run, get(server.url(path))).await.unwrap();
    }
    for got in server.requests() {
        assert!(!got.contains(TOKEN), "{got}");
    }
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn a_request_is_signed_for_aws_with_the_digest_of_its_real_body() {
    let server = Server::echo().await;
    let placement =
        "{ aws-sigv4 = { region = 'eu-west-1', service = 's3', access-key-id = 'AKIDEXAMPLE' } }";
    let mut run = bound_to(&secret_grant(&server.url(""), placement, "inject")).await;
    let request = Request {
        method: "PUT".to_owned(),
        headers: vec![
            ("Authorization".to_owned(), b"mine".to_vec()),
            ("X-Amz-Date".to_owned(), b"20000101T000000Z".to_vec()),
            (
                "x-amz-content-sha256".to_owned(),
                b"UNSIGNED-PAYLOAD".to_vec(),
            ),
            ("x-amz-security-token".to_owned(), b"mine".to_vec()),
            ("content-type".to_owned(), b"text/plain".to_vec()),
        ],
        body: Some(b"Welcome to Amazon S3.".to_vec()),
        ..get(server.url("/v1/a%20b+c?X-Amz-Signature=mine&list-type=2"))
    };
    send(&mut run, request).await.unwrap();
    let got = server.requests().remove(0);
    assert!(
        got.starts_with("PUT /v1/a%20b%2Bc?list-type=2 HTTP/1.1"),
        "{got}"
    );
    assert!(!got.contains("mine") && !got.contains("UNSIGNED"), "{got}");
    // The digest of this text is in AWS's documentation.
    assert!(got.contains(
        "x-amz-content-sha256: 44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n"
    ));
    assert!(got.contains("SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, "));
    assert!(got.contains("Credential=AKIDEXAMPLE/"), "{got}");
    assert!(got.contains("/eu-west-1/s3/aws4_request"), "{got}");
    assert!(!got.contains(TOKEN), "{got}");
}

#[tokio::test]
async fn a_temporary_aws_key_brings_its_session_token_and_no_part_comes_back() {
    const DOCUMENT: &str = r#"{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"wJalrXUtnFEMI/K7MDENG","SessionToken":"IQoJb3JpZ2luX2VjE+x=="}"#;
    let server = Server::echo().await;
    let placement = "{ aws-sigv4 = { region = 'eu-west-1', service = 'execute-api' } }";
    let policy = secret_grant(&server.url(""), placement, "inject");
    let mut run = bound(&rights(&policy), &stores(&[("token", DOCUMENT)])).await;
    let response = send(&mut run, get(server.url("/v1/x"))).await.unwrap();
    let got = server.requests().remove(0);
    assert!(
        got.contains("x-amz-security-token: IQoJb3JpZ2luX2VjE+x==\r\n"),
        "{got}"
    );
    assert!(
        got.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token")
    );
    let shown = String::from_utf8_lossy(&response.body).into_owned();
    assert!(
        shown.contains("[secret api]") && !shown.contains("IQoJb3"),
        "{shown}"
    );
    assert!(!format!("{:?}", response.headers).contains("IQoJb3"));
}
