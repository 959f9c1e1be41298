//! What an action answers when it gives no output. The words are those of `wharf:plugin/types`:
//! traps, timeouts and limits are the host's words and have no place here.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::output::OutputError;

/// Why an action gave no output.
///
/// Every error type of this crate converts into it, so `?` works in an action; for an error of
/// another crate there is [`Error::other`]: `.map_err(Error::other)?`.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The input is not something this action can work with.
    InvalidInput(Vec<FieldError>),
    /// Something that was needed is not granted. Says what was needed.
    Denied(String),
    /// A dependency does not answer now, and a retry may do better.
    Unavailable(Unavailable),
    /// The action ran and failed.
    Failed(Failure),
    /// The action was asked to stop, and did.
    Cancelled,
    /// Anything else, for a person.
    Other(String),
}

/// One thing wrong with the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Where: a JSON Pointer (RFC 6901) into the input; empty for the whole document.
    pub path: String,
    /// What is wrong there, for a person.
    pub message: String,
}

/// A dependency that does not answer now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unavailable {
    /// How long to wait before a retry is worth it, if that is known.
    pub retry_after: Option<Duration>,
    /// What does not answer, for a person. It goes to the log as a warning: the answer itself
    /// has room for the time only.
    pub reason: Option<String>,
}

/// A failure that a script can tell from others.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// A stable word, such as `http-status`.
    pub code: String,
    /// What happened, where, and what to do, for a person.
    pub message: String,
    /// What else is known.
    pub details: Option<Value>,
}

impl Error {
    /// The input is wrong at `path`, a JSON Pointer such as `/user/name`.
    pub fn invalid_input(path: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::InvalidInput(vec![FieldError {
            path: path.into(),
            message: message.to_string(),
        }])
    }

    /// `needed` is not granted.
    pub fn denied(needed: impl Into<String>) -> Self {
        Self::Denied(needed.into())
    }

    /// A dependency does not answer now; worth a retry after that long, if known.
    pub fn unavailable(retry_after: impl Into<Option<Duration>>) -> Self {
        Self::Unavailable(Unavailable {
            retry_after: retry_after.into(),
            reason: None,
        })
    }

    /// The action failed: a stable word for scripts and a message for people.
    pub fn failed(code: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::Failed(Failure {
            code: code.into(),
            message: message.to_string(),
            details: None,
        })
    }

    /// Anything else. `.map_err(Error::other)?` turns any displayable error into this.
    pub fn other(message: impl fmt::Display) -> Self {
        Self::Other(message.to_string())
    }

    /// Adds what else is known to a [failure](Error::Failed), or the reason to an
    /// [unavailability](Error::Unavailable) if `details` is text. Other errors stay as they are.
    #[must_use]
    pub fn with_details(mut self, details: impl Serialize) -> Self {
        let details = serde_json::to_value(details)
            .unwrap_or_else(|e| Value::String(format!("the details are not JSON: {e}")));
        match &mut self {
            Self::Failed(failure) => failure.details = Some(details),
            Self::Unavailable(unavailable) => {
                unavailable.reason = Some(match details {
                    Value::String(text) => text,
                    other => other.to_string(),
                });
            }
            _ => {}
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidInput(fields) => {
                f.write_str("the input is not valid")?;
                for (index, field) in fields.iter().enumerate() {
                    let separator = if index == 0 { ":" } else { ";" };
                    write!(f, "{separator} {}", field.message)?;
                    if !field.path.is_empty() {
                        write!(f, " (at {})", field.path)?;
                    }
                }
                Ok(())
            }
            Self::Denied(needed) => write!(f, "not granted: {needed}"),
            Self::Unavailable(unavailable) => {
                f.write_str("not available now")?;
                if let Some(reason) = &unavailable.reason {
                    write!(f, ": {reason}")?;
                }
                match unavailable.retry_after {
                    Some(after) => write!(f, " (retry after {} ms)", after.as_millis()),
                    None => Ok(()),
                }
            }
            Self::Failed(failure) => write!(f, "{} ({})", failure.message, failure.code),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Self::Other(message.to_owned())
    }
}

/// JSON that the action itself read or wrote; the action's *input* is reported as
/// [`Error::InvalidInput`] before the action runs.
impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(
            "json",
            format_args!("JSON could not be read or written: {error}"),
        )
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        // An output writer speaks through io::Error; what it said is more than "io".
        if let Some(output) = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<OutputError>())
        {
            return (*output).into();
        }
        Self::failed("io", format_args!("reading or writing failed: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_where_and_when() {
        let invalid = Error::invalid_input("/a/b", "must be positive");
        assert_eq!(
            invalid.to_string(),
            "the input is not valid: must be positive (at /a/b)"
        );
        let unavailable =
            Error::unavailable(Duration::from_millis(1500)).with_details("db is full");
        assert_eq!(
            unavailable.to_string(),
            "not available now: db is full (retry after 1500 ms)"
        );
        assert_eq!(
            Error::failed("no-such-user", "no user `ann`").to_string(),
            "no user `ann` (no-such-user)"
        );
    }
}
