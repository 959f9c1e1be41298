//! Against AWS's published signing test suite (Apache-2.0, from awslabs/aws-c-auth), of which
//! `sigv4_vectors.json` has the cases for signatures in headers. Paths are those before their first
//! percent-encoding, as the canonical requests of the suite want them.

use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    name: String,
    normalize: bool,
    sign_body: bool,
    omit: bool,
    token: Option<String>,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
    authorization: String,
    /// The path of the canonical request.
    path: String,
}

fn now() -> Moment {
    Moment::of(SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160))
}

fn authorized(vector: &Vector) -> String {
    let mut headers = HeaderMap::new();
    let mut host = "";
    for (name, value) in &vector.headers {
        if name.eq_ignore_ascii_case("host") {
            host = value;
        } else {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
    }
    let payload = payload(vector.body.as_bytes());
    let mut set = |name, value: &str| headers.insert(name, HeaderValue::from_str(value).unwrap());
    set("x-amz-date", now().as_str());
    if vector.sign_body {
        set("x-amz-content-sha256", &payload);
    }
    if let Some(token) = vector.token.as_deref().filter(|_| !vector.omit) {
        set("x-amz-security-token", token);
    }
    let (path, query) = (vector.target)
        .split_once('?')
        .unwrap_or((&vector.target, ""));
    let signable = Signable {
        method: &vector.method,
        host,
        path,
        query,
        headers: &headers,
        payload: &payload,
    };
    let scope = Scope {
        region: "us-east-1",
        service: "service",
        key_id: "AKIDEXAMPLE",
        secret_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        path: if vector.normalize {
            PathStyle::Normalised
        } else {
            PathStyle::AsSent
        },
    };
    let (canonical, _) = canonical(&signable, scope.path);
    assert_eq!(
        canonical.lines().nth(1),
        Some(vector.path.as_str()),
        "{}",
        vector.name
    );
    authorization(&signable, &scope, &now())
}

#[test]
fn every_published_vector_is_signed_as_aws_signs_it() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("sigv4_vectors.json")).unwrap();
    assert!(vectors.len() > 25, "{}", vectors.len());
    for vector in vectors {
        assert_eq!(authorized(&vector), vector.authorization, "{}", vector.name);
    }
}

#[test]
fn moments_are_those_of_the_calendar() {
    for (seconds, text) in [
        (0, "19700101T000000Z"),
        (951_782_400, "20000229T000000Z"),
        (1_440_938_160, "20150830T123600Z"),
        (1_709_251_199, "20240229T235959Z"),
        (1_709_251_200, "20240301T000000Z"),
        (4_107_542_400, "21000301T000000Z"),
    ] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(Moment::of(time).as_str(), text);
    }
}

#[test]
fn a_path_is_encoded_once_more_for_every_service_but_s3() {
    let signable = Signable {
        method: "POST",
        host: "h",
        path: "/test/@connections/JBDvjfGEIAMCERw%3D",
        query: "",
        headers: &HeaderMap::new(),
        payload: UNSIGNED,
    };
    let path = |style| {
        let (text, _) = canonical(&signable, style);
        text.lines().nth(1).unwrap().to_owned()
    };
    assert_eq!(
        path(PathStyle::Normalised),
        "/test/%40connections/JBDvjfGEIAMCERw%253D"
    );
    assert_eq!(path(PathStyle::AsSent), signable.path);
}
