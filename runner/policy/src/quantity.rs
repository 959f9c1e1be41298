//! Sizes and periods as people write them: `64MiB`, `30s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ParseError;
use crate::text::text_conversions;

/// Splits `64MiB` into 64 and `MiB`.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..end].parse().ok()?, text[end..].trim_start()))
}

/// A number of bytes, written `512B`, `256KiB`, `64MiB` or `1GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }
    /// So many times 1024 bytes.
    pub const fn kib(kib: u64) -> Self {
        Self(kib << 10)
    }
    /// So many times 1024² bytes.
    pub const fn mib(mib: u64) -> Self {
        Self(mib << 20)
    }
    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }
}

const BYTE_UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl FromStr for ByteSize {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        split(text)
            .and_then(|(number, unit)| {
                let (_, factor) = BYTE_UNITS.iter().find(|(name, _)| *name == unit)?;
                number.checked_mul(*factor)
            })
            .map(Self)
            .ok_or_else(|| {
                ParseError::new("size", text, "write a whole number and B, KiB, MiB or GiB")
            })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = BYTE_UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// A length of time, written `250ms`, `30s`, `5m`, `1h` or `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(u64);

impl Period {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(millis)
    }
    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(secs * 1000)
    }
    /// The length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
    /// The length as the standard library has it.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

const TIME_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl FromStr for Period {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Self, ParseError> {
        split(text)
            .and_then(|(number, unit)| {
                let (_, factor) = TIME_UNITS.iter().find(|(name, _)| *name == unit)?;
                number.checked_mul(*factor)
            })
            .map(Self)
            .ok_or_else(|| {
                ParseError::new("period", text, "write a whole number and ms, s, m, h or d")
            })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = TIME_UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

text_conversions!(ByteSize);
text_conversions!(Period);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_size(bytes in any::<u64>()) {
            let size = ByteSize::bytes(bytes);
            prop_assert_eq!(size.to_string().parse::<ByteSize>().unwrap(), size);
        }

        #[test]
        fn what_is_printed_reads_back_as_the_same_period(millis in any::<u64>()) {
            let period = Period::millis(millis);
            prop_assert_eq!(period.to_string().parse::<Period>().unwrap(), period);
        }
    }

    #[test]
    fn a_size_without_unit_or_past_64_bits_is_refused() {
        for bad in [
            "",
            "64",
            "MiB",
            "1.5MiB",
            "-1B",
            "64mb",
            "99999999999999GiB",
        ] {
            assert!(bad.parse::<ByteSize>().is_err(), "{bad:?} was taken");
        }
    }
}
