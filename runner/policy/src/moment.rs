//! Points in time, as policies write them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ParseError;

/// A point in time: `2027-01-31`, which is its first moment in UTC, or
/// `2027-01-31T12:00:00Z` with any offset.
///
/// Reading the clock is for whoever decides something; this is only the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(Timestamp);

impl Moment {
    /// The moment that many seconds after the beginning of 1970.
    ///
    /// # Errors
    /// Before the year -9999 or after 9999.
    pub fn from_unix(seconds: i64) -> Result<Self, ParseError> {
        Timestamp::from_second(seconds)
            .map(Self)
            .map_err(|error| ParseError::new("time", &seconds.to_string(), error.to_string()))
    }

    /// Seconds since the beginning of 1970.
    pub fn unix(self) -> i64 {
        self.0.as_second()
    }

    /// The moment that many seconds later.
    pub fn plus(self, seconds: i64) -> Self {
        let later = self.0.saturating_add(SignedDuration::from_secs(seconds));
        Self(later.unwrap_or(self.0))
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl FromStr for Moment {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let time = match text.parse::<Timestamp>() {
            Ok(time) => Ok(time),
            Err(_) if text.len() == 10 => text
                .parse::<Date>()
                .and_then(|date| date.to_zoned(TimeZone::UTC))
                .map(|midnight| midnight.timestamp()),
            Err(error) => Err(error),
        };
        time.map(Self).map_err(|_| {
            ParseError::new(
                "time",
                text,
                "write a day, 2027-01-31, or a time with its offset, 2027-01-31T12:00:00Z",
            )
        })
    }
}

impl TryFrom<String> for Moment {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_first_moment_and_a_time_needs_an_offset() {
        let day: Moment = "2027-01-31".parse().unwrap();
        assert_eq!(day, "2027-01-31T00:00:00Z".parse().unwrap());
        assert_eq!(day, "2027-01-31T02:00:00+02:00".parse().unwrap());
        assert_eq!(day.to_string(), "2027-01-31T00:00:00Z");
        assert_eq!(Moment::from_unix(day.unix()).unwrap(), day);
        assert!(day.plus(1) > day);
        for bad in [
            "",
            "tomorrow",
            "2027-01-31T12:00:00",
            "2027-02-30",
            "2027-1-1",
        ] {
            assert!(bad.parse::<Moment>().is_err(), "{bad}");
        }
    }
}
