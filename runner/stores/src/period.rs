//! For how long something holds that a store gives. What the store says is bounded, because no
//! clock bears every number, and what was lent and is not kept track of is never given back.

use std::time::Duration;

use tokio::time::Instant;

/// What holds for longer is renewed, or asked for anew, as if it held for this.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// So many seconds, as a store says.
#[cfg(any(feature = "vault", feature = "gcp"))]
pub(crate) fn of_seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST)
}

/// The end of a period that begins now.
pub(crate) fn from_now(period: Duration) -> Instant {
    let now = Instant::now();
    // Where a clock does not bear even that, it is over: it is renewed, or given back.
    now.checked_add(period.min(LONGEST)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_period_is_longer_than_a_year_and_each_has_an_end() {
        let now = Instant::now();
        for period in [Duration::MAX, Duration::from_secs(u64::MAX), LONGEST] {
            let end = from_now(period);
            assert!(end >= now + LONGEST && end <= Instant::now() + LONGEST);
        }
        assert!(from_now(Duration::ZERO) <= Instant::now());
    }
}
