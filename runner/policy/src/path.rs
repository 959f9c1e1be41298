//! Paths, compared by whole segments, and paths in which a server might see other segments.

use icu_normalizer::DecomposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::ParseError;

/// Decodings that are tried. A path that is not plain after these is not meant to be.
const ROUNDS: usize = 4;

/// Signs that only look like a slash or a backslash. Some servers take them for one all the same,
/// where they convert to a character set that has no such sign.
const TWINS: [char; 3] = ['\u{2044}', '\u{2215}', '\u{2216}'];

/// Writes other forms of a character, such as full-width ones, as what they are forms of, as some
/// servers do. By parts and not composed again, so that what is ASCII stays as it is.
const FORMS: DecomposingNormalizerBorrowed<'static> = DecomposingNormalizerBorrowed::new_nfkd();

/// A path and everything below it, by whole segments: `/api` covers `/api` and `/api/x`, not
/// `/apiary`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPrefix(String);

impl PathPrefix {
    /// Whether the path is this one or below it. An [`ambiguous`] path is below none but `/`.
    pub fn covers(&self, path: &str) -> bool {
        self.is_root()
            || (path
                .strip_prefix(self.0.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                && ambiguous(path).is_none())
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0 == "/"
    }
}

/// Why a server might see other segments in a path than are written there: because it decodes
/// twice, cuts parameters off, or takes something else for a slash or a dot.
pub fn ambiguous(path: &str) -> Option<&'static str> {
    let mut bytes = path.as_bytes().to_vec();
    let slashes = |text: &[u8]| text.iter().filter(|byte| **byte == b'/').count();
    let written = slashes(&bytes);
    for _ in 0..ROUNDS {
        if bytes.iter().any(u8::is_ascii_control) {
            return Some("it holds a control character");
        }
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Some("it holds bytes that are not UTF-8, which some servers take for others");
        };
        let plain = FORMS.normalize(text);
        let plain = plain.as_bytes();
        if text.contains(TWINS) {
            return Some("it holds a letter that some servers take for a slash or a backslash");
        }
        if plain.windows(6).any(is_wide_escape) {
            return Some("it holds a `%u` escape");
        }
        if plain.contains(&b'\\') {
            return Some("it holds a backslash, or a form of one");
        }
        if slashes(plain) != written {
            return Some("it holds an encoded slash, or a form of one");
        }
        if plain.split(|byte| *byte == b'/').any(is_dots) {
            return Some("it holds a `.` or `..` segment");
        }
        let decoded = decode(plain);
        if decoded == plain {
            return None;
        }
        bytes = decoded;
    }
    Some("it is encoded again and again")
}

/// Whether it is a `%u` escape, such as `%u002e`.
fn is_wide_escape(text: &[u8]) -> bool {
    matches!(text, [b'%', b'u' | b'U', digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether a segment is `.` or `..`, with or without spaces around, and `;parameters` behind. A
/// decoded `?` or `#` ends it as well: a proxy that decodes before it takes the query off sees the
/// segment end there.
fn is_dots(segment: &[u8]) -> bool {
    let name = segment.split(|byte| b";?#".contains(byte)).next();
    matches!(name.map(<[u8]>::trim_ascii), Some(b"." | b".."))
}

/// Undoes percent-encoding once. What is no escape is left as it is.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                plain.push(high << 4 | low);
                at += 3;
            }
            _ => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

impl Default for PathPrefix {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl TryFrom<String> for PathPrefix {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        let bad = |why: &str| ParseError::new("path", &text, why);
        if !text.starts_with('/') {
            return Err(bad("it must begin with `/`"));
        }
        // What the URL parser would change is not what a request's path will look like.
        let parsed = Url::parse(&format!("http://h{text}")).map_err(|_| bad("not a URL path"))?;
        if parsed.path() != text || text.contains("//") {
            return Err(bad(
                "write it normalised: no `..`, `//`, `?`, `#`, and specials %-encoded",
            ));
        }
        if let Some(why) = ambiguous(&text) {
            return Err(bad(&format!("{why}, and no request's path is compared so")));
        }
        if text != "/" && text.ends_with('/') {
            // It looks as if it left out the path itself, which a prefix of segments cannot say.
            return Err(bad(
                "leave out the `/` at the end: a path covers itself and all that is below it",
            ));
        }
        Ok(Self(text))
    }
}

impl From<PathPrefix> for String {
    fn from(path: PathPrefix) -> Self {
        path.0
    }
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
