//! The parts of a text that are secrets: every byte of every occurrence, as runs that do not
//! overlap.

/// One or more occurrences that overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Where the longest of the occurrences ends that begin first: it names the run.
    head: usize,
    /// The mark of that occurrence.
    pub(super) mark: u32,
}

/// Runs in order.
#[derive(Debug, Default)]
pub(super) struct Runs {
    runs: Vec<Run>,
    unordered: bool,
}

impl Runs {
    /// Adds an occurrence. Occurrences come in order of their starts, or of their ends; others
    /// are put in order at the end.
    pub(super) fn add(&mut self, start: usize, end: usize, mark: u32) {
        self.add_run(Run {
            start,
            end,
            head: end,
            mark,
        });
    }

    fn add_run(&mut self, mut run: Run) {
        while let Some(last) = self.runs.last() {
            if last.start >= run.end {
                self.unordered = true;
                break;
            }
            if last.end <= run.start {
                break;
            }
            run = joined(*last, run);
            self.runs.pop();
        }
        self.runs.push(run);
    }

    /// The runs in order.
    pub(super) fn into_ordered(mut self) -> Vec<Run> {
        if !self.unordered {
            return self.runs;
        }
        self.runs.sort_unstable_by_key(|run| (run.start, run.end));
        let mut ordered = Self::default();
        for run in self.runs {
            ordered.add_run(run);
        }
        ordered.runs
    }
}

/// Two runs that overlap, as one.
fn joined(one: Run, other: Run) -> Run {
    let named = if (one.start, std::cmp::Reverse(one.head))
        <= (other.start, std::cmp::Reverse(other.head))
    {
        one
    } else {
        other
    };
    Run {
        start: named.start,
        end: one.end.max(other.end),
        head: named.head,
        mark: named.mark,
    }
}
