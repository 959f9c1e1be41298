//! Whether a request that failed is sent again, and how long to wait before. It decides, and neither
//! waits nor sends.
//!
//! What is read, and what is stored under its own digest, may be asked for twice as it is. An upload is
//! begun anew, since a session takes bytes once; and what is stored under a tag that others write too is
//! read again first. Those two are sent once, and their callers begin from the start.

use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use super::RegistryError;

/// How often something is tried in all.
const TRIES: u32 = 4;
/// The first wait. Each one after it is four times as long: with three of them a little over four seconds.
const FIRST: Duration = Duration::from_millis(200);
/// The longest that a registry may ask to wait. One that asks for more is not waited for.
const LONGEST: Duration = Duration::from_secs(10);

/// How long to wait before the next try, after so many tries, the last of which ended so. `None` if
/// that is the end of it.
pub(super) fn wait(tries: u32, outcome: &Result<Response, RegistryError>) -> Option<Duration> {
    match outcome {
        Ok(response) => after_status(tries, response.status(), response.headers()),
        Err(error) => after_error(tries, error),
    }
}

/// The same for something of more requests than one, which ended with that error.
pub(super) fn after_error(tries: u32, error: &RegistryError) -> Option<Duration> {
    match error {
        RegistryError::BrokeOff { .. } => after_break(tries),
        RegistryError::Status { status, .. } => {
            let status = StatusCode::from_u16(*status).ok()?;
            after_status(tries, status, &HeaderMap::new())
        }
        _ => None,
    }
}

/// The same where a connection broke off that had been there.
pub(super) fn after_break(tries: u32) -> Option<Duration> {
    (tries < TRIES).then(|| FIRST * 4u32.pow(tries - 1))
}

fn after_status(tries: u32, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let passing = matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    );
    let ours = after_break(tries).filter(|_| passing)?;
    let asked = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    match asked {
        Some(asked) => (asked <= LONGEST).then(|| asked.max(ours)),
        None => Some(ours),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn headers(retry_after: Option<&str>) -> HeaderMap {
        let value = retry_after.map(|value| (RETRY_AFTER, value.parse().unwrap()));
        value.into_iter().collect()
    }

    #[test]
    fn it_is_tried_four_times_with_longer_and_longer_waits() {
        let waits: Vec<_> = (1..=5).map(after_break).collect();
        let milliseconds = |number| Some(Duration::from_millis(number));
        let expected = [milliseconds(200), milliseconds(800), milliseconds(3200)];
        assert_eq!(waits, [&expected[..], &[None, None]].concat());
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, again) in [
            (StatusCode::TOO_MANY_REQUESTS, true),
            (StatusCode::BAD_GATEWAY, true),
            (StatusCode::SERVICE_UNAVAILABLE, true),
            (StatusCode::GATEWAY_TIMEOUT, true),
            (StatusCode::OK, false),
            (StatusCode::UNAUTHORIZED, false),
            (StatusCode::NOT_FOUND, false),
            (StatusCode::INTERNAL_SERVER_ERROR, false),
        ] {
            let wait = after_status(1, status, &headers(None));
            assert_eq!(wait.is_some(), again, "{status}");
        }
    }

    #[test]
    fn a_registry_may_ask_for_a_longer_wait_but_not_for_a_long_one() {
        let busy = StatusCode::TOO_MANY_REQUESTS;
        let asked = |value| after_status(1, busy, &headers(Some(value)));
        assert_eq!(asked("0"), Some(FIRST));
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("11"), None);
        assert_eq!(asked("18446744073709551615"), None);
        // A date, as the specification allows: our own wait will do.
        assert_eq!(asked("Wed, 21 Oct 2026 07:28:00 GMT"), Some(FIRST));
    }
}
