//! Finding forms in a text: quick where there is none, linear whatever the text.
//!
//! Every fourth to eighth place of the text is looked at, depending on the shortest form: the four
//! bytes there are compared, by a small table of bits, with those that can stand at such a place
//! within a form. Few places pass, and there the forms themselves are compared. Text that was made
//! to pass at every place (or a secret that repeats itself) would make this slow, so the work is
//! counted, and past a bound the rest of the text is searched with an automaton instead, which
//! takes the same time for every text.
//!
//! A form of which characters are escaped, or whose lines are broken, has a first *seam*: the
//! first place that is not taken as it is. Where many bytes stand before it, they are found as
//! above, and the form is followed from there on. Where few do, it is found from the seam. That
//! work is counted too. There is no automaton for it: a text that is nearly a secret in escapes
//! nearly everywhere is given up, and nothing of it may be shown.

use super::breaks;
use super::escapes::{LEVELS, Reader};
use super::runs::{Run, Runs};
use super::spelled::{self, Steps, is_seam};
use super::table::Table;

/// Work on a text that costs nothing, in comparisons of [`STEP`] bytes.
const FREE_WORK: usize = 4096;
/// Work for each byte of the text.
const WORK_A_BYTE: usize = 2;
/// Bytes that are compared in about the time of any comparison.
const STEP: usize = 16;
/// Steps along forms with seams that cost nothing.
const FREE_STEPS: usize = 1 << 16;
/// Steps for each byte of the text, and one more for so many forms.
const STEPS_A_BYTE: usize = 16;
const FORMS_A_STEP: usize = 8;

/// What was found in a text.
pub(super) struct Found {
    /// What is to be removed, in order.
    pub(super) runs: Vec<Run>,
    /// The first place at which a form with a seam may begin that goes on past the end.
    pub(super) unfinished: Option<usize>,
    /// Whether it was too much work. Then nothing of the text may be shown.
    pub(super) given_up: bool,
}

/// Finds every occurrence of every form. `before` characters of base64 stand directly before the
/// text.
pub(super) fn find(table: &Table, text: &[u8], before: usize) -> Found {
    let mut search = Search {
        table,
        reader: Reader::new(text),
        before,
        runs: Runs::default(),
        unfinished: None,
        steps: Steps::at_most(
            FREE_STEPS + text.len() * (STEPS_A_BYTE + table.len() / FORMS_A_STEP),
        ),
    };
    search.scan();
    search.look_at_seams();
    Found {
        given_up: search.steps.are_too_many(),
        runs: search.runs.into_ordered(),
        unfinished: search.unfinished,
    }
}

struct Search<'a> {
    table: &'a Table,
    reader: Reader<'a>,
    before: usize,
    runs: Runs,
    unfinished: Option<usize>,
    /// Steps along forms with seams.
    steps: Steps,
}

impl Search<'_> {
    /// Forms as they are, and those that have seams, but not near their beginning.
    fn scan(&mut self) {
        let (table, text) = (self.table, self.reader.text());
        let (mut work, mut by_automaton) = (0, false);
        let mut seams = NextSeam::default();
        let mut from = 0;
        while let Some((at, gram)) = table.candidate(text, from) {
            from = at + table.stride();
            let (known, compared) = table.known(gram);
            work += compared;
            for known in known {
                let Some(start) = at.checked_sub(known.offset as usize) else {
                    continue;
                };
                let (form, mark) = table.form(known.form);
                let end = start + form.len();
                if !by_automaton && !self.runs.covers(start, end) {
                    work += form.len() / STEP;
                    if text.get(start..end) == Some(form) {
                        self.runs.add(start, end, mark);
                    }
                }
                let seam = seams.after(text, start);
                if seam < end.min(text.len()) {
                    self.steps.take(1 + (seam - start) / STEP);
                    if text[start..seam] == form[..seam - start] {
                        self.follow(known.form, start, seam);
                    }
                }
            }
            if self.steps.are_too_many() {
                return;
            }
            if !by_automaton
                && work > FREE_WORK + WORK_A_BYTE * at
                && let Some(automaton) = table.automaton()
            {
                by_automaton = true;
                // An occurrence that has not been found yet begins after the last place but one.
                let from = at.saturating_sub(table.stride());
                for found in automaton.find_overlapping_iter(&text[from..]) {
                    let (_, mark) = table.form(found.pattern().as_u32());
                    self.runs
                        .add(from + found.start(), from + found.end(), mark);
                }
                // What is left to find has seams.
                if seams.after(text, from) == text.len() {
                    return;
                }
            }
        }
    }

    /// Forms that have a seam near their beginning.
    fn look_at_seams(&mut self) {
        let text = self.reader.text();
        for seam in memchr::memchr3_iter(b'%', b'\\', b'&', text) {
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
                self.look_for(seam, b" ", seam + 1);
            }
        }
    }

    fn look_at_escape(&mut self, seam: usize) {
        for level in 1..=LEVELS {
            let Some(escape) = self.reader.escape(seam, level) else {
                continue;
            };
            self.look_for(seam, escape.bytes(), escape.next);
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
        let ran_out = self.reader.ran_out();
        self.look_behind_break(seam, level);
        self.reader.set_ran_out(ran_out);
    }

    fn look_behind_break(&mut self, seam: usize, level: u8) {
        let Some(next) = breaks::behind(&self.reader, seam, level, self.before) else {
            self.reader.ran_out();
            return;
        };
        if let Some(byte) = self.reader.raw(next) {
            self.look_for(seam, &[byte], next + 1);
        }
        for level in 1..=LEVELS {
            if let Some(escape) = self.reader.escape(next, level) {
                self.look_for(seam, escape.bytes(), escape.next);
            }
        }
        if self.reader.ran_out() {
            self.hold_before(seam);
        }
    }

    /// Follows the forms that can have these bytes where the seam is, and what stands at `next`
    /// behind them.
    fn look_for(&mut self, seam: usize, bytes: &[u8], next: usize) {
        let (table, text) = (self.table, self.reader.text());
        let ran_out = self.reader.ran_out();
        let mut behind = None;
        for (form, start) in table.at_seam(text, seam, bytes[0]) {
            let Some(rest) = table.form(form).0[seam - start..].strip_prefix(bytes) else {
                continue;
            };
            let behind = *behind.get_or_insert_with(|| Behind::at(&self.reader, next));
            if rest.first().is_none_or(|wanted| behind.may_be(*wanted)) {
                self.follow(form, start, seam);
            }
        }
        self.reader.set_ran_out(ran_out);
        if bytes == b"+" && table.has_spaces() {
            self.look_for(seam, b" ", next);
        }
    }

    /// Adds the form where it begins at `start`, stands as it is up to `seam`, and goes on there.
    fn follow(&mut self, form: u32, start: usize, seam: usize) {
        let (form, mark) = self.table.form(form);
        let runs = &mut self.runs;
        self.reader.ran_out();
        spelled::ends(
            &self.reader,
            self.before,
            form,
            start,
            seam,
            &mut self.steps,
            |end| runs.add(start, end, mark),
        );
        if self.reader.ran_out() {
            self.hold(start);
        }
    }

    fn hold(&mut self, at: usize) {
        let first = self.unfinished.unwrap_or(at);
        self.unfinished = Some(first.min(at));
    }

    /// Holds what may be the beginning of a form that goes on at a seam.
    fn hold_before(&mut self, seam: usize) {
        if let Some(at) = self.table.unfinished(&self.reader.text()[..seam]) {
            self.hold(at);
        }
    }
}

/// What a place may be read as.
#[derive(Clone, Copy)]
enum Behind {
    Bytes([u8; 1 + LEVELS as usize]),
    /// Not looked at closely.
    Anything,
}

impl Behind {
    fn at(reader: &Reader<'_>, at: usize) -> Self {
        reader.ran_out();
        let Some(byte) = reader.raw(at) else {
            return Self::Anything;
        };
        let mut bytes = [byte; 1 + LEVELS as usize];
        if is_seam(byte) {
            for level in 1..=LEVELS {
                if let Some(escape) = reader.escape(at, level) {
                    bytes[usize::from(level)] = escape.bytes()[0];
                }
            }
        }
        // A break, or a space.
        let is_more = bytes.iter().any(|byte| b"\n\r+".contains(byte));
        if is_more || reader.ran_out() {
            return Self::Anything;
        }
        Self::Bytes(bytes)
    }

    fn may_be(&self, wanted: u8) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.contains(&wanted),
            Self::Anything => true,
        }
    }
}

/// The next seam after a place, for places that hardly go backwards.
#[derive(Default)]
struct NextSeam {
    escape: Next,
    other: Next,
}

impl NextSeam {
    /// The first seam at a place or behind it; the end of the text if there is none.
    fn after(&mut self, text: &[u8], at: usize) -> usize {
        let escape = |text: &[u8]| memchr::memchr3(b'%', b'\\', b'&', text);
        let other = |text: &[u8]| memchr::memchr3(b'\n', b'\r', b'+', text);
        let escape = self.escape.after(text, at, escape);
        escape.min(self.other.after(text, at, other))
    }
}

/// The next of some bytes.
#[derive(Default)]
struct Next {
    /// From here on there is none before `to`.
    from: usize,
    to: usize,
}

impl Next {
    fn after(&mut self, text: &[u8], at: usize, find: impl Fn(&[u8]) -> Option<usize>) -> usize {
        if at < self.from {
            return find(&text[at..self.from]).map_or(self.to, |found| at + found);
        }
        if at >= self.to {
            self.from = at;
            self.to = find(&text[at..]).map_or(text.len(), |found| at + found);
        }
        self.to
    }
}
