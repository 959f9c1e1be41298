//! When a sealed secret was put: which of two values of a name is the newer one.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// So far ahead of a runner's clock the clock of whoever puts a secret may be. One that was put in a
/// far future would keep out everything that is put after it.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);

/// When a secret was put, by the clock of the machine that sealed it: milliseconds since 1970. Part
/// of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PutAt(u64);

impl PutAt {
    /// This moment.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::from_millis(since.map_or(0, millis))
    }

    /// So many milliseconds after the beginning of 1970.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Whether it is further in the future than clocks differ.
    pub fn is_far_ahead_of(self, now: Self) -> bool {
        self.0 > now.0.saturating_add(millis(AHEAD))
    }

    pub(super) const fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// As people and logs write it: `2026-11-22T08:44:20.123Z`.
impl fmt::Display for PutAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = i64::try_from(self.0).ok();
        match moment.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()) {
            Some(moment) => write!(f, "{moment}"),
            None => write!(f, "{} ms after the beginning of 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_people_write_it_and_one_that_is_none_as_its_number() {
        let text = PutAt::from_millis(1_795_337_060_123).to_string();
        assert_eq!(text, "2026-11-22T08:44:20.123Z");
        let never = PutAt::from_millis(u64::MAX).to_string();
        assert!(never.starts_with("18446744073709551615 ms"), "{never}");
    }

    #[test]
    fn clocks_may_differ_by_a_day_and_no_more() {
        let now = PutAt::from_millis(1_000);
        let day = 24 * 60 * 60 * 1_000;
        assert!(!PutAt::from_millis(1_000 + day).is_far_ahead_of(now));
        assert!(PutAt::from_millis(1_001 + day).is_far_ahead_of(now));
        assert!(PutAt::from_millis(u64::MAX).is_far_ahead_of(now));
        assert!(!PutAt::from_millis(0).is_far_ahead_of(now));
    }
}
