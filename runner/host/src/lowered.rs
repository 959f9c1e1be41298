//! Secrets as they stand in the names of hosts and of headers. The crates that read those, HTTP/2
//! and the DNS know no capitals there and give them in small letters, which is no longer the
//! secret as it is, and nearly as good.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::SHORTEST;

/// The longest value of which the base64 is looked for as well. A longer one is longer than any
/// name of a host, and than any name of a header that is met.
const LONGEST: usize = 1024;

/// The value in small letters, and its base64 in small letters wherever it lies in something
/// longer. What has no capitals is left out: the search for the value itself finds it.
pub(crate) fn of(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms = Vec::new();
    let mut add = |text: &[u8]| {
        if !text.iter().any(u8::is_ascii_uppercase) || text.len() < SHORTEST {
            return;
        }
        let small = Zeroizing::new(text.to_ascii_lowercase());
        if !forms.contains(&small) {
            forms.push(small);
        }
    };
    add(value);
    if value.len() > LONGEST {
        return forms;
    }
    for before in 0..3 {
        let mut longer = Zeroizing::new(vec![0; before + value.len()]);
        longer[before..].copy_from_slice(value);
        // Characters that hold bits of the value and of nothing else.
        let first = (before * 8).div_ceil(6);
        let last = longer.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let whole = Zeroizing::new(engine.encode(&*longer));
            add(&whole.as_bytes()[first..last]);
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: &[u8]) -> Vec<String> {
        let forms = of(value).into_iter();
        forms
            .map(|form| String::from_utf8(form.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn a_value_with_capitals_is_given_without_and_so_is_its_base64_however_it_lies() {
        let forms = texts(b"q7Zp2xW9kLm4vT8sB1nR");
        assert_eq!(forms[0], "q7zp2xw9klm4vt8sb1nr");
        for before in ["", "-", "--"] {
            let longer = format!("{before}q7Zp2xW9kLm4vT8sB1nR and more");
            let small = STANDARD_NO_PAD.encode(longer).to_ascii_lowercase();
            assert!(forms.iter().any(|form| small.contains(form)), "{small}");
        }
    }

    #[test]
    fn a_value_without_capitals_is_not_given_again() {
        assert!(!texts(b"0123456789abcdef").contains(&"0123456789abcdef".to_owned()));
    }

    #[test]
    fn of_what_is_longer_than_a_name_only_the_value_itself_is_given() {
        assert_eq!(of(&[b'A'; LONGEST + 1]).len(), 1);
    }
}
