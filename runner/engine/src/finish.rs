//! From how a guest's call ended to what is reported. Pure: everything is there as values.

use wasmtime::Trap;
use wharf_host::{LimitHit, LimitKind, Scrubber};
use wharf_policy::{ByteSize, Limits, Period};

use crate::bindings::actions::ActionError as Said;
use crate::meter::Interrupted;
use crate::schema::Schema;
use crate::{ActionError, FieldError, Outcome, Stop};

/// The longest message of a trap that is kept, in characters.
const MESSAGE: usize = 500;

/// What an interrupted run is told as.
pub(crate) fn interrupted(why: Interrupted, limits: &Limits) -> Outcome {
    match why {
        Interrupted::Deadline => Outcome::Stopped(Stop::Deadline(limits.deadline)),
        Interrupted::Cpu => Outcome::Stopped(Stop::Cpu(limits.cpu)),
        Interrupted::Killed => Outcome::Cancelled,
    }
}

/// What an error of the guest's call is told as, given the limit that the host saw behind it.
pub(crate) fn broken(
    error: &wasmtime::Error,
    behind: Option<LimitHit>,
    limits: &Limits,
    stack: ByteSize,
    scrubber: &Scrubber,
) -> Outcome {
    if let Some(why) = error.downcast_ref::<Interrupted>() {
        return interrupted(*why, limits);
    }
    let stop = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Stop::Stack(stack),
        _ if is_fuel(error) => Stop::HostCall(limits.host_call),
        trap => match behind {
            Some(hit) => of_hit(hit),
            None => {
                let message = trap.map_or_else(|| error.root_cause().to_string(), Trap::to_string);
                Stop::Trap(shorten(&scrubber.scrub(&message)))
            }
        },
    };
    Outcome::Stopped(stop)
}

fn of_hit(hit: LimitHit) -> Stop {
    let size = ByteSize::bytes(hit.allowed);
    let count = u32::try_from(hit.allowed).unwrap_or(u32::MAX);
    match hit.kind {
        LimitKind::Memory => Stop::Memory(size),
        LimitKind::TableElements => Stop::Tables(count),
        LimitKind::Resources => Stop::Resources(count),
        LimitKind::HostCall => Stop::HostCall(size),
        LimitKind::Output => Stop::Output(size),
        LimitKind::Random => Stop::Random(size),
    }
}

/// Wasmtime does not export the type of this error; the tests notice if its words change.
fn is_fuel(error: &wasmtime::Error) -> bool {
    error
        .root_cause()
        .to_string()
        .contains("fuel allocated for hostcalls has been exhausted")
}

/// What a document that the action gave back is told as.
pub(crate) fn document(
    text: String,
    schema: &Schema,
    limits: &Limits,
    scrubber: &Scrubber,
) -> Outcome {
    if text.len() as u64 > limits.output.get() {
        return Outcome::Stopped(Stop::Output(limits.output));
    }
    let text = match scrubber.scrub(&text) {
        std::borrow::Cow::Borrowed(_) => text,
        std::borrow::Cow::Owned(scrubbed) => scrubbed,
    };
    // After scrubbing: what is reported is what was checked.
    match schema.check(&text) {
        Ok(()) => Outcome::Done(text),
        Err(errors) => Outcome::Stopped(Stop::InvalidOutput(scrub_fields(errors, scrubber))),
    }
}

/// What the guest says went wrong.
pub(crate) fn failure(error: Said, scrubber: &Scrubber) -> Outcome {
    let clean = |text: String| scrubber.scrub(&text).into_owned();
    Outcome::Failed(match error {
        Said::Cancelled => return Outcome::Cancelled,
        Said::InvalidInput(errors) => ActionError::InvalidInput(
            errors
                .into_iter()
                .map(|error| FieldError {
                    path: clean(error.path),
                    message: clean(error.message),
                })
                .collect(),
        ),
        Said::Denied(what) => ActionError::Denied(clean(what)),
        Said::Unavailable(after) => ActionError::Unavailable {
            retry_after: after.map(Period::millis),
        },
        Said::Failed(failure) => ActionError::Failed {
            code: clean(failure.code),
            message: clean(failure.message),
            details: failure.details.map(clean),
        },
        Said::Other(message) => ActionError::Other(clean(message)),
    })
}

/// What a program's exit is told as.
pub(crate) fn exit(
    code: i32,
    stdout: &[u8],
    stderr: Vec<String>,
    schema: &Schema,
    limits: &Limits,
    scrubber: &Scrubber,
) -> Outcome {
    if code != 0 {
        let message = match stderr.join("\n") {
            none if none.is_empty() => {
                format!("the program ended with exit code {code} and wrote nothing to stderr")
            }
            lines => lines,
        };
        return Outcome::Failed(ActionError::Failed {
            code: format!("exit-{code}"),
            message,
            details: None,
        });
    }
    match std::str::from_utf8(stdout) {
        Ok(text) => document(text.trim().to_owned(), schema, limits, scrubber),
        Err(_) => not_text("standard output"),
    }
}

/// What a document that is not text is told as.
pub(crate) fn not_text(what: &str) -> Outcome {
    Outcome::Stopped(Stop::InvalidOutput(vec![FieldError {
        path: String::new(),
        message: format!("{what} is not UTF-8: write one JSON document and nothing else"),
    }]))
}

fn scrub_fields(errors: Vec<FieldError>, scrubber: &Scrubber) -> Vec<FieldError> {
    errors
        .into_iter()
        .map(|error| FieldError {
            path: scrubber.scrub(&error.path).into_owned(),
            message: scrubber.scrub(&error.message).into_owned(),
        })
        .collect()
}

fn shorten(message: &str) -> String {
    let mut short: String = message.chars().take(MESSAGE).collect();
    if short.len() < message.len() {
        short.push('…');
    }
    short
}
