//! The examples of RFC 3986, section 5.4, as far as they are `http`, and what tries to mislead.

use super::*;

const BASE: &str = "http://a/b/c/d;p?q";

#[test]
fn the_examples_of_rfc_3986_resolve_as_it_says() {
    let examples = [
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("#s", "http://a/b/c/d;p?q#s"),
        ("g#s", "http://a/b/c/g#s"),
        ("g?y#s", "http://a/b/c/g?y#s"),
        (";x", "http://a/b/c/;x"),
        ("g;x", "http://a/b/c/g;x"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("/../g", "http://a/g"),
        ("g.", "http://a/b/c/g."),
        ("..g", "http://a/b/c/..g"),
        ("./../g", "http://a/b/g"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"),
        ("g?y/../x", "http://a/b/c/g?y/../x"),
        ("https://x/../y", "https://x/y"),
    ];
    for (reference, expected) in examples {
        assert_eq!(
            resolve(BASE, reference).as_deref(),
            Some(expected),
            "{reference}"
        );
    }
}

#[test]
fn a_location_on_which_parsers_disagree_is_refused() {
    for location in [
        "https://a\\@b/",
        "/\\evil",
        "https://a\t.b/",
        "https://a b/",
        "mailto:x",
    ] {
        assert_eq!(resolve(BASE, location), None, "{location}");
    }
}

#[test]
fn origins_are_compared_by_scheme_host_and_port() {
    assert!(same_origin(
        "https://API.example.com/a",
        "https://api.example.com:443/b?c"
    ));
    assert!(same_origin("http://[::1]:80/", "http://[::1]/x"));
    for other in [
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil/",
        "https://api.example.com@evil/",
        "https://api.example.com:x/",
        "//api.example.com/",
    ] {
        assert!(!same_origin("https://api.example.com/", other), "{other}");
    }
}

#[test]
fn query_pairs_are_encoded_and_come_before_the_fragment() {
    let url = with_query("https://a/b", "q", "a&b=c d/ü");
    assert_eq!(url, "https://a/b?q=a%26b%3Dc%20d%2F%C3%BC");
    assert_eq!(
        with_query("https://a/?x=1#f", "y", "2"),
        "https://a/?x=1&y=2#f"
    );
    assert_eq!(with_query("https://a/?", "y", "2"), "https://a/?y=2");
}
