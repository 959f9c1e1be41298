//! The scrubber against a slow reference, for any secret, any encoding and any chunking.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn scrubber(secrets: &[(&str, &[u8])]) -> Scrubber {
    Scrubber::new(secrets.iter().copied()).unwrap()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

/// What is to be found, for the reference: the plain forms and the wrapped ones.
struct Wanted {
    plain: Vec<Vec<u8>>,
    wrapped: Vec<Vec<u8>>,
}

impl Wanted {
    fn of(secrets: &[&[u8]]) -> Self {
        let all = |pick: fn(forms::Forms) -> Vec<forms::Form>| {
            secrets
                .iter()
                .flat_map(|secret| pick(forms::of(secret)))
                .map(|form| form.to_vec())
                .collect()
        };
        Self {
            plain: all(|forms| forms.plain),
            wrapped: all(|forms| forms.wrapped),
        }
    }

    /// Marks every byte of every form, at every place, and writes one mark for each run of
    /// occurrences that overlap.
    fn reference(&self, text: &[u8], mark: &str) -> Vec<u8> {
        let mut occurrences = Vec::new();
        for form in &self.plain {
            for at in 0..text.len() {
                if text[at..].starts_with(form) {
                    occurrences.push((at, at + form.len()));
                }
            }
        }
        let kept = kept(text);
        let unwrapped: Vec<u8> = kept.iter().map(|at| text[*at]).collect();
        for form in &self.wrapped {
            for at in 0..unwrapped.len() {
                if unwrapped[at..].starts_with(form) {
                    occurrences.push((kept[at], kept[at + form.len() - 1] + 1));
                }
            }
        }
        occurrences.sort_unstable();
        let mut out = Vec::new();
        let mut done = 0;
        for (start, end) in occurrences {
            if start >= done {
                out.extend_from_slice(&text[done..start]);
                out.extend_from_slice(mark.as_bytes());
            }
            done = done.max(end);
        }
        out.extend_from_slice(&text[done..]);
        out
    }
}

/// The places that are left when breaks after base64 are taken out.
fn kept(text: &[u8]) -> Vec<usize> {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(byte);
    let mut kept = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let long = at >= unwrap::LINE && text[at - unwrap::LINE..at].iter().all(is_base64);
        let rest = &text[at..];
        let mut length = 0;
        for end in ["\n", "\r", "\\n", "\\r", "\r\n", "\\r\\n"] {
            if rest.starts_with(end.as_bytes()) {
                length = length.max(end.len());
            }
        }
        if long && length > 0 {
            let blanks = rest[length..].iter().take(32);
            at += length + blanks.take_while(|b| b" \t".contains(b)).count();
        } else {
            kept.push(at);
            at += 1;
        }
    }
    kept
}

fn streamed(scrubber: &Scrubber, text: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    let mut stream = scrubber.stream();
    let mut out = Vec::new();
    for pair in cuts.windows(2) {
        out.extend_from_slice(&stream.push(Bytes::copy_from_slice(&text[pair[0]..pair[1]])));
    }
    out.extend_from_slice(&stream.finish());
    out
}

/// Pieces of a text: noise, a form of the secret, or the beginning of one, as they are or broken
/// into lines.
#[derive(Debug, Clone)]
enum Piece {
    Noise(Vec<u8>),
    Base64(String),
    Form(prop::sample::Index),
    Beginning(prop::sample::Index, prop::sample::Index),
    Wrapped(prop::sample::Index, usize, &'static str),
}

fn end() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\n", "\r\n", "\r", "\\n", "\\r\\n", "\n    ", "\\", "\n\n",
    ])
}

fn piece() -> impl Strategy<Value = Piece> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        vec(any::<u8>(), 0..12).prop_map(Piece::Noise),
        "[A-Za-z0-9]{0,40}".prop_map(Piece::Base64),
        end().prop_map(|end| Piece::Noise(end.as_bytes().to_vec())),
        index().prop_map(Piece::Form),
        (index(), index()).prop_map(|(form, end)| Piece::Beginning(form, end)),
        (index(), 30..80_usize, end())
            .prop_map(|(form, width, end)| Piece::Wrapped(form, width, end)),
    ]
}

/// Secrets over few letters, so that they overlap with themselves and with each other.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(prop_oneof![Just(b'a'), Just(b'b')], 6..12),
        vec(any::<u8>(), 6..90),
        "[ -~é/\"\\\\\n&<'+=]{6,24}".prop_map(String::into_bytes),
    ]
}

fn wrapped_at(text: &[u8], width: usize, end: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.chunks(width).collect();
    lines.join(end.as_bytes())
}

proptest! {
    #[test]
    fn any_chunking_gives_what_the_whole_gives_and_what_the_reference_gives(
        one in secret(), two in secret(),
        pieces in vec(piece(), 0..12),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let scrubber = scrubber(&[("n", &one), ("n", &two)]);
        let wanted = Wanted::of(&[&one, &two]);
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Noise(noise) => text.extend(noise),
                Piece::Base64(letters) => text.extend(letters.into_bytes()),
                Piece::Form(form) => text.extend_from_slice(form.get::<Vec<u8>>(&wanted.plain)),
                Piece::Beginning(form, end) => {
                    let form = form.get::<Vec<u8>>(&wanted.plain);
                    text.extend_from_slice(&form[..end.index(form.len())]);
                }
                Piece::Wrapped(form, width, end) => {
                    text.extend(wrapped_at(form.get::<Vec<u8>>(&wanted.wrapped), width, end));
                }
            }
        }
        let whole = scrubber.scrub_bytes(&text);
        prop_assert_eq!(&*whole, wanted.reference(&text, "[secret n]"));
        prop_assert_eq!(&*whole, streamed(&scrubber, &text, &cuts));
    }

    #[test]
    fn no_encoding_of_a_secret_gets_through(
        secret in "[ -~é€]{6,40}",
        before in vec(any::<u8>(), 0..20),
        after in vec(any::<u8>(), 0..20),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let value = secret.as_bytes();
        let scrubber = scrubber(&[("n", value)]);
        let url: String = url::form_urlencoded::byte_serialize(value).collect();
        for form in [
            value.to_vec(),
            STANDARD.encode(value).into_bytes(),
            URL_SAFE_NO_PAD.encode(value).into_bytes(),
            hex::encode(value).into_bytes(),
            hex::encode_upper(value).into_bytes(),
            small_digits(&url).into_bytes(),
            url.into_bytes(),
            json_inside(&secret).into_bytes(),
            html_inside(&secret).into_bytes(),
        ] {
            let text = [before.as_slice(), &form, &after].concat();
            let clean = streamed(&scrubber, &text, &cuts);
            prop_assert!(!contains(&clean, &form), "{:?} got through", String::from_utf8_lossy(&form));
        }
    }

    #[test]
    fn base64_of_something_longer_does_not_give_the_secret_away(
        value in vec(any::<u8>(), 6..40),
        before in vec(any::<u8>(), 0..20),
        after in vec(any::<u8>(), 0..20),
    ) {
        let scrubber = scrubber(&[("n", &value)]);
        let longer = [before.as_slice(), &value, &after].concat();
        for text in [STANDARD.encode(&longer), URL_SAFE_NO_PAD.encode(&longer)] {
            let clean = scrubber.scrub(&text);
            prop_assert!(clean.contains("[secret n]"), "{}", text);
        }
    }

    #[test]
    fn base64_and_hex_that_are_broken_into_lines_do_not_give_the_secret_away(
        value in vec(any::<u8>(), 6..60),
        before in vec(any::<u8>(), 0..80),
        after in vec(any::<u8>(), 0..80),
        width in 60..78_usize,
        end in prop::sample::select(vec!["\n", "\r\n", "\\n", "\\r\\n", "\n  "]),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let scrubber = scrubber(&[("n", &value)]);
        let longer = [before.as_slice(), &value, &after].concat();
        for text in [STANDARD.encode(&longer), hex::encode(&longer)] {
            let text = wrapped_at(text.as_bytes(), width, end);
            let clean = streamed(&scrubber, &text, &cuts);
            prop_assert!(contains(&clean, b"[secret n]"), "{}", String::from_utf8_lossy(&text));
        }
    }

    #[test]
    fn text_without_a_secret_is_untouched(
        secret in "[a-m]{6,20}",
        text in "[N-Z \n]{0,200}",
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let scrubber = scrubber(&[("n", secret.as_bytes())]);
        prop_assert!(matches!(scrubber.scrub(&text), Cow::Borrowed(_)));
        prop_assert_eq!(streamed(&scrubber, text.as_bytes(), &cuts), text.into_bytes());
    }
}

proptest! {
    // The reference is slow, and the texts are long.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_automaton_finds_what_the_quick_search_finds(
        secret in vec(prop_oneof![Just(b'a'), Just(b'b')], 6..9),
        text in vec(prop_oneof![4 => Just(b'a'), 1 => Just(b'b')], 20_000..20_100),
    ) {
        let scrubber = scrubber(&[("n", &secret)]);
        let wanted = Wanted::of(&[&secret]);
        prop_assert_eq!(&*scrubber.scrub_bytes(&text), wanted.reference(&text, "[secret n]"));
    }
}

/// Percent-encoding with small digits.
fn small_digits(url: &str) -> String {
    let mut parts = url.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (digits, rest) = part.split_at(2);
        format!("{text}%{}{rest}", digits.to_lowercase())
    })
}

/// A JSON string's inside, written independently of the code under test.
fn json_inside(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// HTML text, written independently of the code under test.
fn html_inside(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
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
    let pem = include_str!("../tests/keys/rsa.pem");
    let scrubber = scrubber(&[("key", pem.as_bytes())]);
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(scrubber.scrub(&body), "[secret key]");
    for width in [48, 76, 100] {
        let text = wrapped_at(body.as_bytes(), width, "\r\n");
        assert_eq!(&*scrubber.scrub_bytes(&text), b"[secret key]");
    }
    let json = serde_json::json!({ "key": pem.replace('\n', "\r\n") }).to_string();
    let clean = scrubber.scrub(&json);
    for line in pem.lines().filter(|line| line.len() > 40) {
        assert!(!clean.contains(line), "{clean}");
    }
}

#[test]
fn two_secrets_that_overlap_leave_nothing_of_either() {
    let scrubber = scrubber(&[("one", b"abcdefgh"), ("two", b"efghijkl")]);
    assert_eq!(scrubber.scrub("> abcdefghijkl <"), "> [secret one] <");
    assert_eq!(
        scrubber.scrub("abcdefghefghijkl"),
        "[secret one][secret two]"
    );
}

#[test]
fn a_name_that_holds_a_secret_is_not_shown() {
    let scrubber = scrubber(&[("my-hunter2", b"hunter2")]);
    assert_eq!(scrubber.scrub("x hunter2 y"), "x […] y");
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
fn only_what_may_be_a_secret_is_held_back() {
    let scrubber = scrubber(&[("n", b"hunter2")]);
    let mut stream = scrubber.stream();
    assert_eq!(stream.push("data: 1\n\n".into()), "data: 1\n\n");
    assert_eq!(stream.push("data: hun".into()), "data: ");
    assert_eq!(stream.push("gry".into()), "hungry");
    assert_eq!(stream.push("hunter".into()), "");
    assert_eq!(stream.push("2!".into()), "[secret n]!");
    assert_eq!(stream.finish(), "");
}

#[test]
fn a_stream_that_repeats_a_secret_for_ever_is_not_held_for_ever() {
    let scrubber = scrubber(&[("n", b"aaaaaaaa")]);
    let mut stream = scrubber.stream();
    let mut out = Vec::new();
    for _ in 0..1000 {
        out.extend_from_slice(&stream.push(Bytes::from_static(b"aaaaa")));
        assert!(stream.holds() < 8, "{}", stream.holds());
    }
    out.extend_from_slice(&stream.finish());
    assert_eq!(out, b"[secret n]");
}

#[test]
fn a_text_that_was_made_to_be_slow_is_searched_with_the_automaton() {
    let value = "ab".repeat(100);
    let scrubber = scrubber(&[("n", value.as_bytes())]);
    let automaton = || {
        let search = scrubber.0.as_ref().unwrap();
        search.plain.has_automaton()
    };
    // What ordinary text does not do: nearly a form, everywhere.
    let ordinary = "an ordinary line of text, with a word or two\n".repeat(1000);
    assert!(matches!(scrubber.scrub(&ordinary), Cow::Borrowed(_)));
    assert!(!automaton());
    let made = format!("{} ", &value[1..]).repeat(1000);
    assert!(matches!(scrubber.scrub(&made), Cow::Borrowed(_)));
    assert!(automaton());
}

#[test]
fn a_large_secret_is_searched_for_too() {
    let large: Vec<u8> = (0..wharf_stores::LARGEST)
        .map(|at| b'a' + u8::try_from(at * at % 23).unwrap())
        .collect();
    let scrubber = scrubber(&[("n", &large)]);
    assert_eq!(&*scrubber.scrub_bytes(&large), b"[secret n]");
}
