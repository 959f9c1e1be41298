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
//! above, and the form is followed from there on. Where few do, it is found from the seam (see
//! [`super::seams`]). That work is counted too. There is no automaton for it: a text that is nearly
//! a secret in escapes nearly everywhere is given up, and nothing of it may be shown.

use super::escapes::Reader;
use super::runs::{Run, Runs};
use super::spelled::{self, Steps};
use super::table::{Alike, GRAM, Table};

/// Work on a text that costs nothing, in comparisons of [`STEP`] bytes.
const FREE_WORK: usize = 4096;
/// Work for each byte of the text.
const WORK_A_BYTE: usize = 2;
/// Bytes that are compared in about the time of any comparison.
const STEP: usize = 16;
/// Steps along forms with seams that cost nothing.
const FREE_STEPS: usize = 1 << 16;
/// Steps for each byte of the text.
const STEPS_A_BYTE: usize = 16;

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
        steps: Steps::at_most(FREE_STEPS + text.len() * STEPS_A_BYTE),
    };
    search.scan();
    search.look_at_seams();
    Found {
        given_up: search.steps.are_too_many(),
        runs: search.runs.into_ordered(),
        unfinished: search.unfinished,
    }
}

pub(super) struct Search<'a> {
    pub(super) table: &'a Table,
    pub(super) reader: Reader<'a>,
    /// How many characters of base64 stand directly before the text.
    pub(super) before: usize,
    runs: Runs,
    unfinished: Option<usize>,
    /// Steps along forms with seams.
    pub(super) steps: Steps,
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
            for alike in known {
                let beginning = table.beginning(alike);
                let Some(start) = (at + GRAM).checked_sub(beginning.len()) else {
                    continue;
                };
                if !text[start..].starts_with(beginning) {
                    continue;
                }
                let seam = seams.after(text, start + beginning.len());
                if by_automaton && seam >= text.len().min(start + table.longest()) {
                    continue;
                }
                let walked = self.walk(alike, start, seam);
                if by_automaton {
                    self.steps.take(walked);
                } else {
                    work += walked;
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
                    let mark = table.mark(found.pattern().as_u32());
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

    /// Adds those of the forms that begin at `start` and end before the next seam, and follows
    /// those that go on there. Gives the work that it was up to there.
    fn walk(&mut self, mut alike: Alike, start: usize, seam: usize) -> usize {
        let (table, text) = (self.table, self.reader.text());
        let mut work = 1;
        loop {
            let along = table.along(alike, &text[start + alike.seen as usize..seam]);
            work += 1 + (along.seen - alike.seen) as usize / STEP;
            alike = along;
            let at = start + alike.seen as usize;
            if let Some(mark) = table.ended(alike) {
                self.runs.add(start, at, mark);
            }
            if at == seam {
                // The end of the text is asked for by [`Table::unfinished`].
                if at < text.len() {
                    self.follow(alike, start, at);
                }
                return work;
            }
            let Some(narrowed) = table.narrowed(alike, text[at]) else {
                return work;
            };
            alike = narrowed;
        }
    }

    /// Adds the forms where they begin at `start`, are alike up to what stands before `at`, and go on there.
    pub(super) fn follow(&mut self, alike: Alike, start: usize, at: usize) {
        let runs = &mut self.runs;
        self.reader.ran_out();
        spelled::ends(
            self.table,
            &self.reader,
            self.before,
            alike,
            at,
            &mut self.steps,
            |mark, end| runs.add(start, end, mark),
        );
        if self.reader.ran_out() {
            self.hold(start);
        }
    }

    /// Remembers that something may begin here that goes on past the end.
    pub(super) fn hold(&mut self, at: usize) {
        let first = self.unfinished.unwrap_or(at);
        self.unfinished = Some(first.min(at));
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
