//! How many lines a controller, or what it has run, can cause: so many of a kind are told one by
//! one, and what goes on after that is counted and told by its number. So nobody can push the old
//! lines out of the record by doing for hours what is refused.
//!
//! A value with no clock and no file: whoever has both asks it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wharf_protocol::AttemptKey;

/// One more line of a kind may be told each time this has passed.
const REFILL: Duration = Duration::from_secs(60);

/// What can be folded.
pub(crate) trait Foldable: Copy + Ord {
    /// So many lines of it are told at once.
    fn burst(self) -> u32;
}

/// What may still be told, and what was not.
#[derive(Debug)]
pub(crate) struct Folds<K>(BTreeMap<K, Fold>);

#[derive(Debug)]
struct Fold {
    /// Lines that may be told now.
    lines: u32,
    /// Since when another one is waited for.
    since: Instant,
    untold: u64,
    example: Option<AttemptKey>,
}

/// What was not told one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Folded<K> {
    pub(crate) kind: K,
    pub(crate) count: u64,
    /// One attempt that it was about: the first.
    pub(crate) example: Option<AttemptKey>,
}

impl<K> Default for Folds<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Foldable> Folds<K> {
    /// So many have happened, for which there is one line. Whether it is to be told by itself;
    /// otherwise they are counted.
    pub(crate) fn happened(
        &mut self,
        kind: K,
        more: u64,
        key: Option<AttemptKey>,
        now: Instant,
    ) -> bool {
        let fold = self.of(kind, now);
        // What was counted is told before anything else of the kind.
        if fold.untold == 0 && fold.take(kind.burst(), now) {
            return true;
        }
        fold.count(more, key);
        false
    }

    /// Some have happened that are told by their number only.
    pub(crate) fn count(&mut self, kind: K, more: u64, key: Option<AttemptKey>, now: Instant) {
        self.of(kind, now).count(more, key);
    }

    /// What is to be told by its number now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Folded<K>> {
        self.tell(|kind, fold| fold.take(kind.burst(), now))
    }

    /// Everything that was not told yet. For one who leaves.
    pub(crate) fn rest(&mut self) -> Vec<Folded<K>> {
        self.tell(|_, _| true)
    }

    /// What was to be told, and could not be: it is due again when there is a line for it.
    pub(crate) fn take_back(&mut self, untold: Folded<K>, now: Instant) {
        let fold = self.of(untold.kind, now);
        fold.untold = fold.untold.saturating_add(untold.count);
        // It came before whatever was counted since.
        fold.example = untold.example.or(fold.example);
    }

    fn tell(&mut self, mut may: impl FnMut(K, &mut Fold) -> bool) -> Vec<Folded<K>> {
        let untold = self.0.iter_mut().filter(|(_, fold)| fold.untold > 0);
        untold
            .filter_map(|(kind, fold)| {
                may(*kind, fold).then(|| Folded {
                    kind: *kind,
                    count: std::mem::take(&mut fold.untold),
                    example: fold.example.take(),
                })
            })
            .collect()
    }

    fn of(&mut self, kind: K, now: Instant) -> &mut Fold {
        self.0.entry(kind).or_insert_with(|| Fold {
            lines: kind.burst(),
            since: now,
            untold: 0,
            example: None,
        })
    }
}

impl Fold {
    /// Takes the right to tell one line, if there is one.
    fn take(&mut self, burst: u32, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.since);
        let more = waited.as_secs() / REFILL.as_secs();
        self.since += Duration::from_secs(more * REFILL.as_secs());
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.lines = self.lines.saturating_add(more).min(burst);
        if self.lines == burst {
            self.since = now;
        }
        let may = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        may
    }

    fn count(&mut self, more: u64, key: Option<AttemptKey>) {
        self.untold = self.untold.saturating_add(more);
        self.example = self.example.or(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tests::key;

    const BURST: u32 = 5;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Kind {
        One,
        Other,
    }

    impl Foldable for Kind {
        fn burst(self) -> u32 {
            BURST
        }
    }

    #[test]
    fn the_first_of_a_kind_are_told_one_by_one_and_a_flood_is_a_number() {
        let now = Instant::now();
        let mut folds = Folds::default();
        let told = (0..1_000)
            .filter(|number| folds.happened(Kind::One, 1, Some(key(*number)), now))
            .count();
        assert_eq!(told, 5);
        // A flood of one kind takes nothing from another.
        assert!(folds.happened(Kind::Other, 1, None, now));
        assert!(folds.due(now).is_empty(), "its lines are used up");
        let later = now + REFILL;
        let expected = Folded {
            kind: Kind::One,
            count: 995,
            example: Some(key(5)),
        };
        assert_eq!(folds.due(later), [expected]);
        assert!(folds.due(later).is_empty());
    }

    #[test]
    fn after_a_quiet_time_all_are_told_one_by_one_again() {
        let now = Instant::now();
        let mut folds = Folds::default();
        while folds.happened(Kind::One, 1, None, now) {}
        let later = now + REFILL * 100;
        assert_eq!(folds.due(later).len(), 1);
        let told = (0..100)
            .filter(|_| folds.happened(Kind::One, 1, None, later))
            .count();
        // One line has told of the one that was counted.
        assert_eq!(told, 4);
    }

    #[test]
    fn a_flood_does_not_keep_its_own_number_from_being_told() {
        let now = Instant::now();
        let mut folds = Folds::default();
        while folds.happened(Kind::One, 1, None, now) {}
        let later = now + REFILL;
        assert!(!folds.happened(Kind::One, 1, None, later));
        assert_eq!(folds.due(later)[0].count, 2);
    }

    #[test]
    fn who_leaves_tells_everything_that_was_counted() {
        let now = Instant::now();
        let mut folds = Folds::default();
        while folds.happened(Kind::One, 1, None, now) {}
        folds.count(Kind::Other, 7, None, now);
        let rest: Vec<_> = folds.rest().iter().map(|folded| folded.count).collect();
        assert_eq!(rest, [1, 7]);
        assert!(folds.rest().is_empty());
    }

    #[test]
    fn what_could_not_be_told_is_told_later_with_what_came_since() {
        let now = Instant::now();
        let mut folds = Folds::default();
        folds.count(Kind::One, 7, Some(key(1)), now);
        let due = folds.due(now)[0];
        folds.count(Kind::One, 2, Some(key(2)), now);
        folds.take_back(due, now);
        let expected = Folded { count: 9, ..due };
        assert_eq!(folds.due(now), [expected]);
        folds.take_back(expected, now);
        // Each try takes a line: who cannot tell does not try without end.
        while let [untold] = folds.due(now)[..] {
            folds.take_back(untold, now);
        }
        assert_eq!(folds.due(now + REFILL), [expected]);
        assert!(folds.rest().is_empty());
    }

    proptest! {
        #[test]
        fn whatever_happens_the_lines_are_bounded_by_the_time_and_nothing_is_uncounted(
            steps in prop::collection::vec((0u64..40, 0u32..30, any::<bool>()), 0..200),
        ) {
            let start = Instant::now();
            let (mut now, mut folds) = (start, Folds::default());
            let (mut happened, mut lines, mut told) = (0u64, 0u64, 0u64);
            for (seconds, times, asked) in steps {
                now += Duration::from_secs(seconds);
                for _ in 0..times {
                    happened += 1;
                    if folds.happened(Kind::One, 1, None, now) {
                        lines += 1;
                        told += 1;
                    }
                }
                if asked {
                    let due = folds.due(now);
                    lines += due.len() as u64;
                    told += due.iter().map(|folded| folded.count).sum::<u64>();
                }
            }
            let refilled = now.duration_since(start).as_secs() / REFILL.as_secs();
            prop_assert!(lines <= u64::from(BURST) + refilled);
            told += folds.rest().iter().map(|folded| folded.count).sum::<u64>();
            prop_assert_eq!(told, happened);
        }
    }
}
