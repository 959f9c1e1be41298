//! What a controller says that has no effect: counted by kind, and told together, so that a flood
//! of it makes a few lines.

use std::collections::BTreeMap;

use wharf_protocol::AttemptKey;

use super::RunnerEvent;

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

/// What was counted since it was last told.
#[derive(Debug, Default)]
pub(crate) struct Oddities(BTreeMap<Oddity, (u64, AttemptKey)>);

impl Oddities {
    /// Counts one.
    pub(crate) fn note(&mut self, what: Oddity, key: AttemptKey) {
        self.0.entry(what).or_insert((0, key)).0 += 1;
    }

    /// One event for each kind, and a new beginning.
    pub(crate) fn take(&mut self) -> Vec<RunnerEvent> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|(what, (count, example))| RunnerEvent::ControllerOddity {
                what: what.word(),
                count,
                example,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;

    #[test]
    fn a_flood_of_one_kind_is_one_line_with_a_number() {
        let mut oddities = Oddities::default();
        for number in 0..1_000 {
            oddities.note(Oddity::CancelledUnknown, key(number));
        }
        oddities.note(Oddity::AssignedAgain, key(7));
        let told = oddities.take();
        assert_eq!(told.len(), 2);
        assert_eq!(
            told[1],
            RunnerEvent::ControllerOddity {
                what: "cancelled-unknown",
                count: 1_000,
                example: key(0)
            }
        );
        assert!(oddities.take().is_empty());
    }
}
