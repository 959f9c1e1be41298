//! What a controller says that has no effect: counted by kind, and told together, so that a flood
//! of it makes a few lines, and one for hours no more than one a minute.

use std::time::Instant;

use wharf_protocol::AttemptKey;

use super::RunnerEvent;
use super::fold::{Foldable, Folded, Folds};

/// Lines of a kind before they come once a minute.
const BURST: u32 = 60;

/// What a sound controller does not do, or only in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Oddity {
    /// An attempt that is here already.
    AssignedAgain,
    /// An attempt that has ended here, or one before it.
    AssignedAfterTheEnd,
    /// An attempt older than the one that runs.
    AssignedTooLate,
    /// More attempts than there is room for.
    AssignedWithoutRoom,
    /// A result that is not in the journal.
    AcknowledgedUnknown,
    /// A result that has not been sent.
    AcknowledgedUnsent,
    /// An attempt that does not run here.
    CancelledUnknown,
    /// Log lines, on the wrong pipe.
    LogsOnTheControlPipe,
}

impl Oddity {
    const fn word(self) -> &'static str {
        match self {
            Self::AssignedAgain => "assigned-again",
            Self::AssignedAfterTheEnd => "assigned-after-the-end",
            Self::AssignedTooLate => "assigned-too-late",
            Self::AssignedWithoutRoom => "assigned-without-room",
            Self::AcknowledgedUnknown => "acknowledged-unknown",
            Self::AcknowledgedUnsent => "acknowledged-unsent",
            Self::CancelledUnknown => "cancelled-unknown",
            Self::LogsOnTheControlPipe => "logs-on-the-control-pipe",
        }
    }
}

impl Foldable for Oddity {
    fn burst(self) -> u32 {
        BURST
    }
}

/// What was counted since it was last told.
#[derive(Debug, Default)]
pub(crate) struct Oddities(Folds<Oddity>);

impl Oddities {
    /// Counts one.
    pub(crate) fn note(&mut self, what: Oddity, key: AttemptKey) {
        self.0.count(what, 1, Some(key), Instant::now());
    }

    /// One event for each kind that may be told of now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<RunnerEvent> {
        self.0.due(now).into_iter().map(RunnerEvent::from).collect()
    }

    /// One event for each kind. For a runner that leaves.
    pub(crate) fn rest(&mut self) -> Vec<RunnerEvent> {
        self.0.rest().into_iter().map(RunnerEvent::from).collect()
    }
}

impl From<Folded<Oddity>> for RunnerEvent {
    fn from(folded: Folded<Oddity>) -> Self {
        Self::ControllerOddity {
            what: folded.kind.word(),
            count: folded.count,
            example: folded.example,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::key;

    #[test]
    fn a_flood_of_one_kind_is_one_line_with_a_number() {
        let mut oddities = Oddities::default();
        for number in 0..1_000 {
            oddities.note(Oddity::CancelledUnknown, key(number));
        }
        oddities.note(Oddity::AssignedAgain, key(7));
        let now = Instant::now();
        let told = oddities.due(now);
        assert_eq!(told.len(), 2);
        assert_eq!(
            told[1],
            RunnerEvent::ControllerOddity {
                what: "cancelled-unknown",
                count: 1_000,
                example: Some(key(0))
            }
        );
        assert!(oddities.due(now).is_empty() && oddities.rest().is_empty());
    }

    #[test]
    fn a_flood_for_hours_is_a_line_a_minute() {
        let mut oddities = Oddities::default();
        let begin = Instant::now();
        let mut lines = 0;
        // As often as a runner looks after them.
        for half_seconds in 0..7_200 {
            oddities.note(Oddity::CancelledUnknown, key(7));
            let now = begin + Duration::from_millis(500 * half_seconds);
            lines += oddities.due(now).len();
        }
        assert!((60..=120).contains(&lines), "{lines}");
        let rest = oddities.rest().len();
        assert!(rest <= 1);
    }
}
