//! `wasi:http` goes the same way out.

use ::http::{Method, Request};
use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use std::time::Duration;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpView};
use wharf_stores::Stores;

use super::support::*;
use crate::{AuditEvent, ServicesConfig, State};

fn body(bytes: &'static str) -> WasiBody {
    Full::new(Bytes::from(bytes))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn nothing() -> WasiBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

fn request(method: Method, url: String, body: WasiBody) -> Request<WasiBody> {
    Request::builder()
        .method(method)
        .uri(url)
        .body(body)
        .unwrap()
}

async fn send(
    state: &mut State,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<(u16, String, ::http::HeaderMap), Error> {
    let sent = state
        .http()
        .hooks
        .send_request(request, options, Box::new(async { Ok(()) }));
    let (response, _) = Box::into_pin(sent).await?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((
        parts.status.as_u16(),
        String::from_utf8_lossy(&body).into_owned(),
        parts.headers,
    ))
}

#[tokio::test]
async fn a_request_with_a_streamed_body_is_sent_and_its_answer_is_scrubbed() {
    let server = Server::echo().await;
    let mut run = bound_to(&secret_grant(&server.url(""), "'bearer'", "inject")).await;
    let pieces = ["one", "two"].map(|piece| Ok(http_body::Frame::data(Bytes::from(piece))));
    let stream = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let request = request(Method::POST, server.url("/v1/x?q=1"), stream);
    let (status, text, headers) = send(&mut run.state, request, None).await.unwrap();
    assert_eq!(status, 200);
    assert!(server.requests()[0].contains(&format!("authorization: Bearer {TOKEN}")));
    assert!(server.requests()[0].contains("one") && server.requests()[0].contains("two"));
    assert!(
        text.contains("[secret api]") && !text.contains("canary"),
        "{text}"
    );
    assert!(!format!("{headers:?}").contains("canary"));
    assert!(
        !headers.contains_key("content-length"),
        "its length has changed"
    );
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_with_any_method_and_none_where_there_is_none() {
    let server = Server::echo().await;
    let mut run = bound_to(&open_grant("")).await;
    for method in [Method::GET, Method::DELETE, Method::POST] {
        for pieces in [vec!["", "one", "two"], Vec::new(), vec!["", ""]] {
            let parts = pieces
                .iter()
                .map(|piece| Ok(Frame::data(Bytes::from(*piece))));
            let mut parts: Vec<_> = parts.collect();
            parts.push(Ok(Frame::trailers(::http::HeaderMap::new())));
            let stream = StreamBody::new(futures_util::stream::iter(parts)).boxed_unsync();
            let asked = request(method.clone(), server.url("/"), stream);
            send(&mut run.state, asked, None).await.unwrap();
            let got = server.requests().pop().unwrap();
            let arrived = ["one", "two"].map(|piece| got.contains(piece));
            let has_body = pieces.contains(&"one");
            assert_eq!(arrived, [has_body; 2], "{got}");
            let chunked = got.contains("transfer-encoding: chunked\r\n");
            let expected = has_body || method == Method::POST;
            assert_eq!(chunked, expected, "{got}");
        }
    }
}

#[tokio::test]
async fn a_denied_request_has_a_code_and_the_reason_is_in_the_log() {
    let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
    let url = "http://169.254.169.254/latest".to_owned();
    let error = send(&mut run.state, request(Method::GET, url, nothing()), None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::DestinationIpProhibited), "{error}");
    assert!(
        run.events.messages()[0].contains("cloud metadata"),
        "{:?}",
        run.events.messages()
    );

    let policy = "[[grant]]\nplugins=['http']\nhttp=[{origin='https://a.test'}]";
    let mut run = bound(&rights(policy), &Stores::none()).await;
    let url = "https://b.test/".to_owned();
    let error = send(&mut run.state, request(Method::GET, url, nothing()), None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
}

#[tokio::test]
async fn an_unbound_instance_sends_nothing() {
    let server = Server::echo().await;
    let mut state = State::unbound(&wharf_policy::Limits::default());
    let request = request(Method::GET, server.url("/"), nothing());
    let error = send(&mut state, request, None).await.unwrap_err();
    assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_streamed_body_is_counted_against_the_limit() {
    let server = Server::echo().await;
    let policy = open_grant("limits={request-bytes='100B'}");
    let mut run = bound(&rights(&policy), &Stores::none()).await;
    let pieces = (0..50).map(|_| Ok(http_body::Frame::data(Bytes::from_static(b"0123456789"))));
    let stream = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let request = request(Method::POST, server.url("/"), stream);
    let error = send(&mut run.state, request, None).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLimitReached), "{error}");
    assert!(run.events.messages()[0].contains("`limits = { request-bytes = "));
}

#[tokio::test]
async fn a_body_that_was_too_long_hides_no_refusal_of_a_later_request() {
    let server = Server::echo().await;
    // Its address is not granted, and only the lookup tells that.
    let inner = Names([("inner.test", vec![[10, 0, 0, 5].into()])].into());
    let rights = rights(&open_grant("limits={request-bytes='1KiB'}"));
    let config = ServicesConfig::default();
    let mut run = bind_with(&rights, &Stores::none(), inner, &config, None).await;
    let pieces = [Ok(http_body::Frame::data(Bytes::from(vec![0; 2048])))];
    let stream = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
    let long = request(Method::POST, server.url("/"), stream);
    let error = send(&mut run.state, long, None).await.unwrap_err();
    assert!(matches!(error, Error::ConnectionLimitReached), "{error}");

    let elsewhere = request(Method::GET, "http://inner.test/".to_owned(), nothing());
    let error = send(&mut run.state, elsewhere, None).await.unwrap_err();
    assert!(!matches!(error, Error::ConnectionLimitReached), "{error}");
    let last = run.events.audit.lock().unwrap().last().cloned();
    assert!(
        matches!(&last, Some(AuditEvent::RequestDenied { why, address: Some(address), .. })
            if why.contains("10.0.0.5") && address.to_string() == "10.0.0.5"),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_streamed_body_comes_to_its_declared_length_or_is_not_sent_as_whole() {
    let lengths = [("6", true), ("5", false), ("7", false)];
    // One that is signed is held until it is whole.
    let cases = lengths.map(|case| [(case, false), (case, true)]);
    for ((declared, whole), is_signed) in cases.into_iter().flatten() {
        let server = Server::echo().await;
        let aws = "{ aws-sigv4 = { region = 'r', service = 's3', access-key-id = 'AKID' } }";
        let mut run = match is_signed {
            true => bound_to(&secret_grant(&server.url(""), aws, "inject")).await,
            false => bound_to(&open_grant("")).await,
        };
        let pieces = ["one", "two"].map(|piece| Ok(http_body::Frame::data(Bytes::from(piece))));
        let stream = StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync();
        let mut request = request(Method::POST, server.url("/v1"), stream);
        let declared = ::http::HeaderValue::from_static(declared);
        request.headers_mut().insert("content-length", declared);
        let sent = send(&mut run.state, request, None).await;
        assert_eq!(sent.is_ok(), whole, "{sent:?}");
        if whole {
            let got = &server.requests()[0];
            assert!(got.contains("content-length: 6\r\n"), "{got}");
            assert!(got.ends_with("onetwo"), "{got}");
        } else {
            assert!(server.requests().is_empty(), "{:?}", server.requests());
        }
    }
}

#[tokio::test]
async fn lengths_that_servers_disagree_about_are_refused() {
    let server = Server::echo().await;
    for lengths in [
        &["3", "4"][..],
        &["3", "3"],
        &["+3"],
        &["3, 3"],
        &[" 3"],
        &[""],
    ] {
        let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
        let mut request = request(Method::POST, server.url("/"), body("abc"));
        for length in lengths {
            let length = ::http::HeaderValue::from_static(length);
            request.headers_mut().append("content-length", length);
        }
        let error = send(&mut run.state, request, None).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestUriInvalid), "{error}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn trailers_of_a_request_are_not_passed_on() {
    let server = Server::echo().await;
    let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
    let mut trailers = ::http::HeaderMap::new();
    trailers.insert("x-smuggled", ::http::HeaderValue::from_static("1"));
    let frames = [
        Ok(http_body::Frame::data(Bytes::from_static(b"abc"))),
        Ok(http_body::Frame::trailers(trailers)),
    ];
    let stream = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
    let mut request = request(Method::POST, server.url("/"), stream);
    let named = ::http::HeaderValue::from_static("x-smuggled");
    request.headers_mut().insert("trailer", named);
    send(&mut run.state, request, None).await.unwrap();
    assert!(!server.requests()[0].contains("smuggled"));
}

#[tokio::test]
async fn the_guests_own_timeouts_are_kept() {
    let server = Server::start(|_| vec![]).await;
    let mut run = bound(&rights(&open_grant("")), &Stores::none()).await;
    let options = RequestOptions {
        first_byte_timeout: Some(Duration::from_millis(50)),
        ..RequestOptions::default()
    };
    let request = request(Method::GET, server.url("/"), body("x"));
    let error = send(&mut run.state, request, Some(options))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");

    let server =
        Server::start(|_| vec![b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc".to_vec()]).await;
    let options = RequestOptions {
        between_bytes_timeout: Some(Duration::from_millis(50)),
        ..RequestOptions::default()
    };
    let request = self::request(Method::GET, server.url("/"), nothing());
    let error = send(&mut run.state, request, Some(options))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::ConnectionReadTimeout), "{error}");
}
