//! Counts of what a runner did since its start, for its metrics. Nothing is decided by them, and no
//! name that a plugin or a controller chooses is in them: how many there are is fixed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use wharf_host::AuditEvent;
use wharf_policy::Rung;
use wharf_protocol::{AttemptKey, Verdict};

use crate::audit::Asked;
use crate::execute::Executed;
use crate::refusals::{Recent, RecentRefusal, RefusalKind};

/// How attempts end, as [`Verdict::word`] has it.
const OUTCOMES: [&str; 6] = ["done", "failed", "refused", "stopped", "cancelled", "lost"];
const RUNGS: [Rung; 4] = [Rung::Inject, Rung::Attach, Rung::Operate, Rung::Reveal];

/// What was counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    outcomes: [AtomicU64; OUTCOMES.len()],
    refusals: [AtomicU64; RefusalKind::ALL.len()],
    uses: [AtomicU64; RUNGS.len()],
    requests_denied: AtomicU64,
    secrets_denied: AtomicU64,
    recent: Mutex<Recent>,
}

impl Tally {
    /// An attempt has ended.
    pub(crate) fn ended(&self, key: AttemptKey, asked: &Asked, executed: &Executed) {
        let word = executed.verdict.word();
        add(
            &self.outcomes,
            OUTCOMES.iter().position(|outcome| *outcome == word),
            1,
        );
        if let Verdict::Refused { message } = &executed.verdict {
            let kind = executed.refusal.unwrap_or(RefusalKind::Other);
            add(&self.refusals, position(&RefusalKind::ALL, kind), 1);
            self.recent().add(key, asked, kind, message);
        }
    }

    /// A run told the auditor of something.
    pub(crate) fn audited(&self, event: &AuditEvent) {
        match event {
            AuditEvent::Request { credentials, .. } => {
                for used in credentials {
                    add(&self.uses, position(&RUNGS, used.rung), 1);
                }
            }
            AuditEvent::SecretRevealed { .. } => {
                add(&self.uses, position(&RUNGS, Rung::Reveal), 1);
            }
            AuditEvent::SecretOperated { rung, .. } => add(&self.uses, position(&RUNGS, *rung), 1),
            AuditEvent::OperationsUntold { rung, count, .. } => {
                add(&self.uses, position(&RUNGS, *rung), *count);
            }
            AuditEvent::RequestDenied { .. } => one(&self.requests_denied),
            AuditEvent::SecretRefused { .. } => one(&self.secrets_denied),
            _ => {}
        }
    }

    /// The last refusals, the newest first.
    pub(crate) fn recent_refusals(&self) -> Vec<RecentRefusal> {
        self.recent().list()
    }

    /// How attempts ended.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OUTCOMES.into_iter().zip(self.outcomes.iter().map(read))
    }

    /// Why work was refused.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let words = RefusalKind::ALL.into_iter().map(RefusalKind::word);
        words.zip(self.refusals.iter().map(read))
    }

    /// How secrets were used.
    pub(crate) fn secret_uses(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let words = ["inject", "attach", "operate", "reveal"].into_iter();
        words.zip(self.uses.iter().map(read))
    }

    /// What plugins asked for and did not get.
    pub(crate) fn denials(&self) -> [(&'static str, u64); 2] {
        [
            ("request", read(&self.requests_denied)),
            ("secret", read(&self.secrets_denied)),
        ]
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn position<T: PartialEq>(all: &[T], one: T) -> Option<usize> {
    all.iter().position(|other| *other == one)
}

fn add(counts: &[AtomicU64], at: Option<usize>, more: u64) {
    if let Some(count) = at.and_then(|at| counts.get(at)) {
        count.fetch_add(more, Ordering::Relaxed);
    }
}

fn one(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;
    use crate::verdict::refused;
    use wharf_host::SecretUse;
    use wharf_policy::Digest;

    fn asked(plugin: &str) -> Asked {
        Asked {
            plugin: plugin.to_owned(),
            digest: Digest::from_bytes([1; 32]),
            action: "go".to_owned(),
        }
    }

    #[test]
    fn every_outcome_has_a_count_of_its_own() {
        let tally = Tally::default();
        let text = String::new;
        let verdicts = [
            refused("no"),
            Verdict::Cancelled { reason: text() },
            Verdict::Lost { message: text() },
            Verdict::Stopped {
                limit: text(),
                message: text(),
            },
            crate::verdict::unavailable("x", "y"),
            Verdict::Done {
                output: wharf_protocol::Payload::Inline(text()),
            },
        ];
        for verdict in verdicts {
            tally.ended(key(1), &asked("p"), &Executed::unstarted(verdict));
        }
        assert!(tally.outcomes().all(|(_, count)| count == 1));
    }

    #[test]
    fn the_last_refusals_are_remembered_the_newest_first_and_none_is_long() {
        let tally = Tally::default();
        for number in 0..100 {
            let mut executed = Executed::unstarted(refused("é".repeat(10_000)));
            executed.refusal = Some(RefusalKind::Unsigned);
            tally.ended(key(number), &asked(&format!("p{number}")), &executed);
        }
        let recent = tally.recent_refusals();
        assert_eq!(recent.len(), 10);
        assert_eq!(recent[0].plugin, "p99");
        assert!(recent.iter().all(|one| one.reason.len() < 1_100));
        let refusals: Vec<_> = tally.refusals().filter(|(_, count)| *count > 0).collect();
        assert_eq!(refusals, [("unsigned", 100)]);
    }

    #[test]
    fn uses_of_secrets_are_counted_by_rung() {
        let tally = Tally::default();
        let name = || "s".parse().unwrap();
        let of = |rung| SecretUse {
            secret: name(),
            rung,
        };
        tally.audited(&AuditEvent::Request {
            method: "GET".to_owned(),
            destination: String::new(),
            credentials: vec![of(Rung::Inject), of(Rung::Inject), of(Rung::Attach)],
        });
        tally.audited(&AuditEvent::SecretRevealed { secret: name() });
        let uses: Vec<_> = tally.secret_uses().collect();
        assert_eq!(
            uses,
            [("inject", 2), ("attach", 1), ("operate", 0), ("reveal", 1)]
        );
    }
}
