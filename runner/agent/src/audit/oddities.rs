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

    /// Gives `write` one event for each kind that may be told of now. What it has not written is
    /// told later.
    pub(crate) fn tell_due(&mut self, now: Instant, write: impl FnMut(&RunnerEvent) -> bool) {
        let due = self.0.due(now);
        self.tell(due, now, write);
    }

    /// The same of each kind. For a runner that leaves.
    pub(crate) fn tell_rest(&mut self, write: impl FnMut(&RunnerEvent) -> bool) {
        let rest = self.0.rest();
        self.tell(rest, Instant::now(), write);
    }

    fn tell(
        &mut self,
        counted: Vec<Folded<Oddity>>,
        now: Instant,
        mut write: impl FnMut(&RunnerEvent) -> bool,
    ) {
        for folded in counted {
            if !write(&folded.into()) {
                self.0.take_back(folded, now);
            }
        }
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

    /// What is told at this time.
    fn due(oddities: &mut Oddities, now: Instant) -> Vec<RunnerEvent> {
        let mut told = Vec::new();
        oddities.tell_due(now, |event| {
            told.push(event.clone());
            true
        });
        told
    }

    #[test]
    fn a_flood_of_one_kind_is_one_line_with_a_number() {
        let mut oddities = Oddities::default();
        for number in 0..1_000 {
            oddities.note(Oddity::CancelledUnknown, key(number));
        }
        oddities.note(Oddity::AssignedAgain, key(7));
        let now = Instant::now();
        let told = due(&mut oddities, now);
        assert_eq!(told.len(), 2);
        assert_eq!(
            told[1],
            RunnerEvent::ControllerOddity {
                what: "cancelled-unknown",
                count: 1_000,
                example: Some(key(0))
            }
        );
        assert!(due(&mut oddities, now).is_empty());
        oddities.tell_rest(|event| panic!("{event:?}"));
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
            lines += due(&mut oddities, now).len();
        }
        assert!((60..=120).contains(&lines), "{lines}");
        let mut rest = 0;
        oddities.tell_rest(|_| {
            rest += 1;
            true
        });
        assert!(rest <= 1);
    }

    #[test]
    fn what_cannot_be_written_is_told_when_it_can() {
        let mut oddities = Oddities::default();
        for number in 0..1_000 {
            oddities.note(Oddity::CancelledUnknown, key(number));
        }
        let now = Instant::now();
        oddities.tell_due(now, |_| false);
        oddities.tell_rest(|_| false);
        oddities.note(Oddity::CancelledUnknown, key(1_000));
        assert_eq!(
            due(&mut oddities, now),
            [RunnerEvent::ControllerOddity {
                what: "cancelled-unknown",
                count: 1_001,
                example: Some(key(0))
            }]
        );
    }
}
