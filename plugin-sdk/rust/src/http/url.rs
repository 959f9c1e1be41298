//! As much of RFC 3986 as redirects and queries need: splitting, resolving a reference, comparing
//! origins. Whether a URL may be used is not decided here: the host parses and checks every one.

use std::fmt::Write;

/// The parts of a URL or of a reference to one, as RFC 3986 (appendix B) splits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

fn split(url: &str) -> Parts<'_> {
    let (rest, fragment) = cut(url, '#');
    let (rest, query) = cut(rest, '?');
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"+-.".contains(&c))
    };
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, rest),
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            (Some(&rest[..end]), &rest[end..])
        }
        None => (None, rest),
    };
    Parts {
        scheme,
        authority,
        path,
        query,
        fragment,
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// The URL that a `location` means, seen from the URL that answered with it. Nothing if it holds
/// characters that no URL holds: parsers disagree about those, and here that would be dangerous.
pub(super) fn resolve(base: &str, location: &str) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if location.contains(odd) {
        return None;
    }
    let (base, target) = (split(base), split(location));
    let scheme = target.scheme.or(base.scheme)?;
    let (authority, path, query) = if target.scheme.is_some() || target.authority.is_some() {
        (target.authority?, remove_dots(target.path), target.query)
    } else {
        let authority = base.authority?;
        match target.path {
            "" => (authority, base.path.to_owned(), target.query.or(base.query)),
            path if path.starts_with('/') => (authority, remove_dots(path), target.query),
            path => {
                let folder = base.path.rfind('/').map_or("/", |i| &base.path[..=i]);
                (
                    authority,
                    remove_dots(&format!("{folder}{path}")),
                    target.query,
                )
            }
        }
    };
    // RFC 9110, 10.2.2: a location without a fragment keeps that of the request.
    let fragment = target.fragment.or(base.fragment);
    let mut url = format!("{scheme}://{authority}{path}");
    for (mark, part) in [('?', query), ('#', fragment)] {
        if let Some(part) = part {
            url.push(mark);
            url.push_str(part);
        }
    }
    Some(url)
}

/// RFC 3986, 5.2.4.
fn remove_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    let absolute = path.starts_with('/');
    if absolute {
        segments.next();
    }
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    let joined = kept.join("/");
    if absolute {
        format!("/{joined}")
    } else {
        joined
    }
}

/// Whether two absolute URLs are of one scheme, host and port. In doubt they are not.
pub(super) fn same_origin(a: &str, b: &str) -> bool {
    match (origin(a), origin(b)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn origin(url: &str) -> Option<(String, String, u16)> {
    let parts = split(url);
    let scheme = parts.scheme?.to_ascii_lowercase();
    let authority = parts.authority?.to_ascii_lowercase();
    let default = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    if authority.contains('@') {
        return None;
    }
    // The colons inside the brackets of an IPv6 address are not those of a port.
    let bracket = authority.find(']').map_or(0, |i| i + 1);
    let (host, port) = match authority[bracket..].rfind(':') {
        Some(i) => {
            let (host, port) = authority.split_at(bracket + i);
            match &port[1..] {
                "" => (host, default),
                digits => (host, digits.parse().ok()?),
            }
        }
        None => (authority.as_str(), default),
    };
    Some((scheme, host.to_owned(), port))
}

/// The URL without query and fragment, for messages: queries hold what should not be read.
pub(super) fn without_query(url: &str) -> &str {
    url.find(['?', '#']).map_or(url, |end| &url[..end])
}

/// The URL with one more pair in its query.
pub(super) fn with_query(url: &str, name: &str, value: &str) -> String {
    let (rest, fragment) = cut(url, '#');
    let mut url = rest.to_owned();
    url.push(match rest.split_once('?') {
        None => '?',
        Some(_) => '&',
    });
    if url.ends_with("?&") {
        url.pop();
    }
    percent_encode(name, &mut url);
    url.push('=');
    percent_encode(value, &mut url);
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(fragment);
    }
    url
}

fn percent_encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
