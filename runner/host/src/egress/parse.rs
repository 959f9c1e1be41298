//! What a guest wrote, read strictly: a URL or a method that two readers could take for two
//! things is refused rather than mended.

use ::http::Method;
use url::Url;

use super::EgressError;

/// The longest URL, in bytes. Servers take 8 KiB or so.
pub(crate) const URL: usize = 16 * 1024;

/// Reads an absolute `http` or `https` URL.
///
/// The URL standard drops line ends and tabs wherever they are, takes `\` for `/`, and does
/// without the slashes after the scheme; what checks and what connects would then have to agree
/// on it with whoever wrote the URL down.
pub(crate) fn url(text: &str) -> Result<Url, EgressError> {
    let bad = |why: &str| {
        EgressError::Invalid(format!(
            "the URL cannot be used: {why}; write an absolute http or https URL"
        ))
    };
    if text.len() > URL {
        return Err(bad(&format!("it is longer than {URL} bytes")));
    }
    if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(bad(
            "it holds a space, a control character or a backslash, which must be %-encoded",
        ));
    }
    let slashes = text.split_once("://").is_some_and(|(scheme, rest)| {
        matches!(scheme.to_ascii_lowercase().as_str(), "http" | "https") && !rest.starts_with('/')
    });
    if !slashes {
        return Err(bad("it must begin with http:// or https:// and a host"));
    }
    Url::parse(text).map_err(|error| bad(&error.to_string()))
}

/// Whether a method may be sent: a token in capitals, and none that is for proxies, for probes, or
/// for the protocol itself.
pub(super) fn method(method: &Method) -> Result<(), EgressError> {
    match wharf_policy::Method::try_from(method.as_str().to_owned()) {
        Ok(_) => Ok(()),
        Err(_) => Err(EgressError::Invalid(
            "the method must be letters in capitals, such as GET, for servers disagree about others; and none that is for proxies and probes, such as CONNECT"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_two_readers_could_take_for_two_things_is_refused() {
        for text in [
            "http:/a.test/",
            "http:a.test",
            "http:///a.test/",
            "http:\\\\a.test\\",
            "http://a.test\\@b.test/",
            "http://a.test/\r\nhost: b.test",
            "http://a\n.test/",
            "\thttp://a.test/",
            " http://a.test/",
            "http://a.test /",
            "http://a.test/\u{a0}",
            "http://a.test/\0",
            "//a.test/",
            "ftp://a.test/",
            "http://",
            "http://a.test:0x50/",
            "http://a.test:65536/",
            "http://[::1%25eth0]/",
            "http://[::1",
            "http://a%00b/",
        ] {
            assert!(url(text).is_err(), "{text:?} was taken");
        }
        assert!(url(&format!("http://a.test/{}", "x".repeat(URL))).is_err());
        assert_eq!(
            url("HTTPS://A.test/ä?q=ü").unwrap().host_str(),
            Some("a.test")
        );
    }

    #[test]
    fn a_method_in_small_letters_or_for_proxies_is_refused() {
        for name in [
            "get", "Connect", "CONNECT", "TRACE", "TRACK", "PRI", "GET1", "G*T",
        ] {
            let parsed = Method::from_bytes(name.as_bytes()).unwrap();
            assert!(method(&parsed).is_err(), "{name} was taken");
        }
        for name in ["GET", "PATCH", "VERSION-CONTROL"] {
            assert!(
                method(&Method::from_bytes(name.as_bytes()).unwrap()).is_ok(),
                "{name}"
            );
        }
    }
}
