//! Removes secrets from what leaves a run: their bytes, and every usual way to write them.
//!
//! It finds what is written plainly or in a usual encoding, also where a writer has broken base64
//! or hexadecimal into lines; it cannot find what a guest that was *shown* a secret (`reveal`)
//! disguises. Every byte of every occurrence is removed: where two overlap, one mark takes the
//! place of both.

mod find;
mod forms;
mod runs;
mod stream;
mod unwrap;

use std::borrow::Cow;
use std::sync::Arc;

use find::Finder;
use runs::{Run, Runs};
pub use stream::StreamScrubber;
use unwrap::Unwrapped;

/// Takes the place of a secret where its name would itself contain one. Too short to.
const NAMELESS: &str = "[…]";

/// The most bytes of all forms together.
const MOST: usize = 64 << 20;

/// Replaces secrets by `[secret NAME]`. Cheap to clone.
#[derive(Clone, Default)]
pub struct Scrubber(Option<Arc<Search>>);

struct Search {
    /// All forms, in the text as it is.
    plain: Finder,
    /// Those that are broken into lines, in the text without the breaks.
    wrapped: Finder,
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
        let (mut plain, mut wrapped) = (Vec::new(), Vec::new());
        let mut marks: Vec<Arc<str>> = Vec::new();
        for (number, (name, value)) in (0..).zip(secrets) {
            let forms = forms::of(value);
            plain.extend(forms.plain.into_iter().map(|form| (form, number)));
            wrapped.extend(forms.wrapped.into_iter().map(|form| (form, number)));
            marks.push(Arc::from(format!("[secret {name}]")));
        }
        if marks.is_empty() {
            return Ok(Self::none());
        }
        let bytes = plain.iter().map(|(form, _)| form.len()).sum();
        if bytes > MOST {
            return Err(TooManyForms(bytes));
        }
        let mut search = Search {
            plain: Finder::new(plain),
            wrapped: Finder::new(wrapped),
            marks: Vec::new(),
        };
        for mark in &mut marks {
            if !search.runs(mark.as_bytes(), 0).is_empty() {
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
        let runs = search.runs(bytes, 0);
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

    /// What is to be removed from the text. `before` characters of base64 stand before it.
    fn runs(&self, text: &[u8], before: usize) -> Vec<Run> {
        let mut runs = Runs::default();
        self.plain.find(text, &mut runs);
        if let Some(unwrapped) = Unwrapped::of(text, before) {
            let mut more = Runs::default();
            self.wrapped.find(&unwrapped.bytes, &mut more);
            for run in more.into_ordered() {
                runs.add_mapped(run, |at| unwrapped.place(at));
            }
        }
        runs.into_ordered()
    }

    /// The first place at which a secret may begin that goes on past the end of the text.
    fn unfinished(&self, text: &[u8], before: usize) -> usize {
        let plain = self.plain.unfinished(text);
        let wrapped = Unwrapped::of(text, before).and_then(|unwrapped| {
            let at = self.wrapped.unfinished(&unwrapped.bytes)?;
            Some(unwrapped.place(at))
        });
        let first = plain.into_iter().chain(wrapped).min();
        first.unwrap_or(text.len())
    }
}

#[cfg(test)]
mod tests;
