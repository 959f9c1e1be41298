//! Finding the forms that have a *seam* near their beginning: an escape, a broken line, or a plus
//! that may be a space.
//!
//! Most seams are passed by after a look into a table: the byte that stands there must be one that
//! some form has near its beginning, with what stands around it before and behind.

use super::breaks;
use super::escapes::{Glance, LEVELS, Reader, glance};
use super::find::Search;
use super::spelled::is_seam;
use super::table::{Offsets, Table};

/// Where in a form a seam may be.
const ANYWHERE: Offsets = Offsets::MAX;
/// Not at its beginning, where no form has a break.
const WITHIN: Offsets = ANYWHERE - 1;

impl Search<'_> {
    /// Forms that have a seam near their beginning.
    pub(super) fn look_at_seams(&mut self) {
        let text = self.reader.text();
        for seam in memchr::memchr3_iter(b'%', b'\\', b'&', text) {
            if self.can_be_passed(seam) {
                continue;
            }
            self.look_at_escape(seam);
            if self.steps.are_too_many() {
                return;
            }
        }
        for seam in memchr::memchr2_iter(b'\n', b'\r', text) {
            self.look_at_break(seam, 0);
        }
        if self.table.has_spaces() {
            for seam in memchr::memchr_iter(b'+', text) {
                self.look_for(seam, ANYWHERE, b" ", seam + 1);
            }
        }
    }

    /// Whether a glance at an escape tells that no form has it near its beginning.
    fn can_be_passed(&self, seam: usize) -> bool {
        let text = self.reader.text();
        match glance(text, seam) {
            Glance::None => true,
            Glance::More | Glance::Only(b'+') => false,
            Glance::Only(byte) => {
                let offsets = self.table.heads() & self.table.offsets_of(byte);
                let is_break = matches!(byte, b'\n' | b'\r');
                (offsets == 0 || self.table.fitting(text, seam, offsets) == 0)
                    && !(is_break && breaks::may_be_at(text, seam, self.before))
            }
        }
    }

    fn look_at_escape(&mut self, seam: usize) {
        for level in 1..=LEVELS {
            let Some(escape) = self.reader.escape(seam, level) else {
                continue;
            };
            self.look_for(seam, ANYWHERE, escape.bytes(), escape.next);
            if let b"\n" | b"\r" = escape.bytes() {
                self.look_at_break(seam, level);
            }
            if !escape.may_go_deeper() {
                break;
            }
        }
        if self.reader.ran_out() {
            // It may become an escape, of anything.
            self.hold(seam);
            self.hold_before(seam);
        }
    }

    /// A break, and what comes behind it. That what stands at the seam may be the beginning of something
    /// else is remembered: `&#10` is a line end, and `&#104;` is an h.
    fn look_at_break(&mut self, seam: usize, level: u8) {
        if !breaks::may_be_at(self.reader.text(), seam, self.before) {
            return;
        }
        let ran_out = self.reader.ran_out();
        self.look_behind_break(seam, level);
        self.reader.set_ran_out(ran_out);
    }

    fn look_behind_break(&mut self, seam: usize, level: u8) {
        let Some(next) = breaks::after(&self.reader, seam, level) else {
            self.reader.ran_out();
            return;
        };
        if let Some(byte) = self.reader.raw(next) {
            self.look_for(seam, WITHIN, &[byte], next + 1);
        }
        for level in 1..=LEVELS {
            if let Some(escape) = self.reader.escape(next, level) {
                self.look_for(seam, WITHIN, escape.bytes(), escape.next);
            }
        }
        if self.reader.ran_out() {
            self.hold_before(seam);
        }
    }

    /// Follows the forms that can have these bytes where the seam is, at one of these places in them,
    /// and what stands at `next` behind them.
    fn look_for(&mut self, seam: usize, places: Offsets, bytes: &[u8], next: usize) {
        let (table, text) = (self.table, self.reader.text());
        let mut offsets = places & table.heads() & table.offsets_of(bytes[0]);
        if offsets != 0 {
            offsets = table.fitting(text, seam, offsets);
        }
        if offsets != 0 {
            let ran_out = self.reader.ran_out();
            offsets &= goes_on(table, &self.reader, next) >> bytes.len();
            while offsets != 0 {
                let offset = offsets.trailing_zeros() as usize;
                offsets &= offsets - 1;
                self.steps.take(1 + offset);
                if let Some(alike) = table.at_seam(text, seam, offset, bytes) {
                    self.follow(alike, seam - offset, next);
                }
            }
            self.reader.set_ran_out(ran_out);
        }
        if bytes == b"+" && table.has_spaces() {
            self.look_for(seam, places, b" ", next);
        }
    }

    /// Holds what may be the beginning of a form that goes on at a seam.
    fn hold_before(&mut self, seam: usize) {
        if let Some(at) = self.table.unfinished(&self.reader.text()[..seam]) {
            self.hold(at);
        }
    }
}

/// At which offsets a form can go on with what stands at a place, or has ended.
fn goes_on(table: &Table, reader: &Reader<'_>, at: usize) -> Offsets {
    reader.ran_out();
    let Some(byte) = reader.raw(at) else {
        return Offsets::MAX;
    };
    let mut offsets = table.lengths() | table.offsets_of(byte);
    if is_seam(byte) {
        // A break, or a space, may be anything.
        let mut is_more = b"\n\r+".contains(&byte);
        for level in 1..=LEVELS {
            if let Some(escape) = reader.escape(at, level) {
                let byte = escape.bytes()[0];
                offsets |= table.offsets_of(byte);
                is_more |= b"\n\r+".contains(&byte);
            }
        }
        if is_more || reader.ran_out() {
            return Offsets::MAX;
        }
    }
    offsets
}
