//! Headers: what is the host's and not the guest's, and secrets in what a server answers.

use ::http::header::{
    CONNECTION, EXPECT, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use ::http::{HeaderMap, HeaderName, HeaderValue};

use crate::Scrubber;

/// Whether a header is about one connection only (RFC 9110, 7.6.1), or is the host's to set.
pub(super) fn is_hosts(name: &HeaderName) -> bool {
    [
        &CONNECTION,
        &HOST,
        &EXPECT,
        &PROXY_AUTHENTICATE,
        &PROXY_AUTHORIZATION,
        &TE,
        &TRAILER,
        &TRANSFER_ENCODING,
        &UPGRADE,
    ]
    .contains(&name)
        || matches!(
            name.as_str(),
            "keep-alive" | "proxy-connection" | "http2-settings" | "alt-used"
        )
}

/// Takes out what a guest may not set.
pub(super) fn strip_request(headers: &mut HeaderMap) {
    strip(headers, is_hosts);
}

/// Takes out what is only about the connection between us and the server.
pub(super) fn strip_response(headers: &mut HeaderMap) {
    strip(headers, |name| is_hosts(name) || *name == "alt-svc");
}

fn strip(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    // A connection header names more of its kind.
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let names: Vec<HeaderName> = headers
        .keys()
        .filter(|name| unwanted(name) || named.contains(name))
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

/// Removes secrets from values, and whole headers whose names hold one.
pub(super) fn scrub(headers: &mut HeaderMap, scrubber: &Scrubber) {
    if scrubber.is_empty() {
        return;
    }
    let tainted: Vec<HeaderName> = headers
        .keys()
        .filter(|name| matches!(scrubber.scrub(name.as_str()), std::borrow::Cow::Owned(_)))
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

/// Whether a body is not as it is, but compressed.
pub(super) fn is_encoded(encoding: Option<&HeaderValue>) -> bool {
    encoding.is_some_and(|value| {
        let value = value.as_bytes().trim_ascii();
        !value.is_empty() && !value.eq_ignore_ascii_case(b"identity")
    })
}
