//! Why there is no response.

use std::error::Error as StdError;

use wharf_policy::{ByteSize, Granted, Limits, Target, raise};

use crate::egress::resolve::Prohibited;
use crate::lowered::NameScrubber;

/// Why there is no response. No text holds a query, a header value or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EgressError {
    #[error("{0}")]
    Invalid(String),
    /// A rule says no.
    #[error("{0}")]
    Denied(String),
    /// The address says no.
    #[error("{0}")]
    Prohibited(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Protocol(String),
    /// Who would have to wait longer, and the line that says so.
    #[error("no whole response in time: {0}")]
    Timeout(String),
    #[error(
        "the response is larger than {0} bytes: {line}",
        line = larger_response(.0)
    )]
    TooLarge(u64),
    #[error("{0}")]
    Exhausted(String),
}

fn larger_response(most: &u64) -> String {
    raise("response", ByteSize::bytes(*most))
}

impl EgressError {
    /// What the client's error means, of a request to a target that was granted so.
    pub(super) fn of(error: &reqwest::Error, target: &Target, granted: &Granted<'_>) -> Self {
        if let Some(Prohibited(address)) = find(error) {
            let what = || format!("a request to {}", target.origin());
            return match granted.check(target.host(), *address, what) {
                Err(denied) => Self::Prohibited(denied.to_string()),
                // The client checks by the same networks.
                Ok(()) => Self::Prohibited(format!("{address} is not granted")),
            };
        }
        if error.is_timeout() {
            return Self::Timeout(format!(
                "{} did not take the connection; check the name, the port and the network",
                target.origin()
            ));
        }
        let origin = target.origin();
        let deepest = deepest(error);
        if find::<rustls::Error>(error).is_some() {
            return Self::Protocol(format!(
                "TLS with {origin} failed: {deepest}; the certificate must be valid for this name and come from an authority that the runner trusts"
            ));
        }
        if error.is_connect() {
            Self::Unreachable(format!(
                "{origin} cannot be reached: {deepest}; check the name, the port and the network"
            ))
        } else {
            Self::Protocol(format!("HTTP with {origin} failed: {deepest}"))
        }
    }

    /// The plugin would not wait longer.
    pub(crate) fn request_timed_out() -> Self {
        Self::Timeout("the plugin gave the request no more".to_owned())
    }

    /// The run may not last longer.
    pub(crate) fn deadline(limits: &Limits) -> Self {
        Self::Timeout(raise("deadline", limits.deadline))
    }

    /// The server may not take longer from one part to the next.
    pub(crate) fn between_bytes(limits: &Limits) -> Self {
        Self::Timeout(raise("between-bytes", limits.between_bytes))
    }

    /// Says which request it was, where the message does not yet.
    pub(super) fn about(self, request: &str) -> Self {
        match self {
            Self::Protocol(why) => Self::Protocol(format!("{request}: {why}")),
            Self::Unreachable(why) => Self::Unreachable(format!("{request}: {why}")),
            other => other,
        }
    }

    /// Without secrets that a name, a path or a server's words may have brought in.
    pub(super) fn scrubbed(self, scrubber: &NameScrubber) -> Self {
        let clean = |text: String| scrubber.scrub(&text).into_owned();
        match self {
            Self::Invalid(why) => Self::Invalid(clean(why)),
            Self::Denied(why) => Self::Denied(clean(why)),
            Self::Prohibited(why) => Self::Prohibited(clean(why)),
            Self::Unreachable(why) => Self::Unreachable(clean(why)),
            Self::Protocol(why) => Self::Protocol(clean(why)),
            Self::Exhausted(why) => Self::Exhausted(clean(why)),
            Self::Timeout(why) => Self::Timeout(clean(why)),
            Self::TooLarge(limit) => Self::TooLarge(limit),
        }
    }
}

/// An error and what caused it. `io::Error` hides the error that it wraps; it is looked into.
fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| {
        let error: &'e (dyn StdError + 'static) = *error;
        let wrapped = error
            .downcast_ref::<std::io::Error>()
            .and_then(|io| io.get_ref())
            .map(|inner| inner as &(dyn StdError + 'static));
        wrapped.or_else(|| error.source())
    })
}

/// The first cause of that type.
pub(super) fn find<'e, E: StdError + 'static>(
    error: &'e (dyn StdError + 'static),
) -> Option<&'e E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

/// What the innermost cause says; the outer ones repeat the URL.
pub(super) fn deepest(error: &(dyn StdError + 'static)) -> String {
    causes(error)
        .last()
        .map_or_else(String::new, |cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use wharf_policy::Policy;

    use super::*;

    /// The limits of a policy with the line that a message names.
    fn pasted(error: &EgressError) -> wharf_policy::LimitRequest {
        let text = error.to_string();
        let line = text.split('`').find(|part| part.starts_with("limits = "));
        let line = line.unwrap_or_else(|| panic!("no line: {text}"));
        let policy = format!("[[grant]]\nplugins = ['*']\n{line}\n");
        Policy::from_toml(&policy).unwrap().grants[0].limits
    }

    #[test]
    fn a_limit_of_requests_names_the_line_that_raises_it() {
        let limits = Limits::default();
        let deadline = pasted(&EgressError::deadline(&limits)).deadline;
        assert!(deadline > Some(limits.deadline));
        let between = pasted(&EgressError::between_bytes(&limits)).between_bytes;
        assert!(between > Some(limits.between_bytes));
        let response = pasted(&EgressError::TooLarge(limits.response.get())).response;
        assert!(response > Some(limits.response));
    }
}
