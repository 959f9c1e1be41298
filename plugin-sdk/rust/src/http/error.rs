//! Why there is no response.

use std::fmt;

use crate::control::Interrupted;
use crate::error::Error;

/// Why there is no response. A status such as 404 is a response, not an error: see
/// [`Response::error_for_status`](super::Response::error_for_status).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The URL, the method or a header is malformed.
    Invalid(String),
    /// The grant does not allow it. Names the grant that would.
    Denied(String),
    /// The name does not resolve, or nothing accepts the connection.
    Unreachable(String),
    /// TLS, or HTTP itself, failed.
    Protocol(String),
    /// No whole response in time.
    Timeout,
    /// The response is larger than the limit, in bytes.
    TooLarge(u64),
    /// A limit on the number of requests or bytes of this execution is reached.
    Exhausted(String),
    /// The server redirects more often than was allowed.
    TooManyRedirects(u32),
    /// The execution was asked to stop while waiting for the next try.
    Cancelled,
}

impl HttpError {
    /// Whether the same request may do better a moment later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Timeout)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(what) => write!(f, "the request is malformed: {what}"),
            Self::Denied(what) => f.write_str(what),
            Self::Unreachable(what) => write!(f, "the server cannot be reached: {what}"),
            Self::Protocol(what) => write!(f, "the server does not speak proper HTTP: {what}"),
            Self::Timeout => {
                f.write_str("the server did not answer in time; allow more time or ask for less")
            }
            Self::TooLarge(limit) => write!(
                f,
                "the response is larger than the limit of {limit} bytes; ask for less or raise the limit"
            ),
            Self::Exhausted(what) => write!(f, "this execution may send no more: {what}"),
            Self::TooManyRedirects(0) => {
                f.write_str("the server redirects and no redirect was to be followed")
            }
            Self::TooManyRedirects(limit) => {
                write!(f, "the server redirected more than {limit} times")
            }
            Self::Cancelled => {
                f.write_str("the execution was asked to stop while it waited to try again")
            }
        }
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        let code = match &error {
            HttpError::Denied(what) => return Self::denied(what),
            HttpError::Cancelled => return Self::Cancelled,
            HttpError::Unreachable(_) => {
                return Self::unavailable(None).with_details(error.to_string());
            }
            HttpError::Invalid(_) => "http-invalid-request",
            HttpError::Protocol(_) => "http-protocol",
            HttpError::Timeout => "http-timeout",
            HttpError::TooLarge(_) => "http-too-large",
            HttpError::Exhausted(_) => "http-exhausted",
            HttpError::TooManyRedirects(_) => "http-too-many-redirects",
        };
        Self::failed(code, error)
    }
}

impl From<Interrupted> for HttpError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Cancelled => Self::Cancelled,
            Interrupted::Deadline => Self::Timeout,
        }
    }
}
