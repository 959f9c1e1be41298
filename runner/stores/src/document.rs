//! What a store has at a place: one value or several named ones, and how long they hold.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{LARGEST, Place, SecretValue, StoreError};

/// In the place of a field: all of them, as one JSON object. For what is of use only together, such as
/// a key, its id and its token.
pub const ALL_FIELDS: &str = "*";

/// What a store has at a place.
#[derive(Debug)]
pub struct Document {
    content: Content,
    lifetime: Lifetime,
}

#[derive(Debug)]
enum Content {
    /// One value.
    Whole(SecretValue),
    /// One value, which has fields as well if it is a JSON object.
    Text(SecretValue),
    /// Named values.
    Fields(Fields),
    /// Something that is of no use, and why.
    Unusable(StoreError),
}

/// Named values.
pub type Fields = BTreeMap<String, SecretValue>;

/// How long what a store gave holds.
#[derive(Debug)]
pub enum Lifetime {
    /// Until someone changes it: it may be kept for a while, and used by many.
    Static,
    /// It was made for the one who asked, and holds while its lease is renewed.
    Leased(Lease),
}

/// What a store lends.
pub struct Lease {
    /// By what the store knows it.
    pub id: String,
    /// For how long, from when it was given.
    pub period: Duration,
    /// Whether it can be had for longer.
    pub renewable: bool,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows the identifier can end the lease.
        f.debug_struct("Lease")
            .field("period", &self.period)
            .field("renewable", &self.renewable)
            .finish_non_exhaustive()
    }
}

impl Document {
    /// One value without fields.
    pub fn whole(value: SecretValue) -> Self {
        Self::new(Content::Whole(value))
    }

    /// One value that may be a JSON object, whose members are then its fields.
    pub fn text(value: SecretValue) -> Self {
        Self::new(Content::Text(value))
    }

    /// Named values.
    pub fn fields(fields: Fields) -> Self {
        Self::new(Content::Fields(fields))
    }

    /// Nothing that could be used, and why. For what was lent all the same, and is to be given back:
    /// where nothing was, a store gives the error itself.
    pub fn unusable(error: StoreError) -> Self {
        Self::new(Content::Unusable(error))
    }

    const fn new(content: Content) -> Self {
        Self {
            content,
            lifetime: Lifetime::Static,
        }
    }

    /// The same, lent.
    #[must_use]
    pub fn lent(mut self, lease: Lease) -> Self {
        self.lifetime = Lifetime::Leased(lease);
        self
    }

    /// The same without its lease, if it is of any use; and the lease.
    pub(crate) fn split(self) -> (Result<Self, StoreError>, Option<Lease>) {
        let document = match self.content {
            Content::Unusable(error) => Err(error),
            content => Ok(Self::new(content)),
        };
        match self.lifetime {
            Lifetime::Static => (document, None),
            Lifetime::Leased(lease) => (document, Some(lease)),
        }
    }

    /// The whole value, or that of a field.
    ///
    /// # Errors
    /// There is no such field, one has to be named, or the value is empty or too large.
    pub fn value(&self, place: &Place, field: Option<&str>) -> Result<SecretValue, StoreError> {
        let no_field = |field: &str| StoreError::NoField {
            place: place.to_string(),
            field: field.to_owned(),
        };
        let value = match (&self.content, field) {
            (Content::Whole(value) | Content::Text(value), None) => value.clone(),
            (Content::Whole(_), Some(field)) => {
                return Err(StoreError::NoFields {
                    place: place.to_string(),
                    field: field.to_owned(),
                });
            }
            (Content::Text(value), Some(ALL_FIELDS)) => {
                let members = members(value.expose()).ok_or_else(|| no_field(ALL_FIELDS))?;
                object(&members, place)?
            }
            (Content::Text(value), Some(field)) => members(value.expose())
                .and_then(|mut members| members.remove(field))
                .ok_or_else(|| no_field(field))?,
            (Content::Fields(fields), Some(ALL_FIELDS)) => object(fields, place)?,
            (Content::Fields(fields), Some(field)) => {
                fields.get(field).cloned().ok_or_else(|| no_field(field))?
            }
            (Content::Fields(_), None) => {
                return Err(StoreError::FieldNeeded(place.to_string()));
            }
            // Only for who has not split it first, which gives the error itself.
            (Content::Unusable(error), _) => {
                return Err(StoreError::BadAnswer(place.to_string(), error.to_string()));
            }
        };
        match value.expose().len() {
            0 => Err(StoreError::Empty(place.to_string())),
            n if n > LARGEST => Err(StoreError::TooLarge(place.to_string())),
            _ => Ok(value),
        }
    }
}

/// Fields as a JSON object of texts.
fn object(fields: &Fields, place: &Place) -> Result<SecretValue, StoreError> {
    let bad = |why: &str| StoreError::BadAnswer(place.to_string(), why.to_owned());
    let text = |value| std::str::from_utf8(SecretValue::expose(value));
    let texts = fields.iter().map(|(name, value)| Ok((name, text(value)?)));
    let texts: Result<BTreeMap<&String, &str>, std::str::Utf8Error> = texts.collect();
    let texts =
        texts.map_err(|_| bad("one of its fields is no text, so that all cannot be had"))?;
    // Sized for the whole, so that nothing is left behind by growing: `\u0000` is the longest way to
    // write a byte.
    let most = |(name, value): (&&String, &&str)| 6 * (name.len() + value.len()) + 8;
    let mut json = Vec::with_capacity(2 + texts.iter().map(most).sum::<usize>());
    serde_json::to_writer(&mut json, &texts).map_err(|_| bad("its fields are no JSON"))?;
    Ok(SecretValue::new(json))
}

/// The members of a JSON object as values: strings as what they say, anything else as its JSON.
/// `None` if it is not an object; a member that is null is not there.
pub(crate) fn members(json: &[u8]) -> Option<Fields> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_slice(json).ok()?;
    let values = members.into_iter().filter(|(_, raw)| raw.get() != "null");
    values
        .map(|(name, raw)| Some((name.into_owned(), scalar(raw)?)))
        .collect()
}

/// A string of the text that it was read from, where it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

fn scalar(raw: &RawValue) -> Option<SecretValue> {
    let text = raw.get();
    if !text.starts_with('"') {
        return Some(SecretValue::new(text.as_bytes().to_vec()));
    }
    let Borrowed(text) = serde_json::from_str(text).ok()?;
    Some(SecretValue::new(match text {
        Cow::Borrowed(text) => text.as_bytes().to_vec(),
        Cow::Owned(text) => text.into_bytes(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            path: "kv/app".to_owned(),
            version: None,
        }
    }

    fn text(json: &str) -> Document {
        Document::text(SecretValue::new(json.into()))
    }

    #[test]
    fn members_are_what_they_say_and_anything_else_is_its_json() {
        let members = members(br#"{"a": "x\ny", "b": 7, "c": {"d": [1]}, "e": null}"#).unwrap();
        let shown: Vec<_> = members
            .iter()
            .map(|(name, value)| (name.as_str(), std::str::from_utf8(value.expose()).unwrap()))
            .collect();
        assert_eq!(shown, [("a", "x\ny"), ("b", "7"), ("c", r#"{"d": [1]}"#)]);
    }

    #[test]
    fn a_text_has_fields_only_if_it_is_an_object() {
        let object = text(r#"{"token": "hunter2"}"#);
        assert_eq!(
            object.value(&place(), Some("token")).unwrap().expose(),
            b"hunter2"
        );
        assert_eq!(
            object.value(&place(), None).unwrap().expose(),
            br#"{"token": "hunter2"}"#
        );
        for other in ["hunter2", "[1]", "\"token\""] {
            let error = text(other).value(&place(), Some("token")).unwrap_err();
            assert!(matches!(error, StoreError::NoField { .. }), "{error}");
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn a_document_with_fields_is_never_given_out_as_a_whole() {
        let fields = Fields::from([("a".to_owned(), SecretValue::new(b"x".to_vec()))]);
        let error = Document::fields(fields).value(&place(), None).unwrap_err();
        assert!(matches!(error, StoreError::FieldNeeded(_)), "{error}");
    }

    #[test]
    fn all_fields_are_had_at_once_as_an_object_of_texts() {
        let value = |text: &[u8]| SecretValue::new(text.to_vec());
        let key = ("access_key".to_owned(), value(b"AKIA"));
        let secret = ("secret_key".to_owned(), value(b"a\"b"));
        let all = Document::fields([key.clone(), secret].into());
        assert_eq!(
            all.value(&place(), Some(ALL_FIELDS)).unwrap().expose(),
            br#"{"access_key":"AKIA","secret_key":"a\"b"}"#
        );
        let object = text(r#"{ "a": "x", "b": 7, "c": null }"#);
        let all = object.value(&place(), Some(ALL_FIELDS)).unwrap();
        assert_eq!(all.expose(), br#"{"a":"x","b":"7"}"#);
        let odd = Document::fields([key, ("b".to_owned(), value(b"\xff"))].into());
        let error = odd.value(&place(), Some(ALL_FIELDS)).unwrap_err();
        assert!(matches!(error, StoreError::BadAnswer(..)), "{error}");
    }

    #[test]
    fn values_that_are_empty_or_too_large_are_refused() {
        let of = |length: usize| Document::whole(SecretValue::new(vec![b'x'; length]));
        assert!(matches!(
            of(0).value(&place(), None),
            Err(StoreError::Empty(_))
        ));
        assert!(of(LARGEST).value(&place(), None).is_ok());
        assert!(matches!(
            of(LARGEST + 1).value(&place(), None),
            Err(StoreError::TooLarge(_))
        ));
    }
}
