//! Headers: what is the host's and not the guest's, and secrets in what a server answers.

use std::collections::HashSet;

use ::http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::{EgressError, elsewhere};
use crate::run::Run;

/// The most bytes of headers that a guest may send with one request.
const MOST: u64 = 64 * 1024;

/// Whether a header is about one connection only (RFC 9110, 7.6.1), or is the host's to set.
pub(super) fn is_hosts(name: &HeaderName) -> bool {
    [
        &CONNECTION,
        &HOST,
        &EXPECT,
        &TE,
        &TRAILER,
        &TRANSFER_ENCODING,
        &UPGRADE,
    ]
    .contains(&name)
        // CGI makes a variable of `proxy` by which many programs send their own requests elsewhere.
        || matches!(name.as_str(), "keep-alive" | "http2-settings" | "alt-used" | "proxy")
        || name.as_str().starts_with("proxy-")
}

/// Whether a guest may not set it.
fn is_withheld(name: &HeaderName) -> bool {
    let plain = elsewhere::plain(name);
    let hosts = HeaderName::try_from(plain.as_str())
        .is_ok_and(|name| is_hosts(&name) || name == CONTENT_LENGTH);
    hosts || elsewhere::is_override(&plain)
}

/// Whether there are no more bytes of headers than servers take.
pub(super) fn check_size(headers: &HeaderMap) -> Result<(), EgressError> {
    if size(headers) <= MOST {
        return Ok(());
    }
    Err(EgressError::Invalid(format!(
        "the headers are longer than {MOST} bytes: send less, or send it in the body"
    )))
}

/// Takes out what a guest may not set, and gives the length of the body that it declared, if it
/// did. The header itself is the client's to set.
///
/// # Errors
/// There is no telling how long the body is to be.
pub(super) fn prepare(headers: &mut HeaderMap) -> Result<Option<u64>, EgressError> {
    let length = declared_length(headers)?;
    strip(headers, is_withheld);
    Ok(length)
}

fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, EgressError> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    let digits = |value: &HeaderValue| {
        let text = value.to_str().ok()?;
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    match (digits(first), values.next()) {
        (Some(length), None) => Ok(Some(length)),
        _ => Err(EgressError::Invalid(
            "the header `content-length` must be one number: servers disagree about others"
                .to_owned(),
        )),
    }
}

/// Removes a header, and those that a gateway in the manner of CGI takes for the same, because it
/// does not tell `-` from `_`.
pub(super) fn remove_alike(headers: &mut HeaderMap, name: &str) {
    strip(headers, |other| {
        wharf_policy::are_alike(name, other.as_str())
    });
}

/// Takes out what is only about the connection between us and the server.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip(headers, |name| is_hosts(name) || *name == "alt-svc");
}

fn strip(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    // A connection header names more of its kind.
    let named: HashSet<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| unwanted(name) || named.contains(*name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
}

/// The bytes of all names and values.
pub(super) fn size(headers: &HeaderMap) -> u64 {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().len() + value.len()) as u64)
        .sum()
}

/// Removes secrets from values, and whole headers whose names hold one: in small letters, for so
/// names of headers are given here.
pub(super) fn scrub(headers: &mut HeaderMap, run: &Run) {
    let (scrubber, names) = (run.scrubber(), run.name_scrubber());
    if scrubber.is_empty() {
        return;
    }
    let tainted: Vec<HeaderName> = headers
        .keys()
        .filter(|name| matches!(names.scrub(name.as_str()), std::borrow::Cow::Owned(_)))
        .cloned()
        .collect();
    for name in tainted {
        headers.remove(name);
    }
    for value in headers.values_mut() {
        if let std::borrow::Cow::Owned(clean) = scrubber.scrub_bytes(value.as_bytes()) {
            *value = HeaderValue::from_bytes(&clean)
                .unwrap_or_else(|_| HeaderValue::from_static("[secret]"));
        }
    }
}

/// Whether a body is not as it is, but compressed, for the content or for the way.
pub(super) fn is_encoded(headers: &HeaderMap) -> bool {
    let other = |name: HeaderName, plain: &[u8]| {
        headers.get_all(name).iter().any(|value| {
            let value = value.as_bytes().trim_ascii();
            !value.is_empty() && !value.eq_ignore_ascii_case(plain)
        })
    };
    other(CONTENT_ENCODING, b"identity") || other(TRANSFER_ENCODING, b"chunked")
}
