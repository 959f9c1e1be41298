//! Finding forms in a text: quick where there is none, linear whatever the text.
//!
//! Every fourth to eighth place of the text is looked at, depending on the shortest form: the four
//! bytes there are compared, by a small table of bits, with those that can stand at such a place
//! within a form. Few places pass, and there the forms themselves are compared. Text that was made
//! to pass at every place (or a secret that repeats itself) would make this slow, so the work is
//! counted, and past a bound the rest of the text is searched with an automaton instead, which
//! takes the same time for every text.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use zeroize::Zeroize;

use super::forms::Form;
use super::runs::Runs;

/// How many bytes are compared first.
const GRAM: usize = 4;
/// The most bytes from one place that is looked at to the next.
const LONGEST_STRIDE: usize = 8;
/// Bits of the filter for each gram: so many more are clear than set.
const BITS_A_GRAM: usize = 64;
/// The largest filter in bits. It should stay in the first-level cache.
const MOST_BITS: usize = 1 << 17;
/// Work on a text that costs nothing, in comparisons of [`STEP`] bytes.
const FREE_WORK: usize = 4096;
/// Work for each byte of the text.
const WORK_A_BYTE: usize = 2;
/// Bytes that are compared in about the time of any comparison.
const STEP: usize = 16;

/// Forms to find, each with the number of its mark.
pub(super) struct Finder {
    /// In order, to find where one may begin at the end of a text.
    forms: Vec<(Form, u32)>,
    stride: usize,
    filter: Vec<u64>,
    /// The grams by their hash: where in `grams` those of a hash begin.
    buckets: Vec<u32>,
    grams: Vec<Gram>,
    /// How far a hash is shifted to be the number of a bit, and of a bucket.
    bit_shift: u32,
    bucket_shift: u32,
    /// Which bytes a form can begin with.
    begins: [bool; 256],
    longest: usize,
    /// Made where it is needed, which is hardly ever. Nothing if it cannot be made.
    automaton: OnceLock<Option<AhoCorasick>>,
}

/// Four bytes of a form, and where in it they are.
#[derive(Clone, Copy, Zeroize)]
struct Gram {
    bytes: u32,
    form: u32,
    offset: u32,
}

fn hash(bytes: u32) -> u32 {
    bytes.wrapping_mul(0x9e37_79b1)
}

fn gram_at(text: &[u8], at: usize) -> Option<u32> {
    let bytes = text.get(at..)?.first_chunk::<GRAM>()?;
    Some(u32::from_le_bytes(*bytes))
}

impl Finder {
    /// A finder of these forms. Each has at least [`crate::SHORTEST`] bytes.
    pub(super) fn new(mut forms: Vec<(Form, u32)>) -> Self {
        forms.retain(|(form, _)| form.len() >= GRAM);
        forms.sort_by(|a, b| a.0.cmp(&b.0));
        forms.dedup_by(|a, b| a.0 == b.0);
        let lengths = || forms.iter().map(|(form, _)| form.len());
        // A form of this length or more holds a whole gram at one of any `stride` places in a row.
        let shortest = lengths().min().unwrap_or(GRAM);
        let stride = (shortest + 1 - GRAM).min(LONGEST_STRIDE);
        let mut grams: Vec<Gram> = (0..)
            .zip(&forms)
            .flat_map(|(number, (form, _))| {
                (0..)
                    .zip(form.windows(GRAM))
                    .take(stride)
                    .map(move |(offset, bytes)| Gram {
                        bytes: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
                        form: number,
                        offset,
                    })
            })
            .collect();
        grams.sort_unstable_by_key(|gram| hash(gram.bytes));
        let bits = (grams.len() * BITS_A_GRAM)
            .next_power_of_two()
            .clamp(64, MOST_BITS);
        let bit_shift = 32 - bits.ilog2();
        let bucket_bits = grams.len().next_power_of_two().ilog2().clamp(1, 16);
        let bucket_shift = 32 - bucket_bits;
        let mut filter = vec![0_u64; bits / 64];
        let mut buckets = vec![0_u32; (1 << bucket_bits) + 1];
        for gram in &grams {
            let bit = (hash(gram.bytes) >> bit_shift) as usize;
            filter[bit / 64] |= 1 << (bit % 64);
            buckets[(hash(gram.bytes) >> bucket_shift) as usize + 1] += 1;
        }
        for at in 1..buckets.len() {
            buckets[at] += buckets[at - 1];
        }
        let mut begins = [false; 256];
        for (form, _) in &forms {
            begins[usize::from(form[0])] = true;
        }
        Self {
            longest: lengths().max().unwrap_or(0),
            forms,
            stride,
            filter,
            buckets,
            grams,
            bit_shift,
            bucket_shift,
            begins,
            automaton: OnceLock::new(),
        }
    }

    /// Adds every occurrence of every form in the text.
    pub(super) fn find(&self, text: &[u8], runs: &mut Runs) {
        let mut work = 0;
        let mut from = 0;
        while let Some((at, gram)) = self.candidate(text, from) {
            work += self.compare(text, at, gram, runs);
            from = at + self.stride;
            if work > FREE_WORK + WORK_A_BYTE * at
                && let Some(automaton) = self.automaton()
            {
                // An occurrence that has not been found yet begins after the last place but one.
                let from = from.saturating_sub(self.stride);
                for found in automaton.find_overlapping_iter(&text[from..]) {
                    let mark = self.forms[found.pattern().as_usize()].1;
                    runs.add(from + found.start(), from + found.end(), mark);
                }
                return;
            }
        }
    }

    /// The next place, of those that are looked at, that passes the filter.
    fn candidate(&self, text: &[u8], from: usize) -> Option<(usize, u32)> {
        let mut at = from;
        loop {
            let gram = gram_at(text, at)?;
            let bit = (hash(gram) >> self.bit_shift) as usize;
            if self.filter[bit / 64] >> (bit % 64) & 1 == 1 {
                return Some((at, gram));
            }
            at += self.stride;
        }
    }

    /// Adds the forms that have this gram at this place, and tells how much work it was.
    fn compare(&self, text: &[u8], at: usize, gram: u32, runs: &mut Runs) -> usize {
        let bucket = (hash(gram) >> self.bucket_shift) as usize;
        let (first, last) = (self.buckets[bucket], self.buckets[bucket + 1]);
        let grams = &self.grams[first as usize..last as usize];
        let mut work = 1 + grams.len();
        for Gram { form, offset, .. } in grams.iter().filter(|known| known.bytes == gram) {
            let (form, mark) = &self.forms[*form as usize];
            let Some(start) = at.checked_sub(*offset as usize) else {
                continue;
            };
            let end = start + form.len();
            if runs.covers(start, end) {
                continue;
            }
            work += form.len() / STEP;
            if text.get(start..end) == Some(form.as_slice()) {
                runs.add(start, end, *mark);
            }
        }
        work
    }

    #[cfg(test)]
    pub(super) fn has_automaton(&self) -> bool {
        self.automaton.get().is_some()
    }

    fn automaton(&self) -> Option<&AhoCorasick> {
        self.automaton
            .get_or_init(|| {
                AhoCorasick::builder()
                    .match_kind(MatchKind::Standard)
                    .kind(Some(AhoCorasickKind::ContiguousNFA))
                    .build(self.forms.iter().map(|(form, _)| form.as_slice()))
                    .ok()
            })
            .as_ref()
    }

    /// The first place at which a form may begin that goes on past the end of the text.
    pub(super) fn unfinished(&self, text: &[u8]) -> Option<usize> {
        let reach = text.len().saturating_sub(self.longest.saturating_sub(1));
        (reach..text.len())
            .find(|&at| self.begins[usize::from(text[at])] && self.has_longer(&text[at..]))
    }

    /// Whether some form begins with this and goes on.
    fn has_longer(&self, beginning: &[u8]) -> bool {
        let at = self
            .forms
            .partition_point(|(form, _)| form.as_slice() <= beginning);
        self.forms
            .get(at)
            .is_some_and(|(form, _)| form.starts_with(beginning))
    }
}

impl Drop for Finder {
    fn drop(&mut self) {
        // The forms wipe themselves. What the automaton holds is freed, and not wiped by us.
        self.grams.zeroize();
        self.filter.zeroize();
    }
}
