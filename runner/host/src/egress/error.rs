//! Why there is no response.

use std::error::Error as StdError;

use wharf_policy::Target;

use crate::Scrubber;
use crate::egress::resolve::Prohibited;

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
    #[error(
        "no whole response in time: raise the timeout of the request, or `deadline` or `between-bytes` in the limits of the [[grant]]"
    )]
    Timeout,
    #[error(
        "the response is larger than {0} bytes: {line}",
        line = larger_response(.0)
    )]
    TooLarge(u64),
    #[error("{0}")]
    Exhausted(String),
}

fn larger_response(most: &u64) -> String {
    wharf_policy::raise("response", wharf_policy::ByteSize::bytes(*most))
}

impl EgressError {
    /// What the client's error means.
    pub(super) fn of(error: &reqwest::Error, target: &Target) -> Self {
        let mut causes = causes(error);
        if let Some(refused) = causes.find_map(|cause| cause.downcast_ref::<Prohibited>()) {
            return Self::Prohibited(refused.to_string());
        }
        if error.is_timeout() {
            return Self::Timeout;
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

    /// Says which request it was, where the message does not yet.
    pub(super) fn about(self, request: &str) -> Self {
        match self {
            Self::Protocol(why) => Self::Protocol(format!("{request}: {why}")),
            Self::Unreachable(why) => Self::Unreachable(format!("{request}: {why}")),
            other => other,
        }
    }

    /// Without secrets that a name, a path or a server's words may have brought in.
    pub(super) fn scrubbed(self, scrubber: &Scrubber) -> Self {
        let clean = |text: String| scrubber.scrub(&text).into_owned();
        match self {
            Self::Invalid(why) => Self::Invalid(clean(why)),
            Self::Denied(why) => Self::Denied(clean(why)),
            Self::Prohibited(why) => Self::Prohibited(clean(why)),
            Self::Unreachable(why) => Self::Unreachable(clean(why)),
            Self::Protocol(why) => Self::Protocol(clean(why)),
            Self::Exhausted(why) => Self::Exhausted(clean(why)),
            Self::Timeout => Self::Timeout,
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
