//! Values in the forms in which they are written, one by one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::Scrubber;
use super::{contains, scrubber, wrapped_at};

/// A key in PEM, and its lines without the borders.
const PEM: &str = include_str!("../../tests/keys/rsa.pem");

fn body(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}

fn in_lines(text: &str, width: usize) -> String {
    String::from_utf8(wrapped_at(text.as_bytes(), width, "\n")).unwrap()
}

#[test]
fn a_secret_is_replaced_by_its_name_in_each_usual_form() {
    let scrubber = scrubber(&[("api", "p\"ss/wörd\n1<&'".as_bytes())]);
    for text in [
        "p\"ss/wörd\n1<&'",
        r#"p\"ss/wörd\n1<&'"#,
        r#"p\"ss\/w\u00f6rd\n1<&'"#,
        r#"p\"ss/w\u00F6rd\n1<&'"#,
        r#"p\"ss/wörd\n1\u003c\u0026'"#,
        r#"p\"ss/wörd\n1\u003c\u0026\u0027"#,
        r#"p\u0022ss/w\u00F6rd\n1\u003C\u0026\u0027"#,
        "p%22ss%2Fw%C3%B6rd%0A1%3C%26%27",
        "p%22ss%2fw%c3%b6rd%0a1%3c%26%27",
        "p%22ss/w%C3%B6rd%0A1%3C%26%27",
        "p&quot;ss/wörd\n1&lt;&amp;&#39;",
        "p&quot;ss/wörd\n1&lt;&amp;&#x27;",
        "p\"ss/wörd\n1&lt;&amp;'",
        "p&#34;ss/wörd\n1&lt;&amp;&#39;",
        "p&quot;ss&#x2F;wörd\n1&lt;&amp;&#39;",
        "p&quot;ss/w&#246;rd\n1&lt;&amp;&#39;",
        "p&quot;ss/w&#xF6;rd\n1&lt;&amp;&#39;",
        "7022 is not it, 702273732f77c3b672640a313c2627",
        "cCJzcy93w7ZyZAoxPCYn",
        // Everything escaped.
        "%70%22%73%73%2f%77%c3%b6%72%64%0A%31%3C%26%27",
        r"\u0070\u0022\u0073\u0073\u002F\u0077\u00f6\u0072\u0064\u000a\u0031\u003C\u0026\u0027",
        r"\x70\x22\x73\x73\x2F\x77\xc3\xb6\x72\x64\x0a\x31\x3C\x26\x27",
        r"\x70\x22\x73\x73\x2f\x77\xf6\x72\x64\x0a\x31\x3c\x26\x27",
        "&#112;&#34;&#115;&#115;&#47;&#119;&#246;&#114;&#100;&#10;&#49;&#60;&#38;&#39;",
        "&#0112;&#034;&#x73;&#X073;&#x2f;&#x77;&#xF6;&#x72;&#x64;&#xA;&#x31;&#x3c;&amp;&apos;",
        // The JavaScript function `escape`.
        "p%22ss/w%F6rd%0A1%3C%26%27",
        // JSON in JSON, in a URL, in HTML; a URL twice.
        r#"p\\\"ss/wörd\\n1<&'"#,
        r"p%5C%22ss/w%C3%B6rd%5Cn1%3C%26'",
        r"p\&quot;ss/wörd\n1&lt;&amp;&#39;",
        "p%2522ss%252Fw%25C3%25B6rd%250A1%253C%2526%2527",
    ] {
        let clean = scrubber.scrub(text);
        assert!(clean.contains("[secret api]"), "{text} became {clean}");
    }
}

#[test]
fn a_secret_in_mime_or_pem_lines_is_replaced_with_the_breaks_in_it() {
    let value: Vec<u8> = (0..120_u8).collect();
    let scrubber = scrubber(&[("blob", &value)]);
    let base64 = STANDARD.encode(&value);
    for width in [60, 64, 72, 76] {
        for end in ["\n", "\r\n", "\\n", "\\r\\n", "\n    "] {
            let body = String::from_utf8(wrapped_at(base64.as_bytes(), width, end)).unwrap();
            let text = format!("-----BEGIN X-----{end}{body}{end}-----END X-----");
            let clean = scrubber.scrub(&text);
            let expected = format!("-----BEGIN X-----{end}[secret blob]{end}-----END X-----");
            assert_eq!(clean, expected);
        }
    }
}

#[test]
fn a_key_in_pem_is_found_in_other_lines_and_in_none() {
    let scrubber = scrubber(&[("key", PEM.as_bytes())]);
    let body = body(PEM);
    assert_eq!(scrubber.scrub(&body), "[secret key]");
    for width in [48, 76, 100] {
        let text = wrapped_at(body.as_bytes(), width, "\r\n");
        assert_eq!(&*scrubber.scrub_bytes(&text), b"[secret key]");
    }
    let json = serde_json::json!({ "key": PEM.replace('\n', "\r\n") }).to_string();
    let clean = scrubber.scrub(&json);
    for line in PEM.lines().filter(|line| line.len() > 40) {
        assert!(!clean.contains(line), "{clean}");
    }
}

#[test]
fn each_long_line_of_a_secret_is_found_alone_and_borders_are_not() {
    let pem = b"-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49\nshort\n-----END KEY-----";
    let scrubber = scrubber(&[("key", pem)]);
    assert_eq!(
        scrubber.scrub("> MIGHAgEAMBMGByqGSM49AgEGCCqGSM49"),
        "> [secret key]"
    );
    assert_eq!(scrubber.scrub("-----BEGIN KEY-----"), "-----BEGIN KEY-----");
    assert_eq!(scrubber.scrub("short"), "short");
}

#[test]
fn a_large_secret_is_searched_for_too() {
    let large: Vec<u8> = (0..wharf_stores::LARGEST)
        .map(|at| b'a' + u8::try_from(at * at % 23).unwrap())
        .collect();
    let scrubber = scrubber(&[("n", &large)]);
    assert_eq!(&*scrubber.scrub_bytes(&large), b"[secret n]");
}

#[test]
fn a_value_is_found_without_the_line_end_that_its_store_keeps() {
    for value in ["hunter2\n", "  hunter2\r\n"] {
        let scrubber = scrubber(&[("n", value.as_bytes())]);
        assert_eq!(scrubber.scrub("a hunter2!"), "a [secret n]!");
        let base64 = STANDARD.encode("hunter2");
        assert_eq!(scrubber.scrub(&base64), "[secret n]");
    }
}

#[test]
fn each_key_of_several_is_found_wherever_it_stands_in_the_value() {
    let other: String = body(PEM).chars().rev().collect();
    let value = format!(
        "Bag Attributes\n    friendlyName: key\n{PEM}\n-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        in_lines(&other, 64)
    );
    let scrubber = scrubber(&[("keys", value.as_bytes())]);
    for text in [body(PEM), other] {
        for width in [48, 76, text.len()] {
            assert_eq!(scrubber.scrub(&in_lines(&text, width)), "[secret keys]");
        }
    }
}

#[test]
fn a_key_within_a_document_is_found_with_line_ends_and_without() {
    for value in [
        serde_json::json!({ "type": "service_account", "private_key": PEM }).to_string(),
        serde_json::to_string_pretty(&serde_json::json!({ "private_key": PEM })).unwrap(),
    ] {
        let scrubber = scrubber(&[("account", value.as_bytes())]);
        let clean = scrubber.scrub(PEM).into_owned();
        for line in PEM.lines().filter(|line| !line.starts_with('-')) {
            assert!(!clean.contains(line), "{clean}");
        }
        assert_eq!(scrubber.scrub(&body(PEM)), "[secret account]");
    }
}

#[test]
fn a_value_is_found_as_shells_and_databases_quote_it() {
    let scrubber = scrubber(&[("n", b"it's \"5$\" or 100%")]);
    for text in [
        r#"it'\''s "5$" or 100%"#,
        r#"it'"'"'s "5$" or 100%"#,
        r#"it''s "5$" or 100%"#,
        r#"it's ""5$"" or 100%"#,
        r#"it's "5$$" or 100%"#,
        r#"it's "5$" or 100%%"#,
        // Each of them in JSON.
        r#"it'\\''s \"5$\" or 100%"#,
        r#"it's \"\"5$\"\" or 100%"#,
    ] {
        assert_eq!(scrubber.scrub(text), "[secret n]", "{text}");
    }
}

#[test]
fn a_value_is_found_where_its_bytes_were_taken_for_other_characters() {
    let scrubber = scrubber(&[("n", "pässwörd".as_bytes())]);
    assert_eq!(scrubber.scrub("pÃ¤sswÃ¶rd"), "[secret n]");
    assert_eq!(scrubber.scrub("p&Atilde;&curren;sswÃ¶rd"), "[secret n]");
    let latin_1 = b"p\xe4ssw\xf6rd";
    assert_eq!(&*scrubber.scrub_bytes(latin_1), b"[secret n]");
    let scrubber = self::scrubber(&[("n", latin_1)]);
    assert_eq!(scrubber.scrub("pässwörd"), "[secret n]");
    assert_eq!(scrubber.scrub("p\u{fffd}ssw\u{fffd}rd"), "[secret n]");
    // Nothing is left of this one, so what is left of another is not taken for it.
    let scrubber = self::scrubber(&[("n", &[0xff; 8])]);
    let lossy = "\u{fffd}".repeat(8);
    assert_eq!(scrubber.scrub(&lossy), lossy);
}

#[test]
fn a_character_is_found_by_each_of_its_names() {
    let scrubber = scrubber(&[("n", "a|b`c½d+e±f".as_bytes())]);
    for text in [
        "a&verbar;b&grave;c&frac12;d&plus;e&plusmn;f",
        "a&VerticalLine;b&DiacriticalGrave;c&half;d&#000000000043;e&PlusMinus;f",
    ] {
        assert_eq!(scrubber.scrub(text), "[secret n]", "{text}");
    }
}

#[test]
fn a_row_of_signs_in_a_value_is_no_secret_by_itself() {
    let ruler = "#".repeat(40);
    let value = format!("{ruler}\npassword: correct horse\n{ruler}\n");
    let scrubber = scrubber(&[("n", value.as_bytes())]);
    let text = format!("{ruler} hello {ruler}");
    assert_eq!(scrubber.scrub(&text), text);
    assert_eq!(scrubber.scrub("password: correct horse"), "[secret n]");
}

#[test]
fn a_value_of_many_lines_that_begin_alike_costs_no_more_than_one() {
    let lines = |from: usize, to: usize| -> String {
        (from..to)
            .map(|n| format!("  \"settings.{n:04}\": \"value & {n}\",\n"))
            .collect()
    };
    let value = lines(0, 400);
    let scrubber = Scrubber::new([("n", value.as_bytes())]).unwrap();
    // It is not given up, and what is not in the value stays.
    let other = format!("{:?}", lines(1000, 6000)).replace('&', "&amp;");
    assert_eq!(scrubber.scrub(&other), other);
    let escaped = format!("{:?}", lines(7, 9)).replace('&', "&amp;");
    let clean = scrubber.scrub(&escaped).into_owned();
    assert!(!contains(clean.as_bytes(), b"value"), "{clean}");
}
