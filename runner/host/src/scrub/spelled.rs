//! Whether a form stands at a place, whichever of its characters are escaped, and whichever of its
//! lines are broken.

use std::collections::BTreeSet;

use super::breaks;
use super::escapes::{self, LEVELS, Reader};

/// Work that is counted, and how much of it there may be.
pub(super) struct Steps {
    taken: usize,
    most: usize,
}

impl Steps {
    pub(super) fn at_most(most: usize) -> Self {
        Self { taken: 0, most }
    }

    pub(super) fn take(&mut self, count: usize) {
        self.taken += count;
    }

    pub(super) fn are_too_many(&self) -> bool {
        self.taken > self.most
    }
}

/// Whether a byte can be the beginning of something that is not taken as it is.
pub(super) fn is_seam(byte: u8) -> bool {
    escapes::begins(byte) || matches!(byte, b'\n' | b'\r' | b'+')
}

/// Calls `found` with each place at which the form may end that begins at `start` and stands as it is
/// up to `seam`. Every step is counted, and none is done beyond the most.
pub(super) fn ends(
    reader: &Reader<'_>,
    before: usize,
    form: &[u8],
    start: usize,
    seam: usize,
    steps: &mut Steps,
    mut found: impl FnMut(usize),
) {
    // How much of the form has been seen, and where the rest of it should be. There is hardly ever
    // more than one way; where there are several, none is gone twice.
    let mut ways = Ways::new(Way::new(seam - start, seam));
    while let Some(Way { seen, at, broken }) = ways.next() {
        steps.take(1);
        if steps.are_too_many() {
            return;
        }
        let Some(&wanted) = form.get(seen) else {
            found(at);
            continue;
        };
        let Some(byte) = reader.raw(at) else {
            continue;
        };
        if byte == wanted {
            ways.add(Way::new(seen + 1, at + 1));
        }
        if !is_seam(byte) {
            continue;
        }
        if byte == b'+' && wanted == b' ' {
            ways.add(Way::new(seen + 1, at + 1));
        }
        // A form neither begins nor ends with a break, and has none behind another: breaks without end
        // would be followed to their end again and again.
        let behind_break = |first: u8, level: u8| {
            let may_be_one = seen > 0 && !broken && matches!(first, b'\n' | b'\r');
            may_be_one.then(|| breaks::behind(reader, at, level, before))?
        };
        if let Some(next) = behind_break(byte, 0) {
            ways.add(Way::broken(seen, next));
        }
        for level in 1..=LEVELS {
            let Some(escape) = reader.escape(at, level) else {
                continue;
            };
            if let Some(next) = behind_break(escape.bytes()[0], level) {
                ways.add(Way::broken(seen, next));
            }
            if escape.bytes() == b"+" && wanted == b' ' {
                ways.add(Way::new(seen + 1, escape.next));
            }
            if form[seen..].starts_with(escape.bytes()) {
                ways.add(Way::new(seen + escape.bytes().len(), escape.next));
            }
            if !escape.may_go_deeper() {
                break;
            }
        }
    }
}

/// How much of the form has been seen, where the rest of it should be, and whether a break was the last
/// that was passed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    seen: usize,
    at: usize,
    broken: bool,
}

impl Way {
    fn new(seen: usize, at: usize) -> Self {
        let broken = false;
        Self { seen, at, broken }
    }

    fn broken(seen: usize, at: usize) -> Self {
        let broken = true;
        Self { seen, at, broken }
    }
}

struct Ways {
    next: Option<Way>,
    others: Vec<Way>,
    /// Those that have been gone since there was more than one.
    gone: BTreeSet<Way>,
    forked: bool,
}

impl Ways {
    fn new(first: Way) -> Self {
        Self {
            next: Some(first),
            others: Vec::new(),
            gone: BTreeSet::new(),
            forked: false,
        }
    }

    fn add(&mut self, way: Way) {
        if self.next.is_none() {
            self.next = Some(way);
        } else if self.next != Some(way) {
            self.forked = true;
            self.others.push(way);
        }
    }

    fn next(&mut self) -> Option<Way> {
        loop {
            let way = self.next.take().or_else(|| self.others.pop())?;
            if !self.forked || self.gone.insert(way) {
                return Some(way);
            }
        }
    }
}
