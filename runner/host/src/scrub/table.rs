//! The forms to find, and the tables by which they are found quickly.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use zeroize::Zeroize;

use super::forms::Form;

/// How many bytes are compared first.
pub(super) const GRAM: usize = 4;
/// The most bytes from one place that is looked at to the next.
const LONGEST_STRIDE: usize = 8;
/// Bits of the filter for each gram: so many more are clear than set.
const BITS_A_GRAM: usize = 64;
/// The largest filter in bits. It should stay in the first-level cache.
const MOST_BITS: usize = 1 << 17;

/// Forms to find, each with the number of its mark.
pub(super) struct Table {
    /// In order, so those that begin alike are neighbours.
    forms: Vec<(Form, u32)>,
    /// For each byte where in `forms` those begin that have it first, and the end of the last.
    by_first: Vec<u32>,
    stride: usize,
    filter: Vec<u64>,
    /// The grams by their hash: where in `grams` those of a hash begin.
    buckets: Vec<u32>,
    grams: Vec<Gram>,
    /// How far a hash is shifted to be the number of a bit, and of a bucket.
    bit_shift: u32,
    bucket_shift: u32,
    /// For each byte the offsets in forms at which it stands, a bit each.
    offsets: Vec<Offsets>,
    /// The lengths of the forms that are no longer than there are such bits.
    lengths: Offsets,
    /// Whether a form has a space, which may be written as `+`.
    spaces: bool,
    longest: usize,
    /// Made where it is needed, which is hardly ever. Nothing if it cannot be made.
    automaton: OnceLock<Option<AhoCorasick>>,
}

/// Some of the first bytes of a form: a bit for each offset.
pub(super) type Offsets = u16;

/// Forms that begin with the same bytes: so many neighbours in the table's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Zeroize)]
pub(super) struct Alike {
    first: u32,
    end: u32,
    /// How many bytes they are known to have in common.
    pub(super) seen: u32,
}

/// Four bytes of forms that are alike up to there, which are the last that are known of them.
#[derive(Clone, Copy, Zeroize)]
struct Gram {
    bytes: u32,
    alike: Alike,
}

fn hash(bytes: u32) -> u32 {
    bytes.wrapping_mul(0x9e37_79b1)
}

fn gram_at(text: &[u8], at: usize) -> Option<u32> {
    let bytes = text.get(at..)?.first_chunk::<GRAM>()?;
    Some(u32::from_le_bytes(*bytes))
}

/// The number of bytes in which both begin alike.
fn in_common(one: &[u8], other: &[u8]) -> usize {
    const BLOCK: usize = 16;
    let blocks = one.chunks_exact(BLOCK).zip(other.chunks_exact(BLOCK));
    let whole = BLOCK * blocks.take_while(|(one, other)| one == other).count();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(one, other)| one == other).count()
}

/// The grams at the first `stride` offsets: those of forms that are alike up to there as one.
fn grams(forms: &[(Form, u32)], stride: usize) -> Vec<Gram> {
    let mut grams: Vec<Gram> = Vec::new();
    for end in GRAM..GRAM + stride {
        let mut before: Option<&[u8]> = None;
        for (number, (form, _)) in (0..).zip(forms) {
            let beginning = &form[..end];
            match (before, grams.last_mut()) {
                (Some(before), Some(last)) if before == beginning => last.alike.end = number + 1,
                _ => grams.push(Gram {
                    bytes: gram_at(form, end - GRAM).unwrap_or_default(),
                    alike: Alike {
                        first: number,
                        end: number + 1,
                        seen: end as u32,
                    },
                }),
            }
            before = Some(beginning);
        }
    }
    grams
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
        let mut grams = grams(&forms, stride);
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
        let mut by_first = vec![0; 257];
        let mut offsets: Vec<Offsets> = vec![0; 256];
        for (form, _) in &forms {
            by_first[usize::from(form[0]) + 1] += 1;
            for (offset, byte) in form.iter().take(Offsets::BITS as usize).enumerate() {
                offsets[usize::from(*byte)] |= 1 << offset;
            }
        }
        for sums in [&mut buckets, &mut by_first] {
            for at in 1..sums.len() {
                sums[at] += sums[at - 1];
            }
        }
        Self {
            longest: lengths().max().unwrap_or(0),
            lengths: lengths()
                .filter(|length| *length < Offsets::BITS as usize)
                .fold(0, |all, length| all | 1 << length),
            spaces: forms.iter().any(|(form, _)| form.contains(&b' ')),
            forms,
            by_first,
            stride,
            filter,
            buckets,
            grams,
            bit_shift,
            bucket_shift,
            offsets,
            automaton: OnceLock::new(),
        }
    }

    /// From one place that is looked at to the next.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    pub(super) fn longest(&self) -> usize {
        self.longest
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

    /// The forms that may end with this gram what is seen of them, and how many were compared.
    pub(super) fn known(&self, gram: u32) -> (impl Iterator<Item = Alike>, usize) {
        let bucket = (hash(gram) >> self.bucket_shift) as usize;
        let (first, last) = (self.buckets[bucket], self.buckets[bucket + 1]);
        let grams = &self.grams[first as usize..last as usize];
        let known = grams.iter().filter(move |known| known.bytes == gram);
        (known.map(|known| known.alike), 1 + grams.len())
    }

    /// What they have in common, so far as it is known.
    pub(super) fn beginning(&self, alike: Alike) -> &[u8] {
        &self.forms[alike.first as usize].0[..alike.seen as usize]
    }

    /// The mark of the one that has nothing more.
    pub(super) fn ended(&self, alike: Alike) -> Option<u32> {
        let (form, mark) = &self.forms[alike.first as usize];
        (form.len() == alike.seen as usize).then_some(*mark)
    }

    /// Whether one of them has more.
    pub(super) fn goes_on(&self, alike: Alike) -> bool {
        alike.end - alike.first > 1 || self.ended(alike).is_none()
    }

    /// Those that go on with as much of this as all of them do. All of it, or at its end they part.
    pub(super) fn along(&self, alike: Alike, text: &[u8]) -> Alike {
        let seen = alike.seen as usize;
        let first = &self.forms[alike.first as usize].0[seen..];
        let last = &self.forms[alike.end as usize - 1].0[seen..];
        let shared = match alike.end - alike.first {
            1 => first.len(),
            _ => in_common(first, last),
        };
        Alike {
            seen: alike.seen + in_common(&first[..shared], text) as u32,
            ..alike
        }
    }

    /// Those that go on with this byte.
    pub(super) fn narrowed(&self, alike: Alike, byte: u8) -> Option<Alike> {
        let at = alike.seen as usize;
        let forms = &self.forms[alike.first as usize..alike.end as usize];
        let byte_of = |form: &(Form, u32)| form.0.get(at).copied();
        let (before, of_it) = if forms.len() == 1 {
            (0, usize::from(byte_of(&forms[0]) == Some(byte)))
        } else {
            let before = forms.partition_point(|form| byte_of(form) < Some(byte));
            let of_it = forms[before..].partition_point(|form| byte_of(form) == Some(byte));
            (before, of_it)
        };
        (of_it > 0).then(|| {
            let first = alike.first + before as u32;
            Alike {
                first,
                end: first + of_it as u32,
                seen: alike.seen + 1,
            }
        })
    }

    /// Those of all that begin with these bytes, of which there is at least one.
    fn with_beginning(&self, bytes: impl IntoIterator<Item = u8>) -> Option<Alike> {
        let mut bytes = bytes.into_iter();
        let byte = usize::from(bytes.next()?);
        let (first, end) = (self.by_first[byte], self.by_first[byte + 1]);
        let alike = Alike {
            first,
            end,
            seen: 1,
        };
        bytes.try_fold((first < end).then_some(alike)?, |alike, byte| {
            self.narrowed(alike, byte)
        })
    }

    /// At which offsets in a form a byte can stand. Only some are known: the first ones.
    pub(super) fn offsets_of(&self, byte: u8) -> Offsets {
        self.offsets[usize::from(byte)]
    }

    /// At which offsets a form can end.
    pub(super) fn lengths(&self) -> Offsets {
        self.lengths
    }

    /// At which offsets a seam can be that no gram before it finds.
    pub(super) fn heads(&self) -> Offsets {
        (1 << (self.stride + GRAM - 1)) - 1
    }

    /// Which of these offsets a seam can have, by what stands before it.
    pub(super) fn fitting(&self, text: &[u8], seam: usize, mut offsets: Offsets) -> Offsets {
        let mut back = 1_usize;
        while offsets >> back != 0 {
            let nearer: Offsets = (1 << back) - 1;
            let before = seam.checked_sub(back);
            offsets &= match before {
                Some(at) => self.offsets_of(text[at]) << back | nearer,
                None => nearer,
            };
            back += 1;
        }
        offsets
    }

    /// The forms of which so many bytes stand before a seam, where these stand.
    pub(super) fn at_seam(
        &self,
        text: &[u8],
        seam: usize,
        offset: usize,
        bytes: &[u8],
    ) -> Option<Alike> {
        let before = &text[seam.checked_sub(offset)?..seam];
        self.with_beginning(before.iter().chain(bytes).copied())
    }

    fn may_know(&self, gram: u32) -> bool {
        let bit = (hash(gram) >> self.bit_shift) as usize;
        self.filter[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[cfg(test)]
    pub(super) fn has_automaton(&self) -> bool {
        self.automaton.get().is_some()
    }

    /// Finds every form, whatever the text, in the same time.
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

    /// The mark of a form, by its number in the automaton.
    pub(super) fn mark(&self, form: u32) -> u32 {
        self.forms[form as usize].1
    }

    /// The first place at which a form may begin that goes on past the end of the text.
    pub(super) fn unfinished(&self, text: &[u8]) -> Option<usize> {
        let reach = text.len().saturating_sub(self.longest.saturating_sub(1));
        (reach..text.len()).find(|&at| {
            gram_at(text, at).is_none_or(|gram| self.may_know(gram)) && self.has_longer(&text[at..])
        })
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
        self.by_first.zeroize();
        self.offsets.zeroize();
        self.filter.zeroize();
    }
}
