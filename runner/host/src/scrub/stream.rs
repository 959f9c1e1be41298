//! Scrubbing a stream: holds back only what may be the beginning of a secret.

use bytes::Bytes;
use zeroize::Zeroizing;

use super::Scrubber;

/// Takes a stream chunk by chunk. What it gives, put together, is what [`Scrubber::scrub_bytes`]
/// gives for the whole, however the chunks fall.
pub struct StreamScrubber {
    scrubber: Scrubber,
    held: Zeroizing<Vec<u8>>,
}

impl StreamScrubber {
    pub(super) fn new(scrubber: Scrubber) -> Self {
        Self {
            scrubber,
            held: Zeroizing::default(),
        }
    }

    /// Takes a chunk and gives what is certain by now.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let Some(automaton) = self.scrubber.0.clone() else {
            return chunk;
        };
        let untouched = self.held.is_empty()
            && !automaton.search.is_match(&chunk)
            && automaton.unfinished(&chunk, 0) == chunk.len();
        if untouched {
            return chunk;
        }
        self.held.extend_from_slice(&chunk);
        let bytes = self.held.as_slice();
        let mut out = Vec::with_capacity(bytes.len());
        let mut done = 0;
        let mut hold = automaton.unfinished(bytes, 0);
        for found in automaton.search.find_iter(bytes) {
            if found.start() >= hold {
                break;
            }
            out.extend_from_slice(&bytes[done..found.start()]);
            out.extend_from_slice(automaton.marks[found.pattern().as_usize()].as_bytes());
            done = found.end();
            if done > hold {
                hold = automaton.unfinished(bytes, done);
            }
        }
        out.extend_from_slice(&bytes[done..hold]);
        self.held.drain(..hold);
        out.into()
    }

    /// Gives what was held back: the stream is over.
    pub fn finish(&mut self) -> Bytes {
        let rest = std::mem::take(&mut self.held);
        Bytes::from(self.scrubber.scrub_bytes(&rest).into_owned())
    }
}
