//! The path rule, by example and against lists of segments: slow and obvious.

use super::*;
use proptest::prelude::*;

fn prefix(text: &str) -> PathPrefix {
    PathPrefix::try_from(text.to_owned()).unwrap()
}

/// As a request's path is seen: parsed first.
fn covers(rule: &str, path: &str) -> bool {
    let url = Url::parse(&format!("http://h{path}")).unwrap();
    prefix(rule).covers(url.path())
}

#[test]
fn a_path_covers_itself_and_what_is_below_by_whole_segments() {
    for path in ["/v1", "/v1/", "/v1/x", "/v1/x?q#f", "/v1//x", "/v1/a;b=c/d"] {
        assert!(covers("/v1", path), "{path}");
    }
    for path in [
        "/", "/v", "/v1x", "/v1;x", "/V1/x", "//v1/x", "/x/v1", "/v1%20",
    ] {
        assert!(!covers("/v1", path), "{path}");
    }
}

#[test]
fn what_stands_encoded_and_stays_plain_is_covered() {
    for path in [
        "/v1/100%25",
        "/v1/a%20b",
        "/v1/%C3%A4",
        "/v1/ä",
        "/v1/%2B%3A",
        "/v1/...",
        "/v1/what%3F",
        "/v1/issue%231/..a%3fb",
        "/v1/a%zz",
        "/v1/50%25users",
        "/v1/½",
        "/v1/ｆｕｌｌ",
    ] {
        assert!(covers("/v1", path), "{path}");
    }
}

#[test]
fn no_way_to_write_a_step_up_stays_below() {
    for path in [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/.%2E/admin",
        "/v1/%2e%2e%2fadmin",
        "/v1/..%2fadmin",
        "/v1/..%5Cadmin",
        "/v1\\..\\admin",
        "/v1/..;/admin",
        "/v1/..;a=b/admin",
        "/v1/%2e%2e;/admin",
        "/v1/%252e%252e/admin",
        "/v1/%25252e%25252e/admin",
        "/v1/..%252fadmin",
        "/v1/..%255cadmin",
        "/v1/%c0%ae%c0%ae/admin",
        "/v1/..%c0%afadmin",
        "/v1/..%00/admin",
        "/v1/..%0d%0a/admin",
        "/v1/..%09/admin",
        "/v1/.;/x",
        "/v1/..%3fx=1/y",
        "/v1/..%3F",
        "/v1/..%23/y",
        "/v1/a/%2e%2e%3b%3f/y",
        "/v1/..%253fx/y",
        "/v1/..%20%2523/y",
        "/v1/%2525252525252e",
        "/v1/..%20/admin",
        "/v1/%u002e%u002e/admin",
        "/v1/．．／admin",
        "/v1/․․/admin",
    ] {
        assert!(!covers("/v1", path), "{path}");
    }
}

#[test]
fn a_letter_is_odd_where_a_server_that_takes_it_for_a_mark_would_see_other_segments() {
    for letter in "⁄∕∖／﹨＼℀℅".chars() {
        for path in [format!("/v1/a{letter}b"), format!("/v1/{letter}")] {
            assert!(!covers("/v1", &path), "{path} {}", letter.escape_unicode());
        }
    }
    for letter in "․．﹒".chars() {
        for path in [
            format!("/v1/{letter}"),
            format!("/v1/.{letter}/x"),
            format!("/v1/{letter}{letter}"),
        ] {
            assert!(!covers("/v1", &path), "{path} {}", letter.escape_unicode());
        }
    }
    for letter in "；︔﹔？︖﹖⁇＃﹟".chars() {
        for path in [format!("/v1/..{letter}"), format!("/v1/‥{letter}x/y")] {
            assert!(!covers("/v1", &path), "{path} {}", letter.escape_unicode());
        }
    }
    for path in [
        "/v1/‥/x",
        "/v1/︰/x",
        "/v1/％2e％2e/x",
        "/v1/﹪2fx",
        "/v1/％u002e",
    ] {
        assert!(!covers("/v1", path), "{path}");
    }
    // As names of files have them.
    for path in [
        "なに？",
        "50％オフ",
        "Loading….txt",
        "甲；乙",
        "＃1",
        "⒈",
        "a．b",
        "..．",
        "㏂",
        "⁈",
    ] {
        assert!(covers("/v1", &format!("/v1/{path}")), "{path}");
    }
    // Digits of an escape, and spaces around dots, in another form.
    for path in ["/v1/%25２e%25２e", "/v1/..\u{2003}/x"] {
        assert!(!covers("/v1", path), "{path}");
    }
    assert!(!covers("/v1", "/v1/%25u002e") && !covers("/v1", "/v1/%25U2215x"));
}

#[test]
fn a_grant_of_everything_covers_everything() {
    for path in ["/", "/..%2fadmin", "/%252e"] {
        assert!(covers("/", path), "{path}");
    }
}

#[test]
fn a_prefix_is_written_as_it_is_compared() {
    for bad in [
        "v1",
        "/v1/..",
        "/v1//x",
        "/v1/",
        "/v1?q",
        "/v1#f",
        "/ä",
        "/v1/%2f",
        "/v1/..;",
        "/v1/%252e",
        "/a b",
    ] {
        assert!(
            PathPrefix::try_from(bad.to_owned()).is_err(),
            "{bad} was taken"
        );
    }
}

/// A server that decodes so many times, cuts off query and fragment, decodes as often as it can,
/// cuts parameters off, takes `\` for `/` and merges slashes: the segments that it would serve. It
/// may write every form of a letter as one.
fn eager_server(path: &str, before_the_query: usize, one_form: bool) -> Vec<String> {
    let nfkc = icu_normalizer::ComposingNormalizerBorrowed::new_nfkc();
    let mut bytes = path.as_bytes().to_vec();
    for round in 0..32 {
        if round == before_the_query {
            let end = bytes.iter().position(|byte| b"?#".contains(byte));
            bytes.truncate(end.unwrap_or(bytes.len()));
        }
        bytes = decode(&bytes);
        if one_form && let Ok(text) = std::str::from_utf8(&bytes) {
            bytes = nfkc.normalize(text).into_owned().into_bytes();
        }
    }
    let text = String::from_utf8_lossy(&bytes).replace('\\', "/");
    let mut segments = Vec::new();
    for segment in text.split('/').filter(|segment| !segment.is_empty()) {
        match segment.split([';', '?', '#']).next().unwrap_or_default() {
            "." => {}
            ".." => {
                segments.pop();
            }
            name => segments.push(name.to_owned()),
        }
    }
    segments
}

/// Pieces that paths are broken with.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "/", "/", "/", "a", "v1", ".", "..", "%2e", "%2E", "%2f", "%5c", "%5C", "\\", ";", ";x=1",
        "%25", "%252e", "%252f", "2e", "2f", "%", "%3b", "%c0%ae", "%00", "%20", "ä", "?", "#",
        "%3f", "%23", "%253F", "3f", "23", "．", "‥", "…", "／", "；", "？", "＃", "％", "２", "℀",
        "⒈", "\u{307}",
    ])
}

proptest! {
    #[test]
    fn the_path_rule_agrees_with_comparing_segment_lists(
        first in prop::collection::vec("[a-c]{1,2}", 0..3),
        path in prop::collection::vec("[a-c]{1,2}", 0..4),
    ) {
        let rule = prefix(&format!("/{}", first.join("/")));
        let covered = path.len() >= first.len() && path[..first.len()] == first[..];
        prop_assert_eq!(rule.covers(&format!("/{}", path.join("/"))), covered);
    }

    #[test]
    fn whatever_a_server_makes_of_a_covered_path_is_below_the_prefix(
        pieces in prop::collection::vec(piece(), 0..12),
    ) {
        let url = Url::parse(&format!("http://h/v1/{}", pieces.concat())).unwrap();
        if prefix("/v1").covers(url.path()) {
            for before_the_query in 0..5 {
                for one_form in [false, true] {
                    let seen = eager_server(url.path(), before_the_query, one_form);
                    prop_assert_eq!(seen.first().map(String::as_str), Some("v1"), "{} is {:?}", url.path(), seen);
                }
            }
        }
    }
}
