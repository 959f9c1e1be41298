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

/// Leftmost, then longest, by trying every pattern at every place.
fn reference(forms: &[(Vec<u8>, String)], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let longest = forms
            .iter()
            .filter(|(form, _)| text[at..].starts_with(form))
            .max_by_key(|(form, _)| form.len());
        match longest {
            Some((form, mark)) => {
                out.extend_from_slice(mark.as_bytes());
                at += form.len();
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    out
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

/// Pieces of a text: noise, a form of the secret, or the beginning of one.
#[derive(Debug, Clone)]
enum Piece {
    Noise(Vec<u8>),
    Form(prop::sample::Index),
    Beginning(prop::sample::Index, prop::sample::Index),
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        vec(any::<u8>(), 0..12).prop_map(Piece::Noise),
        any::<prop::sample::Index>().prop_map(Piece::Form),
        any::<(prop::sample::Index, prop::sample::Index)>()
            .prop_map(|(form, end)| Piece::Beginning(form, end)),
    ]
}

/// Secrets over few letters, so that they overlap with themselves and with each other.
fn secret() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(prop_oneof![Just(b'a'), Just(b'b')], 6..12),
        vec(any::<u8>(), 6..40),
        "[ -~é/\"\\\\\n]{6,24}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_what_the_whole_gives_and_what_the_reference_gives(
        one in secret(), two in secret(),
        pieces in vec(piece(), 0..12),
        cuts in vec(any::<usize>(), 0..12),
    ) {
        // Equal secrets have one name; which one does not matter.
        prop_assume!(one != two);
        let scrubber = scrubber(&[("n", &one), ("n", &two)]);
        let forms: Vec<(Vec<u8>, String)> = [&one, &two]
            .into_iter()
            .flat_map(|value| forms::of(value))
            .map(|form| (form.to_vec(), "[secret n]".to_owned()))
            .collect();
        let mut text = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Noise(noise) => text.extend(noise),
                Piece::Form(form) => text.extend_from_slice(&form.get(&forms).0),
                Piece::Beginning(form, end) => {
                    let form = &form.get(&forms).0;
                    text.extend_from_slice(&form[..end.index(form.len())]);
                }
            }
        }
        let whole = scrubber.scrub_bytes(&text);
        prop_assert_eq!(&*whole, reference(&forms, &text));
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
        let json = json_inside(&secret);
        for form in [
            value.to_vec(),
            STANDARD.encode(value).into_bytes(),
            URL_SAFE_NO_PAD.encode(value).into_bytes(),
            hex::encode(value).into_bytes(),
            hex::encode_upper(value).into_bytes(),
            url.into_bytes(),
            json.into_bytes(),
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

/// A JSON string's inside, written independently of the code under test.
fn json_inside(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[test]
fn a_secret_is_replaced_by_its_name_in_each_usual_form() {
    let scrubber = scrubber(&[("api", "p\"ss/wörd\n1".as_bytes())]);
    for text in [
        "p\"ss/wörd\n1",
        r#"p\"ss/wörd\n1"#,
        r#"p\"ss\/w\u00f6rd\n1"#,
        r#"p\"ss/w\u00F6rd\n1"#,
        "p%22ss%2Fw%C3%B6rd%0A1",
        "p%22ss%2fw%c3%b6rd%0a1",
        "p%22ss/w%C3%B6rd%0A1",
        "70227373 is not it, 702273732f77c3b672640a31",
        "cCJzcy93w7ZyZAox",
    ] {
        let clean = scrubber.scrub(text);
        assert!(clean.contains("[secret api]"), "{text} became {clean}");
    }
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
fn a_large_secret_is_searched_for_too() {
    let large: Vec<u8> = (0..wharf_stores::LARGEST)
        .map(|at| b'a' + u8::try_from(at * at % 23).unwrap())
        .collect();
    let scrubber = scrubber(&[("n", &large)]);
    assert_eq!(&*scrubber.scrub_bytes(&large), b"[secret n]");
}
