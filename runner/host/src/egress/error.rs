//! Why there is no response.

use std::error::Error as StdError;
use std::io;
use std::net::IpAddr;

use wharf_policy::{ByteSize, Denied, Limits, Target, raise};

use crate::lowered::NameScrubber;

/// Why there is no response. No text holds a query, a header value or a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EgressError {
    #[error("{0}")]
    Invalid(String),
    /// A rule says no.
    #[error("{0}")]
    Denied(String),
    /// The address says no, which one is told beside.
    #[error("{0}")]
    Prohibited(String, Option<IpAddr>),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    Protocol(String),
    /// There is an answer, and it may not be passed on.
    #[error("{0}")]
    Withheld(String),
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
    /// The refusal of an address.
    pub(super) fn prohibited(denied: &Denied) -> Self {
        Self::Prohibited(denied.to_string(), denied.address)
    }

    /// There is no connection, for want of an address or of somebody who takes it.
    pub(super) fn unreachable(error: &io::Error, target: &Target) -> Self {
        Self::Unreachable(format!(
            "{} cannot be reached: {}; check the name, the port and the network",
            target.origin(),
            deepest(error)
        ))
    }

    /// Nobody says where it is.
    pub(super) fn not_looked_up(target: &Target) -> Self {
        Self::Timeout(format!(
            "the name of {} was not looked up; check the name servers of the runner",
            target.origin()
        ))
    }

    /// Nobody takes the connection, and nobody refuses it.
    pub(super) fn not_taken(target: &Target) -> Self {
        Self::Timeout(format!(
            "{} did not take the connection; check the name, the port and the network",
            target.origin()
        ))
    }

    /// The server does not show who it is, or broke off before it did.
    pub(super) fn insecure(error: &io::Error, target: &Target) -> Self {
        if find::<rustls::Error>(error).is_none() {
            return Self::unreachable(error, target);
        }
        Self::Protocol(format!(
            "TLS with {} failed: {}; the certificate must be valid for this name and come from an authority that the runner trusts",
            target.origin(),
            deepest(error)
        ))
    }

    /// The server does not speak HTTP as it should, or broke off.
    pub(super) fn broken(error: &hyper::Error, target: &Target) -> Self {
        Self::Protocol(format!(
            "HTTP with {} failed: {}",
            target.origin(),
            deepest(error)
        ))
    }

    /// The server closed the connection before a request could be sent.
    pub(super) fn closed(target: &Target) -> Self {
        Self::Protocol(format!(
            "HTTP with {} failed: the connection was closed before the request was sent",
            target.origin()
        ))
    }

    /// Whether this is the host's own no, which goes into the audit record, and not a failure of
    /// the network or the server.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::Denied(_)
            | Self::Prohibited(..)
            | Self::Withheld(_)
            | Self::TooLarge(_)
            | Self::Exhausted(_) => true,
            Self::Unreachable(_) | Self::Protocol(_) | Self::Timeout(_) => false,
        }
    }

    /// The address that said no, if it was one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Prohibited(_, address) => *address,
            _ => None,
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
            Self::Withheld(why) => Self::Withheld(format!("{request}: {why}")),
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
            Self::Prohibited(why, address) => Self::Prohibited(clean(why), address),
            Self::Unreachable(why) => Self::Unreachable(clean(why)),
            Self::Protocol(why) => Self::Protocol(clean(why)),
            Self::Withheld(why) => Self::Withheld(clean(why)),
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
