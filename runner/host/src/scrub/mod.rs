//! Removes secrets from what leaves a run: their bytes, and every usual way to write them.
//!
//! It finds what is written plainly or in a usual encoding, also where any of its characters are
//! escaped, in whatever mixture, or a writer has broken it into lines; it cannot find what a guest
//! that was *shown* a secret (`reveal`) disguises. Every byte of every occurrence is removed:
//! where two overlap, one mark takes the place of both.

mod breaks;
mod escapes;
mod find;
mod forms;
mod runs;
mod seams;
mod spelled;
mod stream;
mod table;

use std::borrow::Cow;
use std::sync::Arc;

use find::{Found, find};
pub(crate) use forms::base64_within;
use runs::Run;
pub use stream::StreamScrubber;
use table::Table;

/// Takes the place of a secret where its name would itself contain one, and of a text that cannot
/// be searched. Too short to contain one.
const NAMELESS: &str = "[…]";

/// The most bytes of all forms together.
const MOST: usize = 64 << 20;

/// Replaces secrets by `[secret NAME]`. Cheap to clone.
#[derive(Clone, Default)]
pub struct Scrubber(Option<Arc<Search>>);

struct Search {
    forms: Table,
    /// What stands in place of each secret, by its number.
    marks: Vec<Arc<str>>,
}

/// The forms of the secrets are too many to search for.
#[derive(Debug, thiserror::Error)]
#[error(
    "written in every form, the secrets of this run have {0} bytes, and {MOST} can be searched for: grant fewer large secrets to one plugin"
)]
pub struct TooManyForms(usize);

impl Scrubber {
    /// Nothing to remove.
    pub fn none() -> Self {
        Self::default()
    }

    /// Removes these secrets, given as name and value. Values below [`crate::SHORTEST`] bytes
    /// must have been refused before: they would be found everywhere.
    ///
    /// # Errors
    /// The secrets together are too large.
    pub fn new<'a>(
        secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, TooManyForms> {
        let mut all = Vec::new();
        let mut marks: Vec<Arc<str>> = Vec::new();
        for (number, (name, value)) in (0..).zip(secrets) {
            all.extend(forms::of(value).into_iter().map(|form| (form, number)));
            marks.push(Arc::from(format!("[secret {name}]")));
        }
        if marks.is_empty() {
            return Ok(Self::none());
        }
        let bytes = all.iter().map(|(form, _)| form.len()).sum();
        if bytes > MOST {
            return Err(TooManyForms(bytes));
        }
        let mut search = Search {
            forms: Table::new(all),
            marks: Vec::new(),
        };
        for mark in &mut marks {
            if !find(&search.forms, mark.as_bytes(), 0).runs.is_empty() {
                *mark = NAMELESS.into();
            }
        }
        search.marks = marks;
        Ok(Self(Some(Arc::new(search))))
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
        let Some(search) = &self.0 else {
            return Cow::Borrowed(bytes);
        };
        let Found { runs, given_up, .. } = find(&search.forms, bytes, 0);
        if given_up {
            return Cow::Owned(NAMELESS.into());
        }
        if runs.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        for run in runs {
            out.extend_from_slice(&bytes[done..run.start]);
            out.extend_from_slice(search.mark(&run));
            done = run.end;
        }
        out.extend_from_slice(&bytes[done..]);
        Cow::Owned(out)
    }

    /// One that takes a stream chunk by chunk and gives what the whole would have given.
    pub fn stream(&self) -> StreamScrubber {
        StreamScrubber::new(self.clone())
    }
}

impl Search {
    fn mark(&self, run: &Run) -> &[u8] {
        self.marks[run.mark as usize].as_bytes()
    }
}

#[cfg(test)]
mod tests;
