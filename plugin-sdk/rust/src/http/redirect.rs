//! What the next request is after a redirect (RFC 9110, 15.4). Pure: the host checks each hop.

use super::method::Method;
use super::request::Request;
use super::response::Response;
use super::url;

/// What a response asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It is the answer.
    Done,
    /// It is elsewhere. `leaves` if that is another scheme, host or port.
    Follow { request: Request, leaves: bool },
    /// It is elsewhere, at a place that is not a proper URL.
    Unusable(String),
}

/// Headers that say who is asking. They stay with the origin they were meant for.
const CREDENTIALS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-api-key",
];

/// What to do after that response to that request.
pub(super) fn next(request: &Request, response: &Response) -> Next {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return Next::Done;
    }
    let Some(location) = response.headers.get("location") else {
        return Next::Done;
    };
    let Some(target) = url::resolve(&request.url, location) else {
        return Next::Unusable(location.to_owned());
    };

    let mut next = request.clone();
    if becomes_get(response.status, &request.method) {
        next.method = Method::GET;
        next.body = None;
        next.headers
            .retain(|name| !name.to_ascii_lowercase().starts_with("content-"));
    }
    let leaves = !url::same_origin(&request.url, &target);
    if leaves {
        next.headers
            .retain(|name| !CREDENTIALS.iter().any(|c| name.eq_ignore_ascii_case(c)));
    }
    next.url = target;
    Next::Follow {
        request: next,
        leaves,
    }
}

/// 303 means "go and look there"; 301 and 302 change POST to GET because everybody does.
fn becomes_get(status: u16, method: &Method) -> bool {
    match status {
        303 => *method != Method::GET && *method != Method::HEAD,
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{get, post};

    fn follow(request: &Request, status: u16, location: &str) -> (Request, bool) {
        let response = Response::new(status).with_header("Location", location);
        match next(request, &response) {
            Next::Follow { request, leaves } => (request, leaves),
            other => panic!("expected a redirect, got {other:?}"),
        }
    }

    #[test]
    fn see_other_and_found_turn_a_post_into_a_get_without_a_body() {
        let request = post("https://a/x")
            .header("Content-Type", "text/plain")
            .body("hi");
        for status in [301, 302, 303] {
            let (next, _) = follow(&request, status, "/y");
            assert_eq!(next, get("https://a/y"), "{status}");
        }
    }

    #[test]
    fn temporary_and_permanent_redirects_keep_method_and_body() {
        let request = post("https://a/x")
            .header("content-type", "text/plain")
            .body("hi");
        for status in [307, 308] {
            let (next, leaves) = follow(&request, status, "y");
            assert_eq!((next.url.as_str(), leaves), ("https://a/y", false));
            assert_eq!(next.method, Method::POST);
            assert_eq!(next.body, request.body);
            assert_eq!(next.headers, request.headers);
        }
    }

    #[test]
    fn credentials_do_not_follow_to_another_origin() {
        let request = get("https://a/x")
            .header("Authorization", "Bearer t")
            .header("COOKIE", "c")
            .header("accept", "*/*");
        let (same, _) = follow(&request, 302, "https://A:443/y");
        assert_eq!(same.headers, request.headers);
        for elsewhere in ["https://b/", "http://a/y", "https://a:8443/", "//b"] {
            let (next, leaves) = follow(&request, 302, elsewhere);
            assert!(leaves);
            assert_eq!(
                next.headers.iter().collect::<Vec<_>>(),
                [("accept", &b"*/*"[..])]
            );
        }
    }

    #[test]
    fn a_response_that_does_not_redirect_is_the_answer() {
        let request = get("https://a/x");
        for response in [
            Response::new(200),
            Response::new(302),
            Response::new(304).with_header("location", "/"),
        ] {
            assert_eq!(next(&request, &response), Next::Done);
        }
        let odd = Response::new(302).with_header("location", "http://a\\b/");
        assert_eq!(next(&request, &odd), Next::Unusable("http://a\\b/".into()));
    }
}
