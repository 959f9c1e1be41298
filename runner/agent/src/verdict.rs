//! From how a run ended to the record that is kept and sent: bounded, and with a large output
//! beside it.

use std::sync::Arc;

use wharf_protocol::{
    ActionFailure, AttemptKey, FailureKind, MAX_INLINE, Payload, Timings, ToController, Usage,
    Verdict, encode,
};

use crate::audit::Who;
use crate::journal::Record;
use crate::refusals::RefusalKind;

/// The longest message of a verdict.
const MESSAGE: usize = 16 << 10;
/// The longest code.
const CODE: usize = 256;
/// The largest details document; a larger one is left out, because half of one is none.
const DETAILS: usize = 64 << 10;
/// The most field errors.
const FIELDS: usize = 100;

/// How a run ended, what it used and how long it took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Executed {
    /// How it ended.
    pub(crate) verdict: Verdict,
    /// What it used.
    pub(crate) usage: Usage,
    /// How long it took.
    pub(crate) timings: Timings,
    /// What was asked to run, if that was verified.
    pub(crate) who: Option<Arc<Who>>,
    /// Of which kind a refusal is.
    pub(crate) refusal: Option<RefusalKind>,
}

impl Executed {
    /// A verdict on something that never ran.
    pub(crate) fn unstarted(verdict: Verdict) -> Self {
        Self {
            verdict,
            usage: Usage::default(),
            timings: Timings::default(),
            who: None,
            refusal: None,
        }
    }
}

/// The runner would not run it.
pub(crate) fn refused(message: impl std::fmt::Display) -> Verdict {
    Verdict::Refused {
        message: message.to_string(),
    }
}

/// The runner could not run it now.
pub(crate) fn unavailable(code: &str, message: impl std::fmt::Display) -> Verdict {
    failed(FailureKind::Unavailable, code, message)
}

/// The runner itself failed.
pub(crate) fn failed(kind: FailureKind, code: &str, message: impl std::fmt::Display) -> Verdict {
    Verdict::Failed(ActionFailure {
        kind,
        code: code.to_owned(),
        message: message.to_string(),
        details: None,
        fields: Vec::new(),
        retry_after_ms: None,
    })
}

/// The record of a result. The output goes beside it if it is too large for a frame.
pub(crate) fn record(key: AttemptKey, executed: Executed) -> Record {
    let Executed {
        verdict,
        usage,
        timings,
        who: _,
        refusal: _,
    } = executed;
    let (verdict, output) = match bounded(verdict) {
        Verdict::Done {
            output: Payload::Inline(output),
        } if output.len() > MAX_INLINE => {
            let bytes = output.into_bytes();
            let digest = wharf_bundle::digest(&bytes);
            let size = bytes.len() as u64;
            let output = Payload::Stored { digest, size };
            (Verdict::Done { output }, Some((digest, bytes)))
        }
        verdict => (verdict, None),
    };
    Record {
        key,
        frame: frame(key, verdict, usage, timings),
        output,
    }
}

/// The frame for a result whose output the controller will never take.
pub(crate) fn undeliverable(key: AttemptKey, why: &str) -> Vec<u8> {
    let verdict = Verdict::Stopped {
        limit: "output".to_owned(),
        message: format!("the action was done, but the controller does not take its output: {why}"),
    };
    frame(key, bounded(verdict), Usage::default(), Timings::default())
}

fn frame(key: AttemptKey, verdict: Verdict, usage: Usage, timings: Timings) -> Vec<u8> {
    let mut frame = Vec::new();
    let result = ToController::Result {
        key,
        verdict,
        usage,
        timings,
    };
    // Writing to memory does not fail, and the frames are all encodable types.
    if let Err(error) = encode(&mut frame, &result) {
        tracing::error!(%key, %error, "a result cannot be encoded");
    }
    frame
}

/// The same verdict, with every text of a size that fits a frame.
fn bounded(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Done { output } => Verdict::Done { output },
        Verdict::Failed(mut failure) => {
            failure.message = cut(failure.message, MESSAGE);
            failure.code = cut(failure.code, CODE);
            failure.details = failure.details.filter(|details| details.len() <= DETAILS);
            failure.fields.truncate(FIELDS);
            for field in &mut failure.fields {
                field.path = cut(std::mem::take(&mut field.path), CODE);
                field.message = cut(std::mem::take(&mut field.message), CODE);
            }
            Verdict::Failed(failure)
        }
        Verdict::Refused { message } => Verdict::Refused {
            message: cut(message, MESSAGE),
        },
        Verdict::Stopped { limit, message } => Verdict::Stopped {
            limit: cut(limit, CODE),
            message: cut(message, MESSAGE),
        },
        Verdict::Cancelled { reason } => Verdict::Cancelled {
            reason: cut(reason, MESSAGE),
        },
        Verdict::Lost { message } => Verdict::Lost {
            message: cut(message, MESSAGE),
        },
    }
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::key;
    use wharf_protocol::{FieldError, decode};

    fn verdict_of(record: &Record) -> Verdict {
        let mut frames: Vec<ToController> = decode(&record.frame).unwrap();
        match frames.pop() {
            Some(ToController::Result { verdict, .. }) => verdict,
            other => panic!("not a result: {other:?}"),
        }
    }

    #[test]
    fn a_large_output_goes_beside_the_frame_and_a_small_one_within() {
        let done = |length: usize| {
            let output = Payload::Inline("1".repeat(length));
            record(key(1), Executed::unstarted(Verdict::Done { output }))
        };
        let small = done(MAX_INLINE);
        assert!(small.output.is_none());
        let large = done(MAX_INLINE + 1);
        let (digest, bytes) = large.output.as_ref().unwrap();
        assert_eq!(*digest, wharf_bundle::digest(bytes));
        assert_eq!(
            verdict_of(&large),
            Verdict::Done {
                output: Payload::Stored {
                    digest: *digest,
                    size: MAX_INLINE as u64 + 1
                }
            }
        );
    }

    #[test]
    fn a_plugin_cannot_make_a_failure_that_does_not_fit_a_frame() {
        let long = "é".repeat(1 << 20);
        let record = record(
            key(1),
            Executed::unstarted(Verdict::Failed(ActionFailure {
                kind: FailureKind::Failed,
                code: long.clone(),
                message: long.clone(),
                details: Some(long.clone()),
                fields: vec![
                    FieldError {
                        path: long.clone(),
                        message: long,
                    };
                    1000
                ],
                retry_after_ms: None,
            })),
        );
        assert!(record.frame.len() < 128 << 10, "{}", record.frame.len());
        assert!(matches!(verdict_of(&record), Verdict::Failed(_)));
    }
}
