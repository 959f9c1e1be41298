use super::*;
use proptest::prelude::*;

fn label(name: &str) -> Label {
    Label {
        group: "production".to_owned(),
        name: name.parse().unwrap(),
    }
}

fn runner(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn keys(runners: &[SigningKey]) -> Vec<RunnerKey> {
    runners.iter().map(RunnerKey::of).collect()
}

/// When everything here was put.
const PUT: PutAt = PutAt::from_millis(1_795_337_060_123);

fn value(bytes: &[u8]) -> SecretValue {
    SecretValue::new(bytes.to_vec())
}

#[test]
fn every_runner_that_it_is_sealed_to_opens_it_and_no_other() {
    let runners = [runner(1), runner(2)];
    let sealed = seal(&label("db"), PUT, &value(b"hunter22"), &keys(&runners)).unwrap();
    for runner in &runners {
        let (opened, put) = open(&label("db"), &sealed, runner).unwrap();
        assert_eq!(opened.expose(), b"hunter22");
        assert_eq!(put, PUT);
    }
    let error = open(&label("db"), &sealed, &runner(3)).unwrap_err();
    assert!(error.to_string().contains("wharf secret put"), "{error}");
    assert_eq!(recipients(&label("db"), &sealed).unwrap(), keys(&runners));
}

#[test]
fn what_is_sealed_shows_neither_the_value_nor_its_exact_length() {
    let short = seal(&label("db"), PUT, &value(b"hunter22"), &keys(&[runner(1)])).unwrap();
    let long = seal(&label("db"), PUT, &value(&[b'x'; 200]), &keys(&[runner(1)])).unwrap();
    assert_eq!(short.len(), long.len());
    assert!(!short.windows(8).any(|window| window == b"hunter22"));
}

#[test]
fn in_another_place_it_does_not_open_even_if_it_says_that_it_belongs_there() {
    let sealed = seal(&label("db"), PUT, &value(b"hunter22"), &keys(&[runner(1)])).unwrap();
    let error = open(&label("other"), &sealed, &runner(1)).unwrap_err();
    assert!(matches!(error, SealError::Misplaced { .. }), "{error}");
    let renamed = String::from_utf8(sealed)
        .unwrap()
        .replace("\"db\"", "\"other\"");
    let error = open(&label("other"), renamed.as_bytes(), &runner(1)).unwrap_err();
    assert!(matches!(error, SealError::Broken(_)), "{error}");
}

#[test]
fn when_it_was_put_is_part_of_what_is_sealed() {
    let sealed = seal(&label("db"), PUT, &value(b"hunter22"), &keys(&[runner(1)])).unwrap();
    assert_eq!(put_at(&label("db"), &sealed).unwrap(), PUT);
    let newer = String::from_utf8(sealed)
        .unwrap()
        .replace("1795337060123", "1795337060124");
    let error = open(&label("db"), newer.as_bytes(), &runner(1)).unwrap_err();
    assert!(matches!(error, SealError::Broken(_)), "{error}");
}

#[test]
fn what_was_sealed_without_saying_when_is_refused_and_to_be_put_again() {
    let old = br#"{"format":"wharf-sealed-secret-1","group":"production","name":"db","value":
        {"encapsulated":"","ciphertext":""},"runners":[]}"#;
    let error = open(&label("db"), old, &runner(1)).unwrap_err();
    assert!(matches!(error, SealError::Timeless(_)), "{error}");
    assert!(error.to_string().contains("wharf secret put"), "{error}");
    let error = open(
        &label("db"),
        br#"{"format":"wharf-sealed-secret-3"}"#,
        &runner(1),
    );
    assert!(matches!(error, Err(SealError::Malformed(..))));
}

#[test]
fn the_parts_of_two_secrets_cannot_be_mixed() {
    let to = keys(&[runner(1)]);
    let parse = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    let first = seal(&label("db"), PUT, &value(b"hunter22"), &to).unwrap();
    let mut mixed = parse(&first);
    mixed["value"] =
        parse(&seal(&label("db"), PUT, &value(b"other-22"), &to).unwrap())["value"].take();
    let error = open(&label("db"), mixed.to_string().as_bytes(), &runner(1)).unwrap_err();
    assert!(matches!(error, SealError::Broken(_)), "{error}");
}

#[test]
fn values_without_bytes_or_with_too_many_are_not_sealed_and_nobody_is_no_recipient() {
    let to = keys(&[runner(1)]);
    for size in [0, LARGEST + 1] {
        let error = seal(&label("db"), PUT, &value(&vec![1; size]), &to).unwrap_err();
        assert!(matches!(error, SealError::BadSize(_)), "{error}");
    }
    let error = seal(&label("db"), PUT, &value(b"hunter22"), &[]).unwrap_err();
    assert!(matches!(error, SealError::NoRunners), "{error}");
    // As often to the same: what counts is the size.
    let many = vec![to[0]; 6_000];
    let error = seal(&label("db"), PUT, &value(b"hunter22"), &many).unwrap_err();
    assert!(matches!(error, SealError::TooManyRunners(6_000)), "{error}");
}

#[test]
fn a_key_of_small_order_is_no_key() {
    // The point of order one, and bytes that are no point.
    for bytes in [[1, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0]] {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&bytes);
        assert!(RunnerKey::from_base64(&STANDARD.encode(key)).is_err());
    }
}

proptest! {
    #[test]
    fn any_value_comes_back_as_it_was(bytes in prop::collection::vec(any::<u8>(), 1..2000)) {
        let sealed = seal(&label("db"), PUT, &value(&bytes), &keys(&[runner(1)])).unwrap();
        let (opened, _) = open(&label("db"), &sealed, &runner(1)).unwrap();
        prop_assert_eq!(opened.expose(), &bytes[..]);
    }

    #[test]
    fn a_changed_byte_never_opens_as_another_value(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut sealed = seal(&label("db"), PUT, &value(b"hunter22"), &keys(&[runner(1)])).unwrap();
        let at = at.index(sealed.len());
        sealed[at] ^= 1 << bit;
        if let Ok((opened, put)) = open(&label("db"), &sealed, &runner(1)) {
            prop_assert_eq!(opened.expose(), b"hunter22");
            prop_assert_eq!(put, PUT);
        }
    }
}
