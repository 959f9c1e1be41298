//! Of what kind a refusal is, for those that can be caused as often as somebody likes: past a burst
//! of a kind, the record has their number.

use wharf_host::AuditEvent;

use super::RunnerEvent;
use super::fold::{Foldable, Folded};
use crate::refusals::RefusalKind;

/// Refusals of a kind that a controller causes by itself, told one by one before they are counted.
const OF_A_CONTROLLER: u32 = 60;
/// Refusals of a kind in runs. A single run tells of fewer.
const IN_RUNS: u32 = 1024;

/// Of what kind a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refusal {
    /// Work that is not run, and why.
    Dispatch(RefusalKind),
    /// Work that could not be begun.
    NotBegun,
    /// An input that does not fit.
    Input,
    /// A run that was ended at a limit.
    Limit,
    /// A sealed secret that is not used.
    Sealed,
    /// A connection that was given up.
    Connection,
    /// A request of a run.
    Request,
    /// A secret that a run asked for.
    Secret,
    /// The refusals of a run past those that it tells of.
    Untold,
}

impl Refusal {
    /// Of what kind an event of the runner is. None for one that nobody can make many of.
    pub(super) fn of(event: &RunnerEvent, why: Option<RefusalKind>) -> Option<Self> {
        match event {
            RunnerEvent::DispatchRefused { outcome, .. } if outcome == "refused" => {
                Some(Self::Dispatch(why.unwrap_or(RefusalKind::Other)))
            }
            RunnerEvent::DispatchRefused { .. } => Some(Self::NotBegun),
            RunnerEvent::InputRefused {} => Some(Self::Input),
            RunnerEvent::LimitReached { .. } => Some(Self::Limit),
            RunnerEvent::SealedSecretRefused { .. } => Some(Self::Sealed),
            RunnerEvent::ConnectionRefused { .. } => Some(Self::Connection),
            RunnerEvent::PolicyLoaded { .. }
            | RunnerEvent::DrainAsked {}
            | RunnerEvent::RefusalsFolded { .. }
            | RunnerEvent::ControllerOddity { .. } => None,
        }
    }

    /// Of what kind an event of a run is, and how many refusals it tells of. None for what is
    /// done: that is told each time.
    pub(super) fn of_run(event: &AuditEvent) -> Option<(Self, u64)> {
        match event {
            AuditEvent::RequestDenied { .. } => Some((Self::Request, 1)),
            AuditEvent::SecretRefused { .. } => Some((Self::Secret, 1)),
            AuditEvent::RefusalsUntold { count } => Some((Self::Untold, u64::from(*count))),
            _ => None,
        }
    }

    /// The name of the event, and of the kind where it has several.
    const fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Dispatch(why) => ("dispatch-refused", Some(why.word())),
            Self::NotBegun => ("dispatch-refused", Some("failed")),
            Self::Input => ("input-refused", None),
            Self::Limit => ("limit-reached", None),
            Self::Sealed => ("sealed-secret-refused", None),
            Self::Connection => ("connection-refused", None),
            Self::Request => ("request-refused", None),
            Self::Secret => ("secret-refused", None),
            Self::Untold => ("refusals-untold", None),
        }
    }
}

impl Foldable for Refusal {
    fn burst(self) -> u32 {
        match self {
            Self::Request | Self::Secret | Self::Untold => IN_RUNS,
            _ => OF_A_CONTROLLER,
        }
    }
}

impl From<Folded<Refusal>> for RunnerEvent {
    fn from(folded: Folded<Refusal>) -> Self {
        let (of, kind) = folded.kind.words();
        Self::RefusalsFolded {
            of,
            kind,
            count: folded.count,
            example: folded.example,
        }
    }
}
