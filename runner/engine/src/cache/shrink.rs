//! What of a folder goes, so that the rest is small and young enough. A decision: no I/O.

use std::time::{Duration, SystemTime};

use wharf_policy::ByteSize;

/// How much compiled code is kept, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    /// All files together; past it, what was not used for the longest time goes.
    pub(crate) size: ByteSize,
    /// What was not used for so long goes.
    pub(crate) age: Duration,
}

/// A file as far as keeping it is concerned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Aged<T> {
    /// Ordered by it first.
    pub(super) used: SystemTime,
    pub(super) size: u64,
    pub(super) what: T,
}

/// Which of these go.
pub(super) fn surplus<T: Ord>(mut files: Vec<Aged<T>>, keep: Keep, now: SystemTime) -> Vec<T> {
    files.sort();
    let mut total: u64 = files.iter().map(|file| file.size).sum();
    files
        .into_iter()
        .map_while(|file| {
            let goes = total > keep.size.get() || older(file.used, keep.age, now);
            total -= if goes { file.size } else { 0 };
            goes.then_some(file.what)
        })
        .collect()
}

/// Whether that long ago is past. A time that is still to come is not: clocks are set back.
pub(super) fn older(used: SystemTime, age: Duration, now: SystemTime) -> bool {
    now.duration_since(used).is_ok_and(|since| since > age)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    proptest! {
        #[test]
        fn what_is_kept_fits_and_is_younger_than_what_goes_and_no_more_goes_than_must(
            files in prop::collection::vec((0..2_000u64, 0..100u64), 0..30),
            size in 0..1_500u64,
            age in 0..1_500u64,
        ) {
            let now = at(1_000);
            let aged = |(what, (used, size)): (usize, &(u64, u64))| {
                Aged { used: at(*used), size: *size, what }
            };
            let keep = Keep { size: ByteSize::bytes(size), age: Duration::from_secs(age) };
            let gone = surplus(files.iter().enumerate().map(aged).collect(), keep, now);
            let kept: Vec<_> = (0..files.len()).filter(|at| !gone.contains(at)).collect();
            let total = |which: &[usize]| which.iter().map(|at| files[*at].1).sum::<u64>();
            prop_assert!(total(&kept) <= size);
            for at in &kept {
                prop_assert!(files[*at].0 + age >= 1_000, "too old");
                prop_assert!(gone.iter().all(|other| files[*other].0 <= files[*at].0));
            }
            // The last that went had to go.
            if let Some((last, others)) = gone.split_last() {
                let too_old = files[*last].0 + age < 1_000;
                let before = total(&(0..files.len()).collect::<Vec<_>>()) - total(others);
                prop_assert!(too_old || before > size);
            }
        }
    }
}
