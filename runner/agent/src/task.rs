//! One attempt from its assignment to the journal, on the runtime that runs actions.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use wharf_protocol::{Assignment, FailureKind, Verdict};

use crate::audit::Asked;
use crate::cancel::Due;
use crate::execute::{Context, Execute, Executed};
use crate::journal::Journal;
use crate::verdict::{failed, record};

/// How long a killed run may take to tell what it used, before it is dropped.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Runs an attempt and keeps its result. Whatever happens, there is a result, unless the attempt
/// was withdrawn.
pub(crate) async fn run(
    execute: Arc<dyn Execute>,
    journal: Journal,
    assignment: Assignment,
    context: Context,
) {
    let key = assignment.key;
    let asked = Asked::from(&assignment);
    let execution = AssertUnwindSafe(execute.execute(assignment, &context)).catch_unwind();
    let overdue = async {
        if context.cancel.due(&context.gate).await == Due::Running {
            tokio::time::sleep(LAST_WORDS).await;
        }
    };
    let mut executed = tokio::select! {
        biased;
        executed = execution => executed.unwrap_or_else(|_| {
            tracing::error!(%key, "the runner panicked in an attempt");
            Executed::unstarted(failed(
                FailureKind::Other,
                "internal",
                "the runner itself failed in this attempt: see its own log, and report it",
            ))
        }),
        () = overdue => Executed::unstarted(Verdict::Cancelled {
            reason: context.cancel.reason(),
        }),
    };
    let dropped = context.reporter.logs.finish(key);
    context.reporter.progress.forget(key);
    if let Some(event) = asked.ended(context.gate.has_passed(), &executed.verdict) {
        let who = executed.who.clone();
        context.audit.tell_of(key, who, &event, executed.refusal);
    }
    // From here on it cannot be withdrawn any more.
    context.gate.pass();
    if context.gate.is_withdrawn() {
        return;
    }
    context.tally.ended(key, &asked, &executed);
    executed.usage.log_dropped += dropped;
    executed.usage.log_entries = executed.usage.log_entries.saturating_sub(dropped);
    journal.put(record(key, executed));
}
