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
            PathStyle::OfObject
        },
    };
    let (canonical, _) = canonical(&signable, scope.path).unwrap();
    assert_eq!(
        canonical.lines().nth(1),
        Some(vector.path.as_str()),
        "{}",
        vector.name
    );
    authorization(&signable, &scope, &now()).unwrap()
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

/// The path of the canonical request.
fn canonical_path(style: PathStyle, path: &str) -> String {
    let signable = Signable {
        method: "POST",
        host: "h",
        path,
        query: "",
        headers: &HeaderMap::new(),
        payload: UNSIGNED,
    };
    let (text, _) = canonical(&signable, style).unwrap();
    text.lines().nth(1).unwrap().to_owned()
}

#[test]
fn a_path_is_encoded_once_more_for_every_service_but_s3() {
    let path = "/test/@connections/JBDvjfGEIAMCERw%3D";
    assert_eq!(
        canonical_path(PathStyle::Normalised, path),
        "/test/%40connections/JBDvjfGEIAMCERw%253D"
    );
    assert_eq!(
        canonical_path(PathStyle::OfObject, path),
        "/test/%40connections/JBDvjfGEIAMCERw%3D"
    );
    for service in ["s3", "s3express", "s3-outposts"] {
        assert_eq!(PathStyle::of(service), PathStyle::OfObject, "{service}");
    }
    for service in ["s3tables", "execute-api", "S3"] {
        assert_eq!(PathStyle::of(service), PathStyle::Normalised, "{service}");
    }
}

#[test]
fn the_name_of_an_object_is_signed_alike_however_it_is_written() {
    for (sent, signed) in [
        ("/b/dt=2024/x", "/b/dt%3D2024/x"),
        ("/b/dt%3D2024/x", "/b/dt%3D2024/x"),
        ("/b/dt%3d2024/x", "/b/dt%3D2024/x"),
        ("/b/()+@,!':&$;*", "/b/%28%29%2B%40%2C%21%27%3A%26%24%3B%2A"),
        ("/b/%7E~-_.%2D", "/b/~~-_.-"),
        ("/b/a%20b+c", "/b/a%20b%2Bc"),
        ("/b/%C3%A4", "/b/%C3%A4"),
        ("/b/100%25", "/b/100%25"),
        ("/b//x/./y/", "/b//x/./y/"),
        ("/", "/"),
    ] {
        assert_eq!(canonical_path(PathStyle::OfObject, sent), signed, "{sent}");
    }
}

/// The examples of "Signature Calculations for the Authorization Header" in the documentation of
/// Amazon S3: method, path, query, headers, body and signature.
type Example = (
    &'static str,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
);
const EXAMPLES: [Example; 4] = [
    (
        "GET",
        "/test.txt",
        "",
        &[("range", "bytes=0-9")],
        "",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    (
        "PUT",
        // Not encoded, as it may be sent.
        "/test$file.text",
        "",
        &[
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ],
        "Welcome to Amazon S3.",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    (
        "GET",
        "/",
        "lifecycle",
        &[],
        "",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    (
        "GET",
        "/",
        "max-keys=2&prefix=J",
        &[],
        "",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
];

#[test]
fn the_examples_for_s3_are_signed_as_its_documentation_signs_them() {
    // 24 May 2013.
    let now = Moment::of(SystemTime::UNIX_EPOCH + Duration::from_secs(1_369_353_600));
    for (method, path, query, given, body, signature) in EXAMPLES {
        let payload = payload(body.as_bytes());
        let mut headers = HeaderMap::new();
        let own = [
            ("x-amz-date", now.as_str()),
            ("x-amz-content-sha256", &payload),
        ];
        for (name, value) in given.iter().chain(&own) {
            let value = HeaderValue::from_str(value).unwrap();
            headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        let signable = Signable {
            method,
            host: "examplebucket.s3.amazonaws.com",
            path,
            query,
            headers: &headers,
            payload: &payload,
        };
        let scope = Scope {
            region: "us-east-1",
            service: "s3",
            key_id: "AKIAIOSFODNN7EXAMPLE",
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            path: PathStyle::of("s3"),
        };
        let text = authorization(&signable, &scope, &now).unwrap();
        assert!(
            text.ends_with(&format!("Signature={signature}")),
            "{path}: {text}"
        );
    }
}

#[test]
fn a_header_that_services_read_in_different_ways_is_not_signed_over() {
    let mut headers = HeaderMap::new();
    let odd = HeaderValue::from_bytes("größe".as_bytes()).unwrap();
    headers.insert("user-agent", odd.clone());
    let sign = |headers: &HeaderMap| {
        let signable = Signable {
            method: "GET",
            host: "h",
            path: "/",
            query: "",
            headers,
            payload: UNSIGNED,
        };
        canonical(&signable, PathStyle::OfObject).map(|(_, signed)| signed)
    };
    // What is not signed may be as it likes.
    assert_eq!(sign(&headers), Ok("host".to_owned()));
    headers.insert("x-amz-meta-name", odd);
    let name = HeaderName::from_static("x-amz-meta-name");
    assert_eq!(sign(&headers), Err(Unsignable::NotAscii(name)));
}
