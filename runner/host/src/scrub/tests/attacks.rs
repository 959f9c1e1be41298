//! Texts and cuts that were thought up to get a secret through, or to make the search slow.

use super::{contains, scrubber, streamed, wrapped_at};

/// What everybody knows of a private key before they see it.
const KNOWN: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";

#[test]
fn a_cut_at_any_place_of_an_escaped_secret_changes_nothing() {
    let secret = "hunter2-\u{e9}";
    let scrubber = scrubber(&[("n", secret.as_bytes())]);
    let spelled = |spell: &dyn Fn(char) -> String| secret.chars().map(spell).collect::<String>();
    let code = u32::from;
    for text in [
        spelled(&|c| format!("&#{};", code(c))),
        spelled(&|c| format!("&#x{:x};", code(c))),
        spelled(&|c| format!("&#000{};", code(c))),
        spelled(&|c| format!("\\u{:04x}", code(c))),
        spelled(&|c| format!("\\u{{{:x}}}", code(c))),
        spelled(&|c| format!("\\U{:08X}", code(c))),
        spelled(&|c| c.to_string().bytes().map(|b| format!("%{b:02X}")).collect()),
        // One within another: the ampersand of an entity, the backslash of JSON.
        spelled(&|c| format!("\\u0026#{};", code(c))),
        spelled(&|c| format!("%26%23{}%3B", code(c))),
        spelled(&|c| format!("\\\\u{:04x}", code(c))),
        format!("hunter2&#45;{}", "&eacute;"),
    ] {
        let text = format!("a {text} b");
        assert_eq!(scrubber.scrub(&text), "a [secret n] b", "{text}");
        for first in 0..text.len() {
            for second in [text.len(), first + 1, first + 3] {
                let cuts = [first, second.min(text.len())];
                let given = streamed(&scrubber, text.as_bytes(), &cuts);
                assert_eq!(given, b"a [secret n] b", "{text} at {cuts:?}");
            }
        }
    }
}

#[test]
fn breaks_without_end_behind_what_is_known_of_a_secret_hold_nothing_for_long() {
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{KNOWN}{}\n{}\n-----END PRIVATE KEY-----\n",
        "AbCdEfGhIjKlMnOpQrStUvWxYz012345",
        "zYxWvUtSrQpOnMlKjIhGfEdCbA543210zYxWvUtSrQpOnMlKjIhGfEdCbA543210",
    );
    let scrubber = scrubber(&[("key", pem.as_bytes())]);
    for end in ["\\n", "%0A", "&#10;", "\\r\\n"] {
        let mut stream = scrubber.stream();
        let mut out = Vec::new();
        let mut text = format!("{}{KNOWN}", "A".repeat(40));
        text += &end.repeat(5000);
        for chunk in text.as_bytes().chunks(1000) {
            out.extend_from_slice(&stream.push(chunk.to_vec().into()));
            assert!(stream.holds() < 100, "{end}: {}", stream.holds());
        }
        out.extend_from_slice(&stream.finish());
        assert_eq!(out, text.as_bytes(), "{end}");
    }
}

#[test]
fn a_token_of_several_parts_is_found_in_lines_of_any_width() {
    let token = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ.c2lnbmF0dXJlLW9mLWEtdG9rZW4tdGhhdC1pcy1sb25n";
    let scrubber = scrubber(&[("n", token.as_bytes())]);
    for width in 32..100 {
        for end in ["\n", "\r\n", "\\n"] {
            let text = wrapped_at(token.as_bytes(), width, end);
            assert_eq!(
                &*scrubber.scrub_bytes(&text),
                b"[secret n]",
                "{width} {end:?}"
            );
        }
    }
}

#[test]
fn a_secret_that_begins_with_a_banner_does_not_take_other_banners_away() {
    let value = format!("{}\n# settings\nPASSWORD=correct-horse\n", "#".repeat(64));
    let scrubber = scrubber(&[("n", value.as_bytes())]);
    let text = format!("{} hello\n", "#".repeat(50)).repeat(60);
    let clean = scrubber.scrub(&text);
    assert!(contains(clean.as_bytes(), b"hello\n"), "{clean}");
    assert!(
        !scrubber
            .scrub(&format!("{text}{value}"))
            .contains("correct-horse")
    );
}

#[test]
fn a_large_secret_that_comes_byte_by_byte_is_held_until_it_is_whole() {
    let secret: String = (0..3000_u32)
        .map(|at| char::from(b'A' + u8::try_from(at * at % 23).unwrap()))
        .collect();
    let scrubber = scrubber(&[("n", secret.as_bytes())]);
    let written: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let each: Vec<usize> = (0..written.len() + 20).collect();
    let text = format!("a {written} b");
    assert_eq!(
        streamed(&scrubber, text.as_bytes(), &each),
        b"a [secret n] b"
    );
    // All but its end is nothing secret.
    let most = &written[..written.len() - 3];
    let text = format!("a {most}% b");
    assert_eq!(streamed(&scrubber, text.as_bytes(), &each), text.as_bytes());
}

#[test]
fn a_line_end_behind_a_form_with_which_another_begins_stays() {
    let lines = "line of settings-a\nline of settings-aaaaa";
    let scrubber = scrubber(&[("n", lines.as_bytes())]);
    for text in [
        "line of settings-a\n",
        "bGluZSBvZiBzZXR0aW5ncy1hCmxpbmUgb2Ygc2V0dGluZ3MtYWFhYWE\n",
    ] {
        assert!(scrubber.scrub(text).ends_with('\n'), "{text}");
    }
}

#[test]
fn a_line_end_before_a_form_stays() {
    let scrubber = scrubber(&[("n", b"aaaaaa")]);
    let before = "t7pw9i3YgS83H82S1Yb1t94YOxvxnu00";
    for end in ["\n", "\r\n", "\\n", "&#10;"] {
        let text = format!("{before}{end}hYWFhYW");
        assert_eq!(scrubber.scrub(&text), format!("{before}{end}[secret n]"));
    }
}
