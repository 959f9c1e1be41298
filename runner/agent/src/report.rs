//! Between the engine's words and the protocol's: outcomes, usage, log lines.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use wharf_engine::{ActionError, Outcome, Refused, Report, Stop};
use wharf_host::{AuditEvent, AuditUnavailable, Events, LogLine, LogSource};
use wharf_protocol::{
    ActionFailure, FailureKind, FieldError, Level, LogEntry, Payload, Progress, Timings, Usage,
    Verdict,
};

use crate::audit::RunAudit;
use crate::execute::{Executed, Reporter};
use crate::refusals::RefusalKind;
use crate::tally::Tally;
use crate::verdict::{failed, refused};

/// A report of the engine in the words of the protocol, for a run that no controller asked for.
pub fn verdict_of(report: Report) -> (Verdict, Usage, Timings) {
    let executed = executed(report, 0, || "it was interrupted".to_owned());
    (executed.verdict, executed.usage, executed.timings)
}

/// How a run ended, for the controller.
pub(crate) fn executed(
    report: Report,
    prepare_us: u64,
    cancelled_by: impl FnOnce() -> String,
) -> Executed {
    let kind = match &report.outcome {
        Outcome::Refused(why) => RefusalKind::of_engine(why),
        _ => None,
    };
    let verdict = match report.outcome {
        Outcome::Done(output) => Verdict::Done {
            output: Payload::Inline(output),
        },
        Outcome::Failed(error) => failure(error),
        Outcome::Refused(why) => refusal(&why),
        Outcome::Stopped(stop) => Verdict::Stopped {
            limit: limit(&stop).to_owned(),
            message: stop.to_string(),
        },
        Outcome::Cancelled => Verdict::Cancelled {
            reason: cancelled_by(),
        },
    };
    let usage = report.usage;
    Executed {
        verdict,
        usage: Usage {
            cpu_ms: usage.cpu_us.div_ceil(1000),
            peak_memory: usage.peak_memory.get(),
            log_entries: usage.log_lines,
            log_dropped: usage.log_lines_dropped,
            requests: usage.requests,
            request_bytes: usage.request_bytes,
            response_bytes: usage.response_bytes,
        },
        timings: Timings {
            prepare_us: prepare_us + report.timings.start_us,
            run_us: report.timings.run_us + report.timings.finish_us,
        },
        who: None,
        refusal: kind,
    }
}

/// Why the engine does not begin a run. A wrong input is the caller's, not the policy's.
pub(crate) fn refusal(why: &Refused) -> Verdict {
    match why {
        Refused::Input(errors) => Verdict::Failed(ActionFailure {
            kind: FailureKind::InvalidInput,
            code: "invalid-input".to_owned(),
            message: why.to_string(),
            details: None,
            fields: fields(errors.clone()),
            retry_after_ms: None,
        }),
        _ => refused(why),
    }
}

fn failure(error: ActionError) -> Verdict {
    let said = error.to_string();
    match error {
        ActionError::InvalidInput(errors) => Verdict::Failed(ActionFailure {
            kind: FailureKind::InvalidInput,
            code: "invalid-input".to_owned(),
            message: said,
            details: None,
            fields: fields(errors),
            retry_after_ms: None,
        }),
        ActionError::Denied(_) => failed(FailureKind::Denied, "denied", said),
        ActionError::Unavailable { retry_after } => Verdict::Failed(ActionFailure {
            kind: FailureKind::Unavailable,
            code: "unavailable".to_owned(),
            message: said,
            details: None,
            fields: Vec::new(),
            retry_after_ms: retry_after.map(|after| after.as_millis()),
        }),
        ActionError::Failed {
            code,
            message,
            details,
        } => Verdict::Failed(ActionFailure {
            kind: FailureKind::Failed,
            code,
            message,
            details,
            fields: Vec::new(),
            retry_after_ms: None,
        }),
        ActionError::Other(_) => failed(FailureKind::Other, "other", said),
    }
}

fn fields(errors: Vec<wharf_engine::FieldError>) -> Vec<FieldError> {
    let field = |error: wharf_engine::FieldError| FieldError {
        path: error.path,
        message: error.message,
    };
    errors.into_iter().map(field).collect()
}

/// A limit as the grant spells it.
fn limit(stop: &Stop) -> &'static str {
    match stop {
        Stop::Deadline(_) => "deadline",
        Stop::Cpu(_) => "cpu",
        Stop::Memory(_) => "memory",
        Stop::Tables(_) => "table-elements",
        Stop::Stack(_) => "stack",
        Stop::HostCall(_) => "host-call",
        Stop::Input(_) => "input",
        Stop::Output(_) => "output",
        Stop::Resources(_) => "resources",
        Stop::Random(_) => "random",
        Stop::InvalidOutput(_) => "output-schema",
        Stop::Trap(_) => "trap",
    }
}

/// What a run tells, on its way to the controller and to this runner's own log.
pub(crate) struct HostEvents {
    pub(crate) reporter: Reporter,
    pub(crate) audit: RunAudit,
    pub(crate) tally: Arc<Tally>,
}

#[async_trait]
impl Events for HostEvents {
    fn log(&self, line: LogLine) {
        let mut fields = line.fields;
        match line.source {
            LogSource::Plugin => {}
            LogSource::Stdout => fields.push(("source".to_owned(), "stdout".to_owned())),
            LogSource::Stderr => fields.push(("source".to_owned(), "stderr".to_owned())),
            LogSource::Host => fields.push(("source".to_owned(), "host".to_owned())),
        }
        let since = line.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.reporter.log(LogEntry {
            time_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            level: level(line.level),
            message: line.message,
            fields,
        });
    }

    fn progress(&self, progress: wharf_host::Progress) {
        self.reporter.progress(Progress {
            fraction: progress.fraction,
            message: progress.message,
        });
    }

    fn audit(&self, event: AuditEvent) -> Result<(), AuditUnavailable> {
        self.audit.audit(&event)?;
        self.tally.audited(&event);
        Ok(())
    }

    async fn audit_synced(&self) -> Result<(), AuditUnavailable> {
        self.audit.synced().await
    }
}

const fn level(level: wharf_host::Level) -> Level {
    match level {
        wharf_host::Level::Trace => Level::Trace,
        wharf_host::Level::Debug => Level::Debug,
        wharf_host::Level::Info => Level::Info,
        wharf_host::Level::Warn => Level::Warn,
        wharf_host::Level::Error => Level::Error,
    }
}
