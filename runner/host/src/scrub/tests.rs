//! The scrubber against a slow reference, for any secret, any encoding and any chunking.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

mod attacks;
mod forms_of_values;
mod reference;

fn scrubber(secrets: &[(&str, &[u8])]) -> Scrubber {
    Scrubber::new(secrets.iter().copied()).unwrap()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
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

/// Pieces of a text: noise, a form of the secret, or the beginning of one, as they are, in escapes
/// or broken into lines.
#[derive(Debug, Clone)]
enum Piece {
    Noise(Vec<u8>),
    Base64(String),
    Form(Index),
    Beginning(Index, Index),
    Wrapped(Index, usize, &'static str),
    Escaped(Index, Index, Vec<Choice>),
}

fn end() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "\n", "\r\n", "\r", "\\n", "\\r\\n", "\n    ", "\\", "\n\n", "%0D%0A", "&#10;", "\\\\n",
    ])
}

fn piece() -> impl Strategy<Value = Piece> {
    let index = any::<Index>;
    prop_oneof![
        vec(any::<u8>(), 0..12).prop_map(Piece::Noise),
        "[%&#;\\\\ux0-9a-f+]{0,12}".prop_map(|noise| Piece::Noise(noise.into_bytes())),
        "[A-Za-z0-9]{0,40}".prop_map(Piece::Base64),
        end().prop_map(|end| Piece::Noise(end.as_bytes().to_vec())),
        index().prop_map(Piece::Form),
        (index(), index()).prop_map(|(form, end)| Piece::Beginning(form, end)),
        (index(), 30..80_usize, end())
            .prop_map(|(form, width, end)| Piece::Wrapped(form, width, end)),
        (index(), index(), vec(choice(), 1..8))
            .prop_map(|(form, end, choices)| Piece::Escaped(form, end, choices)),
    ]
}

/// How a character is written.
type Choice = (u8, bool, usize, bool);

fn choice() -> impl Strategy<Value = Choice> {
    (
        0..16_u8,
        any::<bool>(),
        0..4_usize,
        prop::bool::weighted(0.2),
    )
}

/// A character as it is or in an escape, and its escape in another one perhaps.
fn spelled(c: char, (kind, upper, zeros, again): Choice) -> String {
    let code = u32::from(c);
    let hex = |width: usize| {
        if upper {
            format!("{code:0width$X}")
        } else {
            format!("{code:0width$x}")
        }
    };
    let bytes = |before: &str| {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).bytes();
        bytes
            .map(|byte| match upper {
                true => format!("{before}{byte:02X}"),
                false => format!("{before}{byte:02x}"),
            })
            .collect::<String>()
    };
    let name = || reference::names().find(|(_, of)| *of == c);
    let escape = match kind {
        0 => bytes("%"),
        1 => bytes("\\x"),
        2 | 3 => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .map(|unit| match upper {
                true => format!("\\u{unit:04X}"),
                false => format!("\\u{unit:04x}"),
            })
            .collect(),
        4 => format!("\\u{{{}}}", hex(zeros)),
        5 => format!("&#{code:0width$};", width = zeros + 2),
        6 => format!("&#x{};", hex(zeros)),
        7 => format!("&#X{};", hex(zeros)),
        8 => match name() {
            Some((name, _)) => format!("&{name};"),
            None => c.to_string(),
        },
        9 => format!("\\U{}", hex(8)),
        10 if c.is_ascii_punctuation() => format!("\\{c}"),
        11 => match c {
            '\n' => "\\n".to_owned(),
            '\t' => "\\t".to_owned(),
            ' ' => "+".to_owned(),
            c => c.to_string(),
        },
        12 if c.is_ascii() => format!("\\{code:03o}"),
        _ => return c.to_string(),
    };
    if !again {
        return escape;
    }
    let mut kinds = [0, 1, 2, 5, 6, 8, 10].into_iter().cycle();
    let kind = kinds.nth(zeros + usize::from(kind)).unwrap_or_default();
    escape
        .chars()
        .map(|c| spelled(c, (kind, upper, zeros, false)))
        .collect()
}

fn all_spelled(text: &str, choices: &[Choice]) -> String {
    let choices = choices.iter().copied().cycle();
    text.chars()
        .zip(choices)
        .map(|(c, choice)| spelled(c, choice))
        .collect()
}

/// Which bytes of a text are removed.
fn removed(scrubber: &Scrubber, text: &[u8]) -> Vec<bool> {
    let mut removed = vec![false; text.len()];
    for run in find(&scrubber.0.as_ref().unwrap().forms, text, 0).runs {
        removed[run.start..run.end].fill(true);
    }
    removed
}

/// Secrets over few letters, so that they overlap with themselves and with each other.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(prop_oneof![Just(b'a'), Just(b'b')], 6..12),
        vec(any::<u8>(), 6..90),
        "[ -~é/\"\\\\\n&<'+=%]{6,24}".prop_map(String::into_bytes),
        // Lines that begin alike.
        vec("a setting line-[ab]{1,3}[&\"+]?", 2..4)
            .prop_map(|lines| lines.join("\n").into_bytes()),
    ]
}

fn wrapped_at(text: &[u8], width: usize, end: &str) -> Vec<u8> {
    let lines: Vec<&[u8]> = text.chunks(width).collect();
    lines.join(end.as_bytes())
}

proptest! {
    // The reference is slow.
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn any_chunking_gives_what_the_whole_gives_and_what_the_reference_gives(
        one in secret(), two in secret(),
        pieces in vec(piece(), 0..5),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        let scrubber = scrubber(&[("n", &one), ("n", &two)]);
        let forms: Vec<forms::Form> = [&one, &two].into_iter().flat_map(|s| forms::of(s)).collect();
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Noise(noise) => text.extend(noise),
                Piece::Base64(letters) => text.extend(letters.into_bytes()),
                Piece::Form(form) => text.extend_from_slice(form.get::<forms::Form>(&forms)),
                Piece::Beginning(form, end) => {
                    let form = form.get::<forms::Form>(&forms);
                    text.extend_from_slice(&form[..end.index(form.len())]);
                }
                Piece::Wrapped(form, width, end) => {
                    text.extend(wrapped_at(form.get::<forms::Form>(&forms), width, end));
                }
                Piece::Escaped(form, end, choices) => {
                    let form = String::from_utf8_lossy(form.get::<forms::Form>(&forms)).into_owned();
                    let all = all_spelled(&form, &choices).into_bytes();
                    // Twice as likely whole as not.
                    let end = (end.index(all.len() * 3)).min(all.len());
                    text.extend_from_slice(&all[..end]);
                }
            }
        }
        // What is written without escapes in escapes is what the reference says, to the byte;
        // with them, no more than it says.
        let removed = removed(&scrubber, &text);
        let least = reference::covered(&[&one, &two], &text, 1);
        let most = reference::covered(&[&one, &two], &text, 2);
        for at in 0..text.len() {
            prop_assert!(removed[at] || !least[at], "{at} of {:?}", String::from_utf8_lossy(&text));
            prop_assert!(most[at] || !removed[at], "{at} of {:?}", String::from_utf8_lossy(&text));
        }
        let whole = scrubber.scrub_bytes(&text);
        prop_assert_eq!(&*whole, streamed(&scrubber, &text, &cuts));
    }
}

proptest! {
    #[test]
    fn no_mixture_of_escapes_gives_a_secret_away(
        secret in "[ -~\n\té€😀]{6,40}",
        choices in vec(choice(), 1..40),
        before in vec(any::<u8>(), 0..20),
        after in vec(any::<u8>(), 0..20),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let scrubber = scrubber(&[("n", secret.as_bytes())]);
        let written = all_spelled(&secret, &choices);
        let text = [before.as_slice(), written.as_bytes(), &after].concat();
        let removed = removed(&scrubber, &text);
        let within = &removed[before.len()..][..written.len()];
        prop_assert!(within.iter().all(|removed| *removed), "{written}");
        prop_assert_eq!(&*scrubber.scrub_bytes(&text), streamed(&scrubber, &text, &cuts));
    }

    #[test]
    fn base64_in_escapes_and_broken_into_lines_does_not_give_a_secret_away(
        value in vec(any::<u8>(), 30..90),
        kind in prop::sample::select(vec![0, 1, 2, 5, 6, 8, 10, 12]),
        upper: bool, again: bool,
        width in 40..78_usize,
        end in prop::sample::select(vec!["\n", "\r\n", "\\n", "%0D%0A", "\\\\n", "&#10;"]),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let scrubber = scrubber(&[("n", &value)]);
        let lines = wrapped_at(STANDARD.encode(&value).as_bytes(), width, "\n");
        let lines = String::from_utf8(lines).unwrap();
        let choice = (kind, upper, 0, again);
        // As writers do it: what is special in base64 in one way, wherever it is.
        let special = |c: char| match c {
            '+' | '/' | '=' => spelled(c, choice),
            '\n' => end.to_owned(),
            c => c.to_string(),
        };
        let text: String = lines.chars().map(special).collect();
        prop_assert_eq!(scrubber.scrub(&text), "[secret n]");
        prop_assert_eq!(streamed(&scrubber, text.as_bytes(), &cuts), b"[secret n]");
    }

    #[test]
    fn escapes_that_are_no_secret_stay_as_they_are(
        secret in "[a-m]{6,20}",
        text in "[N-Z \n&<>\"'/é]{0,60}",
        choices in vec(choice(), 1..20),
        cuts in vec(any::<usize>(), 0..8),
    ) {
        let scrubber = scrubber(&[("n", secret.as_bytes())]);
        let text = all_spelled(&text, &choices);
        prop_assert!(matches!(scrubber.scrub(&text), Cow::Borrowed(_)));
        prop_assert_eq!(streamed(&scrubber, text.as_bytes(), &cuts), text.into_bytes());
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
        prop_assert_eq!(removed(&scrubber, &text), reference::covered(&[&secret], &text, 0));
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
        search.forms.has_automaton()
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
fn a_text_that_was_made_of_escapes_to_be_slow_is_not_given_out() {
    let value = "ab".repeat(4000);
    let scrubber = scrubber(&[("n", value.as_bytes())]);
    let made = format!("{}%00", "%61%62".repeat(3000)).repeat(20);
    assert_eq!(scrubber.scrub(&made), "[…]");
    let mut stream = scrubber.stream();
    assert_eq!(stream.push("to be seen ".into()), "to be seen ");
    assert_eq!(stream.push(made.into()), "[…]".as_bytes());
    assert_eq!(stream.push("not known".into()), "");
    assert_eq!(stream.finish(), "");
    // The same in a text with a secret that does not repeat itself costs nothing special.
    let text = "%61%62\\n&amp; ".repeat(20_000);
    let scrubber = self::scrubber(&[("n", b"abracadabra")]);
    assert!(matches!(scrubber.scrub(&text), Cow::Borrowed(_)));
}

#[test]
fn an_escape_that_may_go_on_is_held_back_and_a_finished_line_is_not() {
    let scrubber = scrubber(&[("n", b"hunter2")]);
    let mut stream = scrubber.stream();
    assert_eq!(
        stream.push("a & b, 100 % \\o/\n".into()),
        "a & b, 100 % \\o/\n"
    );
    assert_eq!(stream.push("x%6".into()), "x");
    assert_eq!(stream.push("9".into()), "%69");
    assert_eq!(stream.push("%68unt&#".into()), "");
    assert_eq!(stream.push("101;r2".into()), "[secret n]");
    assert_eq!(stream.push("hunt\\u00".into()), "");
    assert_eq!(stream.push("64".into()), "hunt\\u0064");
    assert_eq!(stream.finish(), "");
}
