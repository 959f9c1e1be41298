//! A run in progress: what the modules of the interfaces share once an instance is bound.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use tokio::time::Instant;
use wharf_policy::{Limits, Operation, Raise as _, Rights, Rung, SecretBinding, SecretName};

use crate::budget::LogBudget;
use crate::egress::{Share, Traffic};
use crate::lowered::NameScrubber;
use crate::sockets::Names;
use crate::{
    AuditEvent, AuditUnavailable, Binding, CancelFlag, Events, Level, LimitHit, LimitKind, LogLine,
    LogSource, Scrubber, Secrets, Services,
};

/// Refusals of one run that are told one by one. A hostile plugin can cause as many as it likes.
const MOST_REFUSALS: u32 = 256;
/// Operations of one run that are told one by one. The others are told as numbers: before they are as
/// many as those that were told, and when it ends.
const MOST_OPERATIONS: u64 = 256;
/// What is told of a name that a guest made up, at most, in bytes.
const SHOWN: usize = 128;

/// What is told of the reason of a refusal, at most, in bytes.
const WHY: usize = 4096;

/// What a field of a log line counts for beside its name and value, in bytes.
const FIELD: usize = 16;

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
    pub(crate) names: Names,
    pub(crate) lookups: Share,
    pub(crate) reveals: AtomicU32,
    opened: Mutex<BTreeSet<(SecretName, Rung)>>,
    operated: Mutex<Operated>,
    reached: Mutex<BTreeSet<(String, IpAddr)>>,
    refusals: AtomicU32,
    hit: OnceLock<LimitHit>,
    over: AtomicBool,
}

/// What was computed with secrets.
#[derive(Default)]
struct Operated {
    told: u64,
    /// Never more than were told. Bindings and operations are few, so this stays small.
    untold: BTreeMap<(SecretName, Operation), u64>,
}

impl Operated {
    /// Tells what is untold, as numbers. What cannot be told stays.
    fn tell(&mut self, events: &dyn Events) -> Result<(), AuditUnavailable> {
        while let Some(entry) = self.untold.first_entry() {
            let (secret, operation) = entry.key().clone();
            let count = *entry.get();
            events.audit(AuditEvent::OperationsUntold {
                secret,
                rung: Rung::Operate,
                operation,
                count,
            })?;
            entry.remove();
            self.told += count;
        }
        Ok(())
    }
}

impl Run {
    pub(crate) fn new(binding: Binding) -> Self {
        Self {
            budget: LogBudget::new(binding.rights.limits()),
            traffic: Arc::new(Traffic::new(binding.rights.limits())),
            names: Names::default(),
            lookups: Share::default(),
            rights: binding.rights,
            deadline: binding.deadline,
            cancel: binding.cancel,
            services: binding.services,
            events: binding.events,
            secrets: binding.secrets,
            reveals: AtomicU32::new(0),
            opened: Mutex::default(),
            operated: Mutex::default(),
            reached: Mutex::default(),
            refusals: AtomicU32::new(0),
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

    /// What removes secrets from text that names hosts or headers.
    pub(crate) fn name_scrubber(&self) -> &NameScrubber {
        self.secrets.name_scrubber()
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
        if self.budget.take(line_size(&message, &fields) as u64) {
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
    ///
    /// # Errors
    /// It cannot be told, so the secret must not be used.
    pub(crate) fn opened(&self, secret: &SecretName, rung: Rung) -> Result<(), AuditUnavailable> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = (secret.clone(), rung);
        if opened.contains(&entry) {
            return Ok(());
        }
        self.events.audit(AuditEvent::SecretOpened {
            secret: secret.clone(),
            rung,
        })?;
        opened.insert(entry);
        Ok(())
    }

    /// Tells the auditor that something is computed with a secret.
    ///
    /// # Errors
    /// It cannot be told, so it must not be computed.
    pub(crate) fn operates(
        &self,
        secret: &SecretName,
        operation: Operation,
    ) -> Result<(), AuditUnavailable> {
        let mut operated = self.operated.lock().unwrap_or_else(PoisonError::into_inner);
        if operated.told >= MOST_OPERATIONS {
            if operated.untold.values().sum::<u64>() >= operated.told {
                operated.tell(&*self.events)?;
            }
            *operated
                .untold
                .entry((secret.clone(), operation))
                .or_default() += 1;
            return Ok(());
        }
        self.events.audit(AuditEvent::SecretOperated {
            secret: secret.clone(),
            rung: Rung::Operate,
            operation,
        })?;
        operated.told += 1;
        Ok(())
    }

    /// The binding of a secret, if it may be used in this way. If not, the auditor and the log are
    /// told what would allow it; the plugin learns nothing.
    pub(crate) fn permit(&self, name: &str, rung: Rung) -> Option<&SecretBinding> {
        match self.rights.secret(name, rung) {
            Ok(binding) => Some(binding),
            Err(denied) => {
                self.refuse_secret(name, rung, &denied.to_string());
                None
            }
        }
    }

    /// Tells the auditor, once, that an address was reached that is not a public one.
    pub(crate) fn reached(&self, origin: &str, address: IpAddr) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        if !reached.insert((origin.to_owned(), address)) {
            return;
        }
        let origin = self.name_scrubber().scrub(origin).into_owned();
        // The request itself was written down before it was sent.
        if let Err(error) = (self.events).audit(AuditEvent::SpecialAddress { origin, address }) {
            tracing::error!(%error, "an address is not in the audit record");
        }
    }

    /// Tells the auditor of a refusal. What is refused stays refused if that cannot be told.
    pub(crate) fn refused(&self, event: impl FnOnce() -> AuditEvent) {
        if self.refusals.fetch_add(1, Ordering::AcqRel) >= MOST_REFUSALS {
            return;
        }
        if let Err(error) = self.events.audit(event()) {
            tracing::error!(%error, "a refusal is not in the audit record");
        }
    }

    /// Tells the auditor that a request was refused, and for which address if it was for one.
    pub(crate) fn request_refused(
        &self,
        method: &str,
        destination: &str,
        why: &str,
        address: Option<IpAddr>,
    ) {
        self.refused(|| AuditEvent::RequestDenied {
            method: method.to_owned(),
            destination: self.name_scrubber().scrub(destination).into_owned(),
            why: cut(self.name_scrubber().scrub(why).into_owned(), WHY),
            address,
        });
    }

    /// The binding of a secret, if the host may work with it so. If not, as [`Run::permit`].
    pub(crate) fn may_operate(
        &self,
        name: &SecretName,
        operation: Operation,
    ) -> Option<&SecretBinding> {
        self.rights
            .operate(name.as_str(), operation)
            .map_err(|denied| {
                self.refuse_secret(name.as_str(), Rung::Operate, &denied.to_string());
            })
            .ok()
    }

    /// Tells the auditor and the log why a secret is not used.
    pub(crate) fn refuse_secret(&self, name: &str, rung: Rung, why: &str) {
        let secret = cut(self.scrubber().scrub(name).into_owned(), SHOWN);
        let why = cut(self.name_scrubber().scrub(why).into_owned(), WHY);
        self.line(Level::Warn, LogSource::Host, why.clone(), Vec::new());
        self.refused(|| AuditEvent::SecretRefused { secret, rung, why });
    }

    /// Whether the run has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Ends the run: closes what it has open, and tells once how many lines were dropped.
    pub(crate) fn end(&self) {
        if self.over.swap(true, Ordering::AcqRel) {
            return;
        }
        self.traffic.end();
        let refusals = self.refusals.swap(0, Ordering::AcqRel);
        if let Some(count) = refusals.checked_sub(MOST_REFUSALS).filter(|more| *more > 0) {
            self.refused(|| AuditEvent::RefusalsUntold { count });
        }
        let mut operated = self.operated.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = operated.tell(&*self.events) {
            let untold = &operated.untold;
            tracing::error!(%error, ?untold, "operations are not in the audit record");
        }
        drop(operated);
        let dropped = self.budget.used().dropped;
        if dropped > 0 {
            let limits = self.limits();
            self.events.log(LogLine {
                at: SystemTime::now(),
                level: Level::Warn,
                source: LogSource::Host,
                message: format!(
                    "{dropped} log lines were dropped: the budget of {} lines and {} is used up; `limits = {{ log-entries = {}, log-bytes = {} }}` in the [[grant]] for this plugin raises it",
                    limits.log_entries,
                    limits.log_bytes,
                    limits.log_entries.twice(),
                    limits.log_bytes.twice()
                ),
                fields: Vec::new(),
            });
        }
    }
}

/// As much of a text as there is room for. It has been scrubbed: a part of a secret is not found.
fn cut(mut text: String, most: usize) -> String {
    text.truncate(text.floor_char_boundary(most));
    text
}

/// What a line counts for. An empty field takes memory too.
pub(crate) fn line_size(message: &str, fields: &[(String, String)]) -> usize {
    let each = |(name, value): &(String, String)| FIELD + name.len() + value.len();
    message.len() + fields.iter().map(each).sum::<usize>()
}
