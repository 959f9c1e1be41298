//! Scrubbing a stream: holds back only what may be the beginning of a secret.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::breaks::base64_before;
use super::find::find;
use super::{NAMELESS, Scrubber, Search};

/// So much is searched again whenever something is added to it. Of more, one part of [`NEW_PART`] must
/// be new, so that a text that comes byte by byte is searched a few times, however much of it is held.
const SEARCHED_ANEW: usize = 512;
const NEW_PART: usize = 8;

/// Takes a stream chunk by chunk. What it gives, put together, is what [`Scrubber::scrub_bytes`]
/// gives for the whole, however the chunks fall.
pub struct StreamScrubber {
    scrubber: Scrubber,
    /// The end of what came, which may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
    /// How much of that has been searched.
    searched: usize,
    /// How much of it belongs to a secret already, whose mark has been given.
    covered: usize,
    /// How many characters of base64 came directly before it.
    before: usize,
    /// A part could not be searched. Nothing is given any more, for that part may have held the
    /// beginning of a secret.
    given_up: bool,
}

impl StreamScrubber {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        Self {
            scrubber,
            held: Zeroizing::default(),
            searched: 0,
            covered: 0,
            before: 0,
            given_up: false,
        }
    }

    /// Takes a chunk and gives what is certain by now.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let Some(search) = self.scrubber.0.clone() else {
            return chunk;
        };
        if self.held.is_empty() {
            return match self.clean(&search, &chunk, false) {
                Clean::AsItIs(end) => chunk.slice(..end),
                Clean::Changed(bytes) => bytes.into(),
            };
        }
        hold(&mut self.held, &chunk);
        let new = self.held.len() - self.searched;
        if self.searched > SEARCHED_ANEW && new < self.searched / NEW_PART {
            return Bytes::new();
        }
        let text = std::mem::take(&mut self.held);
        match self.clean(&search, &text, false) {
            Clean::AsItIs(end) => Bytes::copy_from_slice(&text[..end]),
            Clean::Changed(bytes) => bytes.into(),
        }
    }

    /// Gives what was held back: the stream is over.
    pub fn finish(&mut self) -> Bytes {
        let Some(search) = self.scrubber.0.clone() else {
            return Bytes::new();
        };
        let rest = std::mem::take(&mut self.held);
        match self.clean(&search, &rest, true) {
            Clean::AsItIs(end) => Bytes::copy_from_slice(&rest[..end]),
            Clean::Changed(bytes) => bytes.into(),
        }
    }

    #[cfg(test)]
    pub(super) fn holds(&self) -> usize {
        self.held.len()
    }

    /// What of the text is certain, without secrets. Keeps the rest, unless there comes nothing
    /// more.
    fn clean(&mut self, search: &Search, text: &[u8], is_all: bool) -> Clean {
        if self.given_up {
            return Clean::Changed(Vec::new());
        }
        let found = find(&search.forms, text, self.before);
        if found.given_up {
            self.given_up = true;
            self.held = Zeroizing::default();
            return Clean::Changed(NAMELESS.into());
        }
        let hold = if is_all {
            text.len()
        } else {
            let plain = search.forms.unfinished(text);
            let first = plain.into_iter().chain(found.unfinished).min();
            first.unwrap_or(text.len())
        };
        let runs = found.runs;
        let unchanged = self.covered == 0 && runs.first().is_none_or(|run| run.start >= hold);
        let mut out = Vec::new();
        let mut done = self.covered;
        for run in runs.iter().take_while(|run| run.start < hold) {
            // One that overlaps what a mark stands for already has no mark of its own.
            if run.start >= done {
                out.extend_from_slice(&text[done..run.start]);
                out.extend_from_slice(search.mark(run));
            }
            done = done.max(run.end);
        }
        if !unchanged && done < hold {
            out.extend_from_slice(&text[done..hold]);
        }
        self.covered = done.saturating_sub(hold);
        self.before = base64_before(&text[..hold], self.before);
        self.held = Zeroizing::new(text[hold..].to_vec());
        self.searched = self.held.len();
        if unchanged {
            Clean::AsItIs(hold)
        } else {
            Clean::Changed(out)
        }
    }
}

/// Adds to what is held, and leaves no copy of it behind where it moves.
fn hold(held: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if held.capacity() - held.len() < chunk.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (held.len() + chunk.len())));
        larger.extend_from_slice(held);
        *held = larger;
    }
    held.extend_from_slice(chunk);
}

/// What is certain of a text.
enum Clean {
    /// So much of it, as it is.
    AsItIs(usize),
    Changed(Vec<u8>),
}
