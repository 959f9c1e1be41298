//! The forms to find, and the tables by which they are found quickly.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use zeroize::Zeroize;

use super::forms::Form;

/// How many bytes are compared first.
const GRAM: usize = 4;
/// The most bytes from one place that is looked at to the next.
const LONGEST_STRIDE: usize = 8;
/// Bits of the filter for each gram: so many more are clear than set.
const BITS_A_GRAM: usize = 64;
/// The largest filter in bits. It should stay in the first-level cache.
const MOST_BITS: usize = 1 << 17;
/// How many bytes before a gram's last are not found by a gram that ends there.
const HEAD: usize = GRAM - 1;

/// Forms to find, each with the number of its mark.
pub(super) struct Table {
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
    /// For each byte, the forms that have it among their first [`HEAD`] bytes: those of a byte
    /// begin in `heads` where `head_begins` says. Each is a form, and where in it.
    heads: Vec<(u32, u8)>,
    head_begins: Vec<u32>,
    /// Whether a form has a space, which may be written as `+`.
    spaces: bool,
    longest: usize,
    /// Made where it is needed, which is hardly ever. Nothing if it cannot be made.
    automaton: OnceLock<Option<AhoCorasick>>,
}

/// Four bytes of a form, and where in it they are.
#[derive(Clone, Copy, Zeroize)]
pub(super) struct Gram {
    bytes: u32,
    pub(super) form: u32,
    pub(super) offset: u32,
}

fn hash(bytes: u32) -> u32 {
    bytes.wrapping_mul(0x9e37_79b1)
}

/// The forms by their first bytes.
fn heads(forms: &[(Form, u32)]) -> (Vec<(u32, u8)>, Vec<u32>) {
    let mut begins = vec![0_u32; 257];
    let each = || {
        (0..).zip(forms).flat_map(|(number, (form, _))| {
            let head = (0..).zip(form.iter().take(HEAD));
            head.map(move |(offset, byte)| (usize::from(*byte), (number, offset)))
        })
    };
    for (byte, _) in each() {
        begins[byte + 1] += 1;
    }
    for at in 1..begins.len() {
        begins[at] += begins[at - 1];
    }
    let mut next = begins.clone();
    let mut heads = vec![(0, 0); begins[256] as usize];
    for (byte, head) in each() {
        heads[next[byte] as usize] = head;
        next[byte] += 1;
    }
    next.zeroize();
    (heads, begins)
}

fn gram_at(text: &[u8], at: usize) -> Option<u32> {
    let bytes = text.get(at..)?.first_chunk::<GRAM>()?;
    Some(u32::from_le_bytes(*bytes))
}

impl Table {
    /// A table of these forms. Each has at least [`crate::SHORTEST`] bytes.
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
        let (heads, head_begins) = heads(&forms);
        Self {
            longest: lengths().max().unwrap_or(0),
            heads,
            head_begins,
            spaces: forms.iter().any(|(form, _)| form.contains(&b' ')),
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

    /// From one place that is looked at to the next.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    pub(super) fn form(&self, number: u32) -> (&[u8], u32) {
        let (form, mark) = &self.forms[number as usize];
        (form, *mark)
    }

    pub(super) fn len(&self) -> usize {
        self.forms.len()
    }

    /// Whether a form has a space, which may be written as `+`.
    pub(super) fn has_spaces(&self) -> bool {
        self.spaces
    }

    /// The next place, of those that are looked at, that passes the filter.
    pub(super) fn candidate(&self, text: &[u8], from: usize) -> Option<(usize, u32)> {
        let mut at = from;
        loop {
            let gram = gram_at(text, at)?;
            if self.may_know(gram) {
                return Some((at, gram));
            }
            at += self.stride;
        }
    }

    /// The beginnings of forms that have these bytes, and how many were compared.
    pub(super) fn known(&self, gram: u32) -> (impl Iterator<Item = Gram>, usize) {
        let bucket = (hash(gram) >> self.bucket_shift) as usize;
        let (first, last) = (self.buckets[bucket], self.buckets[bucket + 1]);
        let grams = &self.grams[first as usize..last as usize];
        let known = grams.iter().filter(move |known| known.bytes == gram);
        (known.copied(), 1 + grams.len())
    }

    /// The forms that can begin so many bytes before a seam that stands for this byte, with
    /// nothing escaped before it: the number of the form, and where it begins.
    pub(super) fn at_seam(
        &self,
        text: &[u8],
        seam: usize,
        byte: u8,
    ) -> impl Iterator<Item = (u32, usize)> {
        let (first, last) = (
            self.head_begins[usize::from(byte)],
            self.head_begins[usize::from(byte) + 1],
        );
        let near = self.heads[first as usize..last as usize].iter();
        let near = near.map(|(form, offset)| (*form, usize::from(*offset)));
        let gram = seam
            .checked_sub(HEAD)
            .map(|at| u32::from_le_bytes([text[at], text[at + 1], text[at + 2], byte]))
            .filter(|gram| self.may_know(*gram));
        let far = gram.into_iter().flat_map(|gram| self.known(gram).0);
        let far = far.map(|gram| (gram.form, gram.offset as usize + HEAD));
        near.chain(far).filter_map(move |(form, offset)| {
            let start = seam.checked_sub(offset)?;
            let head = &self.forms[form as usize].0[..offset];
            (text[start..seam] == *head).then_some((form, start))
        })
    }

    fn may_know(&self, gram: u32) -> bool {
        let bit = (hash(gram) >> self.bit_shift) as usize;
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[cfg(test)]
    pub(super) fn has_automaton(&self) -> bool {
        self.automaton.get().is_some()
    }

    pub(super) fn automaton(&self) -> Option<&AhoCorasick> {
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

impl Drop for Table {
    fn drop(&mut self) {
        // The forms wipe themselves. What the automaton holds is freed, and not wiped by us.
        self.grams.zeroize();
        self.heads.zeroize();
        self.head_begins.zeroize();
        self.filter.zeroize();
    }
}
