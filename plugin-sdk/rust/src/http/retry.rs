//! When to send a request again, and after how long. Pure, but for the clock that a dated
//! `Retry-After` needs where the server sends no date of its own.

use std::time::{Duration, SystemTime};

use super::date;
use super::error::HttpError;
use super::method::Method;
use super::response::Response;

/// How often to send a request again where that is safe and may help: after 429, 502, 503 and 504,
/// when the server cannot be reached, and when it does not answer in time.
///
/// The pause doubles from half a second to half a minute, each a little random; `Retry-After` takes
/// its place. A pause that does not fit before the deadline is not made: the last answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    times: u32,
    repeatable: bool,
}

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

impl Retry {
    /// Send once.
    #[must_use]
    pub const fn never() -> Self {
        Self {
            times: 0,
            repeatable: false,
        }
    }

    /// Send again up to that many times, if the method is idempotent.
    #[must_use]
    pub const fn times(times: u32) -> Self {
        Self {
            times,
            repeatable: false,
        }
    }

    /// Send again whatever the method is: the receiver can tell a repeat by itself, say by an
    /// idempotency key.
    #[must_use]
    pub const fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// How long to pause before sending again; nothing if this outcome stands. `sent` counts from
    /// 1, `spread` is from 0 to 1.
    pub(super) fn pause(
        &self,
        method: &Method,
        sent: u32,
        outcome: &Result<Response, HttpError>,
        spread: f64,
    ) -> Option<Duration> {
        let may = sent <= self.times && (self.repeatable || method.is_idempotent());
        if !may {
            return None;
        }
        let asked = match outcome {
            Ok(response) if matches!(response.status, 429 | 502 | 503 | 504) => {
                retry_after(response)
            }
            Ok(_) => return None,
            Err(error) if error.is_transient() => None,
            Err(_) => return None,
        };
        Some(asked.unwrap_or_else(|| back_off(sent, spread)))
    }
}

/// Half of the doubled time for sure and half at random: those who failed together come back apart.
fn back_off(sent: u32, spread: f64) -> Duration {
    let doubled = FIRST
        .saturating_mul(1_u32 << (sent - 1).min(16))
        .min(LONGEST);
    doubled.mul_f64(0.5 + 0.5 * spread.clamp(0.0, 1.0))
}

/// What `Retry-After` asks for: seconds, or a date as seen by the server's own clock.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers.get("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let until = date::parse(value)?;
    let now = match response.headers.get("date").and_then(date::parse) {
        Some(now) => now,
        None => {
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .ok()?;
            i64::try_from(now.as_secs()).ok()?
        }
    };
    Some(Duration::from_secs(u64::try_from(until - now).unwrap_or(0)))
}

/// A number from 0 to 1 that differs between executions, attempts and tries, and not from run to
/// run: FNV-1a. It spreads load and keeps nothing secret, so it needs no capability.
pub(super) fn spread(execution: &str, attempt: u32, sent: u32) -> f64 {
    let numbers = [attempt.to_le_bytes(), sent.to_le_bytes()];
    let bytes = execution.bytes().chain(numbers.into_iter().flatten());
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325, step);
    // FNV mixes upwards: the high half is the random one.
    f64::from((hash >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: Retry = Retry::times(2);

    fn busy() -> Result<Response, HttpError> {
        Ok(Response::new(503))
    }

    #[test]
    fn only_idempotent_methods_are_sent_again_unless_the_receiver_can_tell() {
        assert!(TWICE.pause(&Method::GET, 1, &busy(), 0.5).is_some());
        assert!(TWICE.pause(&Method::POST, 1, &busy(), 0.5).is_none());
        assert!(
            TWICE
                .repeatable()
                .pause(&Method::POST, 1, &busy(), 0.5)
                .is_some()
        );
        assert!(TWICE.pause(&Method::GET, 3, &busy(), 0.5).is_none());
    }

    #[test]
    fn only_what_may_pass_is_sent_again() {
        let again = |outcome| TWICE.pause(&Method::GET, 1, &outcome, 0.5).is_some();
        for status in [429, 502, 503, 504] {
            assert!(again(Ok(Response::new(status))), "{status}");
        }
        for status in [200, 302, 400, 404, 500, 501] {
            assert!(!again(Ok(Response::new(status))), "{status}");
        }
        assert!(again(Err(HttpError::Unreachable("x".into()))));
        assert!(again(Err(HttpError::Timeout)));
        assert!(!again(Err(HttpError::Denied("x".into()))));
        assert!(!again(Err(HttpError::TooLarge(1))));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pause = |sent| {
            Retry::times(99)
                .pause(&Method::GET, sent, &busy(), 1.0)
                .unwrap()
        };
        assert_eq!(pause(1), Duration::from_millis(500));
        assert_eq!(pause(3), Duration::from_secs(2));
        assert_eq!(pause(40), LONGEST);
        assert_eq!(back_off(1, 0.0), Duration::from_millis(250));
    }

    #[test]
    fn retry_after_is_honoured_in_seconds_and_as_a_date() {
        let asked = |response| TWICE.pause(&Method::GET, 1, &Ok(response), 0.0);
        let seconds = Response::new(429).with_header("Retry-After", "7");
        assert_eq!(asked(seconds), Some(Duration::from_secs(7)));
        let dated = Response::new(503)
            .with_header("Date", "Sun, 06 Nov 1994 08:49:37 GMT")
            .with_header("Retry-After", "Sun, 06 Nov 1994 08:50:00 GMT");
        assert_eq!(asked(dated), Some(Duration::from_secs(23)));
        let past = Response::new(503).with_header("Retry-After", "Sun, 06 Nov 1994 08:50:00 GMT");
        assert_eq!(asked(past), Some(Duration::ZERO));
    }

    #[test]
    fn the_spread_differs_between_tries_and_stays_in_range() {
        let values: Vec<_> = (1..50).map(|sent| spread("01J0", 1, sent)).collect();
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
        assert!(values.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(values.iter().any(|v| *v < 0.3) && values.iter().any(|v| *v > 0.7));
    }
}
