//! Names in which a secret, or another destination, could hide: of hosts, of headers, of parameters.

use wharf_stores::Stores;

use super::support::*;
use crate::bindings::http::{HttpError, Request};
use crate::bindings::{http_credentials, secrets, signed_http};

/// Bound to a secret with capitals in it.
async fn with_capitals(policy: &str) -> Bound {
    bound(&rights(policy), &stores(&[("token", CAPITALS)])).await
}

fn says_nothing(what: &str, text: &str) {
    let small = CAPITALS.to_ascii_lowercase();
    assert!(
        !text.to_ascii_lowercase().contains(&small),
        "{what}: {text}"
    );
}

#[tokio::test]
async fn a_header_whose_name_is_a_secret_is_dropped_though_names_are_in_small_letters() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let server = Server::start(|_| {
        let encoded = URL_SAFE_NO_PAD.encode(format!("token={CAPITALS};"));
        let names =
            format!("x-{CAPITALS}: 1\r\n{CAPITALS}: 2\r\nx-{encoded}-y: 3\r\nX-Kept: 4\r\n");
        vec![reply(&names, b"hello")]
    })
    .await;
    let mut run = with_capitals(&secret_grant(&server.url(""), "'bearer'", "inject")).await;
    let answer = send(&mut run, get(server.url("/v1/x"))).await.unwrap();
    let names: Vec<&str> = answer
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["x-kept", "content-length"]);
}

#[tokio::test]
async fn a_secret_in_the_name_of_a_host_is_told_to_nobody() {
    let policy = "[[secret]]\nname='api'\nfrom='mem:token'\nto=[{origin='http://granted.test'}]\n\
                  operations=['bearer']\n\
                  [[grant]]\nplugins=['http']\nhttp=[{origin='http://granted.test'}, {origin='http://*.gone.test'}]\n\
                  secrets=[{name='api',rungs=['inject','attach','operate']}]";
    let mut run = with_capitals(policy).await;
    let url = format!("http://{CAPITALS}.gone.test/{CAPITALS}");
    let credential = http_credentials::HostCredential::open(&mut run.state, "api".into());
    let credential = credential.unwrap().unwrap();
    let attached = http_credentials::Host::send(&mut run.state, get(&url), credential).await;
    says_nothing("attached", &format!("{:?}", attached.unwrap().unwrap_err()));
    let secret = secrets::HostSecret::open(&mut run.state, "api".into());
    let secret = secret.unwrap().unwrap();
    let bearer = signed_http::Authentication::Bearer;
    let signed = signed_http::Host::send(&mut run.state, get(&url), secret, bearer).await;
    says_nothing("operated", &format!("{:?}", signed.unwrap().unwrap_err()));
    for host in ["evil.test", "gone.test"] {
        let url = format!("http://{CAPITALS}.{host}/{CAPITALS}");
        let error = send(&mut run, get(url)).await.unwrap_err();
        says_nothing("the error", &format!("{error:?}"));
        assert!(format!("{error:?}").contains("[secret api]"), "{error:?}");
    }
    let told = run.events.everything();
    says_nothing("what was told", &told);
    assert!(told.matches("[secret api]").count() >= 4, "{told}");
}

#[tokio::test]
async fn a_request_with_a_credential_asks_for_nobody_else() {
    let server = Server::echo().await;
    let policy = secret_grant(&server.url(""), "'bearer'", "inject");
    let mut run = bound_to(&policy).await;
    for header in ["Impersonate-User", "impersonate_group", "Sudo"] {
        for (path, is_refused) in [("/v1/x", true), ("/other", false)] {
            let mut request = get(server.url(path));
            request.headers = vec![(header.to_owned(), b"admin".to_vec())];
            let answer = send(&mut run, request).await;
            match answer {
                Err(HttpError::Denied(why)) => {
                    assert!(is_refused && why.contains("`api`"), "{why}")
                }
                answer => assert!(!is_refused && answer.is_ok(), "{header}: {answer:?}"),
            }
        }
    }
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn all_fields_of_a_secret_are_removed_one_by_one_too() {
    let server = Server::start(|_| vec![reply("", b"who-it-is and a-pass-word")]).await;
    let policy = secret_grant(&server.url(""), "'bearer'", "attach");
    let policy = policy.replace("mem:token", "mem:token#*");
    let fields = r#"{"username": "who-it-is", "password": "a-pass-word"}"#;
    let mut run = bound(&rights(&policy), &stores(&[("token", fields)])).await;
    let answer = send(&mut run, get(server.url("/v1/x"))).await.unwrap();
    assert_eq!(text(&answer), "[secret api] and [secret api]");
}

#[tokio::test]
async fn what_is_counted_of_a_request_does_not_say_how_long_its_credential_is() {
    let mut counted = Vec::new();
    for token in [
        "short-token",
        "a-token-that-is-very-much-longer-than-the-other-one",
    ] {
        for placement in [
            "'bearer'",
            "{ query = { name = 'k' } }",
            "{ basic = { user = 'u' } }",
        ] {
            let server = Server::echo().await;
            let policy = secret_grant(&server.url(""), placement, "inject");
            let mut run = bound(&rights(&policy), &stores(&[("token", token)])).await;
            let url = server.url("/v1/x");
            let port = server.address.port().to_string().len() as u64;
            send(&mut run, get(url)).await.unwrap();
            counted.push(run.state.take().usage.request_bytes - port);
        }
    }
    assert_eq!(counted, [counted[0]; 6]);
}

/// A request that copies from, or to, another place.
fn copies(url: String, header: &str) -> Request {
    let mut request = get(url);
    request.method = "PUT".into();
    request.headers = vec![(header.to_owned(), b"/bucket-b/private.txt".to_vec())];
    request
}

const SECOND_PLACES: [&str; 7] = [
    "x-amz-copy-source",
    "X-Amz-Rename-Source",
    "x_amz_copy_source",
    "x-ms-copy-source",
    "x-goog-copy-source",
    "X-Copy-From",
    "Destination",
];

fn denied(answer: Result<crate::bindings::http::Response, HttpError>) -> String {
    match answer {
        Err(HttpError::Denied(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_credential_for_one_path_is_not_put_on_a_request_that_names_a_second_one() {
    let server = Server::echo().await;
    let placement = "{ aws-sigv4 = { region = 'r', service = 's3', access-key-id = 'AKID' } }";
    let bound = secret_grant(&server.url(""), placement, "inject");
    let mut run = bound_to(&bound).await;
    for header in SECOND_PLACES {
        let why = denied(send(&mut run, copies(server.url("/v1/x"), header)).await);
        assert!(
            why.contains(&format!("`{}`", header.to_lowercase())),
            "{why}"
        );
        let line = format!(
            "to = [{{ origin = \"{}\", methods = [\"PUT\"] }}] beside those that it has",
            server.url("")
        );
        assert!(why.contains(&line), "{why}");
    }
    assert!(server.requests().is_empty());
    assert!(run.events.everything().contains("RequestDenied"));

    // Where no credential goes, and where it may go anywhere, it is the server's to allow.
    send(&mut run, copies(server.url("/x"), "destination"))
        .await
        .unwrap();
    let mut run = bound_to(&bound.replace(", path = '/v1'", "")).await;
    for header in SECOND_PLACES {
        send(&mut run, copies(server.url("/v1/x"), header))
            .await
            .unwrap();
        assert!(
            server
                .requests()
                .pop()
                .unwrap()
                .contains("/bucket-b/private.txt")
        );
    }
}

#[tokio::test]
async fn where_one_path_is_granted_no_second_one_is_named() {
    let server = Server::echo().await;
    let grant = |path: &str| {
        format!(
            "[[grant]]\nplugins=['http']\nhttp=[{{origin='{}'{path}}}]\nnetworks=['127.0.0.0/8']",
            server.url("")
        )
    };
    let mut run = bound(&rights(&grant(", path='/v1'")), &Stores::none()).await;
    let why = denied(send(&mut run, copies(server.url("/v1/x"), "destination")).await);
    let line = format!("http = [{{ origin = \"{}\"", server.url(""));
    assert!(
        why.contains("`destination`") && why.contains(&line),
        "{why}"
    );
    assert!(server.requests().is_empty());
    let mut run = bound(&rights(&grant("")), &Stores::none()).await;
    send(&mut run, copies(server.url("/v1/x"), "destination"))
        .await
        .unwrap();
}

#[tokio::test]
async fn no_second_place_is_on_a_server_or_in_a_bucket_that_is_not_granted_and_bound() {
    let grant = |origins: &str| {
        format!("[[grant]]\nplugins=['http']\nhttp=[{origins}]\nnetworks=['127.0.0.0/8']")
    };
    let server = Server::echo().await;
    let (own, other) = (server.url(""), "http://other.test");
    let mut only_own = bound(
        &rights(&grant(&format!("{{origin='{own}'}}"))),
        &Stores::none(),
    )
    .await;
    let both = grant(&format!("{{origin='{own}'}}, {{origin='{other}'}}"));
    let mut both = bound(&rights(&both), &Stores::none()).await;
    for value in ["http://other.test/x", "//other.test/x"] {
        let mut request = copies(server.url("/x"), "destination");
        request.headers[0].1 = value.into();
        let why = denied(send(&mut only_own, request.clone()).await);
        assert!(
            why.contains("http = [{ origin = \"http://other.test:80\"")
                || why.contains("http = [{ origin = \"http://other.test\""),
            "{why}"
        );
        send(&mut both, request).await.unwrap();
    }
    assert_eq!(server.requests().len(), 2);

    // Hosts of one bucket each.
    let names = Names([("a.s3.test", vec![server.address.ip()])].into());
    let port = server.address.port();
    let policy = grant(&format!("{{origin='http://a.s3.test:{port}'}}"));
    let config = crate::ServicesConfig::default();
    let mut run = bind_with(&rights(&policy), &Stores::none(), names, &config, None).await;
    for (source, is_sent) in [
        ("/a/x", true),
        ("a/x", true),
        ("/b/x", false),
        ("/%62/x", false),
    ] {
        let mut request = copies(format!("http://a.s3.test:{port}/y"), "x-amz-copy-source");
        request.headers[0].1 = source.into();
        let answer = send(&mut run, request).await;
        if is_sent {
            answer.unwrap();
        } else {
            let why = denied(answer);
            assert!(why.contains("another bucket than a"), "{why}");
        }
    }
}

#[tokio::test]
async fn a_header_that_services_read_in_different_ways_is_refused_where_the_request_is_signed() {
    let server = Server::echo().await;
    let placement = "{ aws-sigv4 = { region = 'r', service = 's3', access-key-id = 'AKID' } }";
    let mut run = bound_to(&secret_grant(&server.url(""), placement, "inject")).await;
    let mut request = get(server.url("/v1/x"));
    request.headers = vec![("x-amz-meta-name".into(), "größe".into())];
    let Err(HttpError::Invalid(why)) = send(&mut run, request.clone()).await else {
        panic!("it was sent")
    };
    assert!(
        why.contains("x-amz-meta-name") && why.contains("ASCII"),
        "{why}"
    );
    assert!(server.requests().is_empty());
    request.url = server.url("/unsigned");
    send(&mut run, request).await.unwrap();
}
