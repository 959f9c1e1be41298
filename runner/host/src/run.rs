//! A run in progress: what the modules of the interfaces share once an instance is bound.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;
use wharf_policy::{Limits, Rights, Rung, SecretName};

use crate::budget::LogBudget;
use crate::egress::Traffic;
use crate::{
    AuditEvent, Binding, CancelFlag, Events, Level, LimitHit, LimitKind, LogLine, LogSource,
    Scrubber, Secrets, Services,
};

/// The part of a binding that host calls use, with what they count.
pub(crate) struct Run {
    pub(crate) rights: Arc<Rights>,
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancelFlag,
    pub(crate) services: Arc<Services>,
    pub(crate) events: Arc<dyn Events>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) budget: LogBudget,
    pub(crate) traffic: Arc<Traffic>,
    pub(crate) reveals: AtomicU32,
    opened: Mutex<BTreeSet<(SecretName, Rung)>>,
    hit: OnceLock<LimitHit>,
    over: AtomicBool,
}

impl Run {
    pub(crate) fn new(binding: Binding) -> Self {
        Self {
            budget: LogBudget::new(binding.rights.limits()),
            traffic: Arc::new(Traffic::new(binding.rights.limits())),
            rights: binding.rights,
            deadline: binding.deadline,
            cancel: binding.cancel,
            services: binding.services,
            events: binding.events,
            secrets: binding.secrets,
            reveals: AtomicU32::new(0),
            opened: Mutex::default(),
            hit: OnceLock::new(),
            over: AtomicBool::new(false),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        self.rights.limits()
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        self.secrets.scrubber()
    }

    /// Records the first limit that ends the run, and gives it as the error of a trap.
    pub(crate) fn stop(&self, kind: LimitKind, allowed: u64) -> LimitHit {
        *self.hit.get_or_init(|| LimitHit { kind, allowed })
    }

    pub(crate) fn stopped_by(&self) -> Option<LimitHit> {
        self.hit.get().copied()
    }

    /// Whether what one host call carries is within its limit.
    ///
    /// # Errors
    /// The limit, which ends the run.
    pub(crate) fn carries(&self, bytes: usize) -> Result<(), LimitHit> {
        let allowed = self.limits().host_call.get();
        if bytes as u64 <= allowed {
            Ok(())
        } else {
            Err(self.stop(LimitKind::HostCall, allowed))
        }
    }

    /// Writes a line that has been scrubbed, if the budget has room for it.
    pub(crate) fn line(
        &self,
        level: Level,
        source: LogSource,
        message: String,
        fields: Vec<(String, String)>,
    ) {
        let bytes = message.len()
            + fields
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
        if self.budget.take(bytes as u64) {
            self.events.log(LogLine {
                at: SystemTime::now(),
                level,
                source,
                message,
                fields,
            });
        }
    }

    /// Tells the auditor that a secret was opened, once for each use of it.
    pub(crate) fn opened(&self, secret: &SecretName, rung: Rung) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.insert((secret.clone(), rung)) {
            self.events.audit(AuditEvent::SecretOpened {
                secret: secret.clone(),
                rung,
            });
        }
    }

    /// Ends the run: tells once how many lines were dropped.
    pub(crate) fn end(&self) {
        if self.over.swap(true, Ordering::AcqRel) {
            return;
        }
        let dropped = self.budget.used().dropped;
        if dropped > 0 {
            let limits = self.limits();
            self.events.log(LogLine {
                at: SystemTime::now(),
                level: Level::Warn,
                source: LogSource::Host,
                message: format!(
                    "{dropped} log lines were dropped: the budget of {} lines and {} is used up; raise `log-entries` or `log-bytes` in the limits of the [[grant]]",
                    limits.log_entries, limits.log_bytes
                ),
                fields: Vec::new(),
            });
        }
    }
}
