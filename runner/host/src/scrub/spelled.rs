//! Which forms stand at a place, whichever of their characters are escaped, and whichever of their
//! lines are broken.

use std::collections::BTreeSet;

use super::breaks;
use super::escapes::{self, LEVELS, Reader};
use super::table::{Alike, Table};

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

/// Calls `found` with the mark and the end of each form that ends, of those of which something has been
/// seen before `at`. Every step is counted, and none is done beyond the most.
pub(super) fn ends(
    table: &Table,
    reader: &Reader<'_>,
    before: usize,
    alike: Alike,
    at: usize,
    steps: &mut Steps,
    mut found: impl FnMut(u32, usize),
) {
    // What has been seen of which forms, and where the rest of them should be. There is hardly ever more
    // than one way; where there are several, none is gone twice.
    let mut ways = Ways::new(Way::new(alike, at));
    while let Some(Way { alike, at, broken }) = ways.next() {
        steps.take(1);
        if steps.are_too_many() {
            return;
        }
        // One that ends before a break was found before it.
        if let Some(mark) = table.ended(alike)
            && !broken
        {
            found(mark, at);
        }
        if !table.goes_on(alike) {
            continue;
        }
        let Some(byte) = reader.raw(at) else {
            continue;
        };
        ways.add(table.narrowed(alike, byte), at + 1);
        if !is_seam(byte) {
            continue;
        }
        if byte == b'+' {
            ways.add(table.narrowed(alike, b' '), at + 1);
        }
        // A form neither begins nor ends with a break, and has none behind another: breaks without end
        // would be followed to their end again and again.
        let behind_break = |first: u8, level: u8| {
            let may_be_one = alike.seen > 0 && !broken && matches!(first, b'\n' | b'\r');
            may_be_one.then(|| breaks::behind(reader, at, level, before))?
        };
        if let Some(next) = behind_break(byte, 0) {
            ways.add_broken(alike, next);
        }
        for level in 1..=LEVELS {
            let Some(escape) = reader.escape(at, level) else {
                continue;
            };
            if let Some(next) = behind_break(escape.bytes()[0], level) {
                ways.add_broken(alike, next);
            }
            if escape.bytes() == b"+" {
                ways.add(table.narrowed(alike, b' '), escape.next);
            }
            let all_of_it = escape.bytes().iter();
            let narrowed = all_of_it
                .copied()
                .try_fold(alike, |alike, byte| table.narrowed(alike, byte));
            ways.add(narrowed, escape.next);
            if !escape.may_go_deeper() {
                break;
            }
        }
    }
}

/// What has been seen of which forms, where the rest of them should be, and whether a break was the
/// last that was passed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    alike: Alike,
    at: usize,
    broken: bool,
}

impl Way {
    fn new(alike: Alike, at: usize) -> Self {
        let broken = false;
        Self { alike, at, broken }
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

    /// A way, if there are forms on it.
    fn add(&mut self, alike: Option<Alike>, at: usize) {
        if let Some(alike) = alike {
            self.add_way(Way::new(alike, at));
        }
    }

    fn add_broken(&mut self, alike: Alike, at: usize) {
        let broken = true;
        self.add_way(Way { alike, at, broken });
    }

    fn add_way(&mut self, way: Way) {
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
