//! Scrubbing a stream: holds back only what may be the beginning of a secret.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::unwrap::base64_before;
use super::{Scrubber, Search};

/// Takes a stream chunk by chunk. What it gives, put together, is what [`Scrubber::scrub_bytes`]
/// gives for the whole, however the chunks fall.
pub struct StreamScrubber {
    scrubber: Scrubber,
    /// The end of what came, which may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
    /// How much of that belongs to a secret already, whose mark has been given.
    covered: usize,
    /// How many characters of base64 came directly before it.
    before: usize,
}

impl StreamScrubber {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        Self {
            scrubber,
            held: Zeroizing::default(),
            covered: 0,
            before: 0,
        }
    }

    /// Takes a chunk and gives what is certain by now.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let Some(search) = self.scrubber.0.clone() else {
            return chunk;
        };
        if !self.held.is_empty() {
            let mut text = Zeroizing::new(Vec::with_capacity(self.held.len() + chunk.len()));
            text.extend_from_slice(&self.held);
            text.extend_from_slice(&chunk);
            let hold = search.unfinished(&text, self.before);
            let clean = self.clean(&search, &text, hold);
            return clean.map_or_else(|| Bytes::copy_from_slice(&text[..hold]), Bytes::from);
        }
        let hold = search.unfinished(&chunk, self.before);
        let clean = self.clean(&search, &chunk, hold);
        clean.map_or_else(|| chunk.slice(..hold), Bytes::from)
    }

    /// Gives what was held back: the stream is over.
    pub fn finish(&mut self) -> Bytes {
        let Some(search) = self.scrubber.0.clone() else {
            return Bytes::new();
        };
        let rest = std::mem::take(&mut self.held);
        let clean = self.clean(&search, &rest, rest.len());
        clean.map_or_else(|| Bytes::copy_from_slice(&rest), Bytes::from)
    }

    #[cfg(test)]
    pub(super) fn holds(&self) -> usize {
        self.held.len()
    }

    /// The text up to `hold` without secrets, or nothing if it is as it was. Keeps the rest.
    fn clean(&mut self, search: &Search, text: &[u8], hold: usize) -> Option<Vec<u8>> {
        let runs = search.runs(text, self.before);
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
        if done < hold {
            out.extend_from_slice(&text[done..hold]);
        }
        self.covered = done.saturating_sub(hold);
        self.before = base64_before(&text[..hold], self.before);
        self.held = Zeroizing::new(text[hold..].to_vec());
        (!unchanged).then_some(out)
    }
}
