//! What the runner itself tells the auditor. The names are part of the record's format.

use serde::Serialize;
use wharf_policy::{Digest, SecretName};
use wharf_protocol::{Assignment, AttemptKey, FailureKind, Pipe, Verdict};
use wharf_stores::SealedRefusal;

/// The longest text of an event.
const TEXT: usize = 2 << 10;

/// What the runner itself tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(
    tag = "event",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub(crate) enum RunnerEvent {
    /// Under this policy everything that follows is decided.
    PolicyLoaded {
        /// Of the file's bytes.
        policy: Digest,
    },
    /// Work that was handed out and did not run.
    DispatchRefused {
        /// What was asked for, in the words of who asked. Nothing of it is verified.
        asked_plugin: String,
        asked_digest: Digest,
        asked_action: String,
        /// As the controller is told: `refused`, `failed` or `stopped`.
        outcome: String,
        /// Why, and what would allow it.
        why: String,
    },
    /// The input does not fit, says the action's schema or the action itself. What is wrong with it
    /// is not told: it could quote the input.
    InputRefused {},
    /// A run was ended at a limit.
    LimitReached {
        /// As the grant spells it.
        limit: String,
    },
    /// A connection was given up because of what the controller said on it.
    ConnectionRefused {
        pipe: Pipe,
        /// What was wrong.
        why: String,
    },
    /// The controller gave out something for a sealed secret that is not used.
    SealedSecretRefused {
        /// Its name on the controller.
        sealed: SecretName,
        /// What is wrong with it.
        why: String,
        /// When it was put, where that is what is wrong.
        #[serde(skip_serializing_if = "Option::is_none")]
        put: Option<String>,
        /// When the newest that was used was put, where it is older.
        #[serde(skip_serializing_if = "Option::is_none")]
        newest: Option<String>,
    },
    /// The controller asks the runner to leave.
    DrainAsked {},
    /// More of the same than is told one by one.
    RefusalsFolded {
        /// The event that each would have been.
        of: &'static str,
        /// Of which kind, where that event has kinds.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
        /// How often since the last line about it.
        count: u64,
        /// One attempt that it was about.
        #[serde(skip_serializing_if = "Option::is_none")]
        example: Option<AttemptKey>,
    },
    /// The controller did what a sound one does not do, or hardly ever, and it had no effect.
    ControllerOddity {
        what: &'static str,
        /// How often since the last line about it.
        count: u64,
        /// One attempt that it was about.
        #[serde(skip_serializing_if = "Option::is_none")]
        example: Option<AttemptKey>,
    },
}

impl RunnerEvent {
    /// What was given out for a sealed secret and is not used.
    pub(crate) fn sealed_secret_refused(sealed: SecretName, why: &SealedRefusal) -> Self {
        Self::SealedSecretRefused {
            sealed,
            why: cut(why.to_string()),
            put: why.put().map(|put| put.to_string()),
            newest: why.newest().map(|newest| newest.to_string()),
        }
    }

    /// A connection that was given up.
    pub(crate) fn connection_refused(pipe: Pipe, why: &impl ToString) -> Self {
        Self::ConnectionRefused {
            pipe,
            why: cut(why.to_string()),
        }
    }
}

/// What was asked for, in the words of who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The plugin.
    pub plugin: String,
    /// Its component.
    pub digest: Digest,
    /// The action.
    pub action: String,
}

impl Asked {
    pub(super) fn refused(&self, outcome: &str, why: &str) -> RunnerEvent {
        RunnerEvent::DispatchRefused {
            asked_plugin: self.plugin.clone(),
            asked_digest: self.digest,
            asked_action: self.action.clone(),
            outcome: outcome.to_owned(),
            why: cut(why.to_owned()),
        }
    }

    /// The event for an attempt that ended without its action having run. None for one that was
    /// cancelled.
    fn not_run(&self, verdict: &Verdict) -> Option<RunnerEvent> {
        let why = match verdict {
            Verdict::Refused { message } | Verdict::Stopped { message, .. } => message,
            Verdict::Failed(failure) => &failure.message,
            _ => return None,
        };
        Some(self.refused(verdict.word(), why))
    }

    /// What an auditor wants to know of how an attempt ended, if anything. `began` is whether its
    /// action may have run.
    pub(crate) fn ended(&self, began: bool, verdict: &Verdict) -> Option<RunnerEvent> {
        match verdict {
            Verdict::Failed(failure) if failure.kind == FailureKind::InvalidInput => {
                Some(RunnerEvent::InputRefused {})
            }
            Verdict::Stopped { limit, .. } if began => Some(RunnerEvent::LimitReached {
                limit: limit.clone(),
            }),
            Verdict::Failed(_) if began => None,
            _ => self.not_run(verdict),
        }
    }
}

impl From<&Assignment> for Asked {
    fn from(assignment: &Assignment) -> Self {
        Self {
            plugin: assignment.plugin.to_string(),
            digest: assignment.digest,
            action: assignment.action.to_string(),
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push('…');
    }
    text
}
