//! How long to wait before the next try: longer each time, never the same for two runners.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// The waits of one series of tries.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait, with some of it left to `chance` (any number will do).
    pub(crate) fn next(&mut self, chance: u64) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.tries.min(16)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        // Between a half and the whole: a fleet that lost its controller spreads out.
        let half = whole / 2;
        let spread = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
        half + Duration::from_micros(chance % spread)
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }
}

/// Some chance. Without a source of it, the spread is lost and nothing else.
pub(crate) fn chance() -> u64 {
    getrandom::u64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_half_a_step_nor_longer_than_the_longest(
            tries in 0_usize..100,
            chance in any::<u64>(),
        ) {
            let mut backoff = Backoff::default();
            for _ in 0..tries {
                backoff.next(chance);
            }
            let wait = backoff.next(chance);
            prop_assert!(wait >= FIRST / 2 && wait <= LONGEST);
            if tries > 10 {
                prop_assert!(wait >= LONGEST / 2);
            }
        }
    }

    #[test]
    fn after_a_success_the_waits_are_short_again() {
        let mut backoff = Backoff::default();
        for _ in 0..20 {
            backoff.next(0);
        }
        backoff.reset();
        assert!(backoff.next(u64::MAX) <= FIRST);
    }
}
