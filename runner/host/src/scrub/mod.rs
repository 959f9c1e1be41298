//! Removes secrets from what leaves a run: their bytes, and every usual way to write them.
//!
//! One automaton over all forms of all secrets of a run. It finds what is written plainly or in
//! a usual encoding; it cannot find what a guest that was *shown* a secret (`reveal`) disguises.

mod forms;
mod stream;

use std::borrow::Cow;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use zeroize::Zeroizing;

pub use stream::StreamScrubber;

/// Takes the place of a secret where its name would itself contain one. Too short to.
const NAMELESS: &str = "[…]";

/// Replaces secrets by `[secret NAME]`. Cheap to clone.
#[derive(Clone, Default)]
pub struct Scrubber(Option<Arc<Automaton>>);

struct Automaton {
    search: AhoCorasick,
    /// What stands in place of each pattern, by its number.
    marks: Vec<Arc<str>>,
    /// All patterns in order, to find where one may begin at the end of a chunk.
    sorted: Vec<Zeroizing<Vec<u8>>>,
    /// Which bytes a pattern can begin with.
    begins: [bool; 256],
    longest: usize,
}

/// The forms of the secrets are too many to search for.
#[derive(Debug, thiserror::Error)]
#[error("the secrets of this run are too large to be searched for together: {0}")]
pub struct TooManyForms(String);

impl Scrubber {
    /// Nothing to remove.
    pub fn none() -> Self {
        Self::default()
    }

    /// Removes these secrets, given as name and value. Values below [`crate::SHORTEST`] bytes
    /// must have been refused before: they would be found everywhere.
    ///
    /// # Errors
    /// The secrets together are too large for an automaton.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, TooManyForms> {
        let mut patterns: Vec<(Zeroizing<Vec<u8>>, Arc<str>)> = Vec::new();
        for (name, value) in secrets {
            let mark: Arc<str> = format!("[secret {name}]").into();
            patterns.extend(
                forms::of(value)
                    .into_iter()
                    .map(|form| (form, mark.clone())),
            );
        }
        patterns.sort_by(|a, b| a.0.cmp(&b.0));
        patterns.dedup_by(|a, b| a.0 == b.0);
        if patterns.is_empty() {
            return Ok(Self::none());
        }
        let search = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(patterns.iter().map(|(form, _)| form.as_slice()))
            .map_err(|error| TooManyForms(error.to_string()))?;
        let (sorted, mut marks): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        for mark in &mut marks {
            if search.is_match(mark.as_bytes()) {
                *mark = NAMELESS.into();
            }
        }
        let mut begins = [false; 256];
        for form in &sorted {
            if let Some(first) = form.first() {
                begins[usize::from(*first)] = true;
            }
        }
        let longest = sorted.iter().map(|form| form.len()).max().unwrap_or(0);
        Ok(Self(Some(Arc::new(Automaton {
            search,
            marks,
            sorted,
            begins,
            longest,
        }))))
    }

    /// Whether there is nothing to remove.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The text without secrets.
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.scrub_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret that is not text can match within a character; what is left of it is not
            // text either.
            Cow::Owned(bytes) => Cow::Owned(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            }),
        }
    }

    /// The bytes without secrets.
    pub fn scrub_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        match &self.0 {
            Some(automaton) if automaton.search.is_match(bytes) => {
                let mut out = Vec::with_capacity(bytes.len());
                let mut done = 0;
                for found in automaton.search.find_iter(bytes) {
                    out.extend_from_slice(&bytes[done..found.start()]);
                    out.extend_from_slice(automaton.marks[found.pattern().as_usize()].as_bytes());
                    done = found.end();
                }
                out.extend_from_slice(&bytes[done..]);
                Cow::Owned(out)
            }
            _ => Cow::Borrowed(bytes),
        }
    }

    /// One that takes a stream chunk by chunk and gives what the whole would have given.
    pub fn stream(&self) -> StreamScrubber {
        StreamScrubber::new(self.clone())
    }
}

impl Automaton {
    /// The first place from `from` on at which a secret may begin that goes on past the end.
    fn unfinished(&self, bytes: &[u8], from: usize) -> usize {
        let reach = bytes.len().saturating_sub(self.longest - 1);
        (from.max(reach)..bytes.len())
            .find(|&at| self.begins[usize::from(bytes[at])] && self.has_longer(&bytes[at..]))
            .unwrap_or(bytes.len())
    }

    /// Whether some pattern begins with this and goes on.
    fn has_longer(&self, beginning: &[u8]) -> bool {
        let at = self
            .sorted
            .partition_point(|form| form.as_slice() <= beginning);
        self.sorted
            .get(at)
            .is_some_and(|form| form.starts_with(beginning))
    }
}

#[cfg(test)]
mod tests;
