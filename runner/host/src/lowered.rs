//! Secrets as they stand in the names of hosts and of headers. The crates that read those, HTTP/2
//! and the DNS know no capitals there and give them in small letters, which is no longer the
//! secret as it is, and nearly as good.
//!
//! Such text is short, so it is searched for one form after the other, and nothing is set up for
//! it in runs that meet none.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::scrub::base64_within;
use crate::{SHORTEST, Scrubber};

/// The longest value of which the base64 is looked for as well. A longer one is longer than any
/// name of a host, and than any name of a header that is met.
const LONGEST: usize = 1024;

/// In the place of a secret whose mark would hold a secret.
const NAMELESS: &str = "[…]";

type Form = Zeroizing<Vec<u8>>;

/// Removes secrets from text that names hosts or headers: as they are, in all the forms in which a
/// [`Scrubber`] finds them, and where their letters have been made small.
#[derive(Default)]
pub(crate) struct NameScrubber {
    plain: Scrubber,
    small: Vec<(Form, String)>,
}

impl NameScrubber {
    /// For these secrets, by name and value, which `plain` finds as they are.
    pub(crate) fn new<'a>(
        plain: Scrubber,
        secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let mut small = Vec::new();
        for (name, value) in secrets {
            let mark = format!("[secret {name}]");
            small.extend(forms(value).into_iter().map(|form| (form, mark.clone())));
        }
        Self { plain, small }
    }

    /// The text without secrets.
    pub(crate) fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = self.plain.scrub(text);
        let found = self.found(&text);
        if found.is_empty() {
            return text;
        }
        let mut clean = String::with_capacity(text.len());
        let mut done = 0;
        for (range, mark) in found {
            // One that overlaps the one before has no mark of its own.
            if range.start >= done {
                clean.push_str(&text[done..range.start]);
                clean.push_str(mark);
            }
            done = done.max(range.end);
        }
        clean.push_str(&text[done..]);
        Cow::Owned(clean)
    }

    /// Where in the text secrets are, in order.
    fn found(&self, text: &str) -> Vec<(Range<usize>, &str)> {
        let fits = |form: &Form| form.len() <= text.len();
        if !self.small.iter().any(|(form, _)| fits(form)) {
            return Vec::new();
        }
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let mut found = Vec::new();
        for (form, mark) in self.small.iter().filter(|(form, _)| fits(form)) {
            for start in memmem::find_iter(lower.as_bytes(), form.as_slice()) {
                let range = start..start + form.len();
                // A secret that is not text can lie within a character.
                if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
                    found.push((range, self.fit_to_show(mark)));
                }
            }
        }
        found.sort_unstable_by_key(|(range, _)| (range.start, range.end));
        found
    }

    /// The mark, if it holds no secret itself.
    fn fit_to_show<'m>(&self, mark: &'m str) -> &'m str {
        let lower = mark.to_ascii_lowercase();
        let holds = |form: &Form| memmem::find(lower.as_bytes(), form).is_some();
        if self.small.iter().any(|(form, _)| holds(form)) {
            NAMELESS
        } else {
            mark
        }
    }
}

/// The value in small letters, and its base64 in small letters wherever it lies in something
/// longer. What has no capitals is left out: the search for the value itself finds it.
fn forms(value: &[u8]) -> Vec<Form> {
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
    add(value.trim_ascii());
    if value.len() > LONGEST {
        return forms;
    }
    for part in base64_within(value) {
        add(Zeroizing::new(part).as_bytes());
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    const VALUE: &str = "q7Zp2xW9kLm4vT8sB1nR";

    fn scrubber(secrets: &[(&str, &str)]) -> NameScrubber {
        let secrets = || {
            secrets
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()))
        };
        NameScrubber::new(Scrubber::new(secrets()).unwrap(), secrets())
    }

    #[test]
    fn a_secret_is_found_in_capitals_in_small_letters_and_in_any_mixture() {
        let scrubber = scrubber(&[("api", VALUE)]);
        for text in [VALUE.to_owned(), VALUE.to_lowercase(), VALUE.to_uppercase()] {
            let text = format!("GET http://x-{text}.ä.test/");
            assert_eq!(scrubber.scrub(&text), "GET http://x-[secret api].ä.test/");
        }
    }

    #[test]
    fn its_base64_is_found_in_small_letters_however_it_lies() {
        let scrubber = scrubber(&[("api", VALUE)]);
        for before in ["", "-", "--"] {
            let longer = format!("{before}{VALUE} and more");
            let small = STANDARD_NO_PAD.encode(longer).to_ascii_lowercase();
            assert!(scrubber.scrub(&small).contains("[secret api]"), "{small}");
        }
    }

    #[test]
    fn two_that_overlap_are_both_removed() {
        let scrubber = scrubber(&[("one", "ABCDEFGH"), ("two", "EFGHIJKL")]);
        assert_eq!(scrubber.scrub("x abcdefghijkl y"), "x [secret one] y");
    }

    #[test]
    fn a_secret_that_is_in_its_own_mark_has_none() {
        let scrubber = scrubber(&[("api", "SECRET")]);
        assert_eq!(scrubber.scrub("a secret."), "a […].");
    }

    #[test]
    fn other_text_stays_and_is_not_copied() {
        let scrubber = scrubber(&[("api", VALUE), ("key", &"A".repeat(5000))]);
        for text in ["", "x-request-id", "q7zp2xw9klm4vt8sb1n"] {
            assert!(matches!(scrubber.scrub(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn of_what_is_longer_than_a_name_only_the_value_itself_is_looked_for() {
        assert_eq!(forms(&[b'A'; LONGEST + 1]).len(), 1);
        assert!(
            forms(b"0123456789abcdef")
                .iter()
                .all(|form| form.len() > 16)
        );
    }
}
