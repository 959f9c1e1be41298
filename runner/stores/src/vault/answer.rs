//! Answers of Vault, read without copies of what is secret in them.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::document::members;
use crate::period::of_seconds;
use crate::{Fields, Lease, Lifetime, Place, SecretValue, StoreError};

/// The longest identifier of a lease.
const LONGEST_ID: usize = 4096;

/// What every answer with data looks like.
#[derive(Deserialize)]
pub(super) struct Secret<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    lease_id: Option<Cow<'a, str>>,
    #[serde(default)]
    lease_duration: Seconds,
    #[serde(default)]
    renewable: Flag,
    /// Read by itself, when it is wanted: beside what is lent, it does not matter.
    #[serde(borrow, default)]
    auth: Option<&'a RawValue>,
}

/// What a login gives.
#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    client_token: Cow<'a, str>,
    #[serde(default)]
    lease_duration: Seconds,
    #[serde(default)]
    renewable: Flag,
}

/// A time in whole seconds. Whatever else stands there is none: what was lent must be read all the
/// same, because it is to be given back.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Seconds(u64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(from)?.get();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "what is negative becomes 0, and what is too large the largest"
        )]
        let rounded = |seconds: f64| seconds as u64;
        let seconds = text.parse().or_else(|_| text.parse().map(rounded));
        Ok(Self(seconds.unwrap_or(0)))
    }
}

impl Seconds {
    /// `None`: it has no end by itself.
    fn period(self) -> Option<Duration> {
        (self.0 > 0).then(|| of_seconds(self.0))
    }
}

/// Whether it says `true`; whatever else stands there does not.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Flag(bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(<&RawValue>::deserialize(from)?.get() == "true"))
    }
}

/// A token and how long it holds.
pub(super) struct Granted {
    pub(super) token: SecretValue,
    /// `None`: until someone revokes it.
    pub(super) period: Option<Duration>,
    pub(super) renewable: bool,
}

/// What a key/value engine with versions has in `data`.
#[derive(Deserialize)]
struct Versioned<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What a token's own data say of it.
#[derive(Deserialize)]
struct Looked {
    #[serde(default)]
    ttl: Seconds,
    #[serde(default)]
    renewable: Flag,
}

fn unreadable(whom: &str) -> StoreError {
    // Not what the parser says: it quotes what it stumbled over.
    StoreError::BadAnswer(whom.to_owned(), "it is not what Vault answers".to_owned())
}

impl<'a> Secret<'a> {
    pub(super) fn parse(whom: &str, body: &'a [u8]) -> Result<Self, StoreError> {
        serde_json::from_slice(body).map_err(|_| unreadable(whom))
    }

    /// The data as fields.
    pub(super) fn fields(&self, whom: &str, place: &Place) -> Result<Fields, StoreError> {
        fields(self.data, whom, place)
    }

    /// The data within the data, as engines with versions have it.
    pub(super) fn inner_fields(&self, whom: &str, place: &Place) -> Result<Fields, StoreError> {
        let outer = self.data.ok_or_else(|| unreadable(whom))?;
        let Versioned { data } = serde_json::from_str(outer.get()).map_err(|_| unreadable(whom))?;
        fields(data, whom, place)
    }

    /// Whether what was given is lent. What is lent and cannot be kept track of is an error: it
    /// would be taken for what many may use.
    pub(super) fn lifetime(&self, whom: &str) -> Result<Lifetime, StoreError> {
        match &self.lease_id {
            Some(id) if id.len() > LONGEST_ID => Err(StoreError::BadAnswer(
                whom.to_owned(),
                format!("what it lends has an identifier of more than {LONGEST_ID} bytes"),
            )),
            Some(id) if !id.is_empty() => Ok(Lifetime::Leased(Lease {
                id: id.to_string(),
                period: of_seconds(self.lease_duration.0),
                renewable: self.renewable.0 && self.lease_duration.0 > 0,
            })),
            _ => Ok(Lifetime::Static),
        }
    }

    /// The token that a login or a renewal gave.
    pub(super) fn granted(&self, whom: &str) -> Result<Granted, StoreError> {
        let auth = self.auth.ok_or_else(|| unreadable(whom))?;
        let auth: Auth<'_> = serde_json::from_str(auth.get()).map_err(|_| unreadable(whom))?;
        Ok(Granted {
            token: SecretValue::new(auth.client_token.as_bytes().to_vec()),
            period: auth.lease_duration.period(),
            renewable: auth.renewable.0,
        })
    }

    /// The data, of a known shape without secrets.
    pub(super) fn data<T: Deserialize<'a>>(&self, whom: &str) -> Result<T, StoreError> {
        let data = self.data.ok_or_else(|| unreadable(whom))?;
        serde_json::from_str(data.get()).map_err(|_| unreadable(whom))
    }

    /// How long a token holds, and whether it can be renewed, by its own data.
    pub(super) fn looked_up(&self, whom: &str) -> Result<(Option<Duration>, bool), StoreError> {
        let looked: Looked = self.data(whom)?;
        Ok((looked.ttl.period(), looked.renewable.0))
    }
}

fn fields(data: Option<&RawValue>, whom: &str, place: &Place) -> Result<Fields, StoreError> {
    match data {
        None => Err(StoreError::Absent(place.to_string())),
        Some(data) if data.get() == "null" => Err(StoreError::Absent(place.to_string())),
        Some(data) => members(data.get().as_bytes()).ok_or_else(|| unreadable(whom)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_known_by_its_name_however_its_time_is_written() {
        for (time, seconds) in [
            ("60", 60),
            ("60.0", 60),
            ("60.9", 60),
            ("6e1", 60),
            ("0", 0),
            ("-1", 0),
            ("-0.5", 0),
            ("null", 0),
            (r#""1h""#, 0),
            ("{}", 0),
            ("18446744073709551615", u64::MAX),
            ("18446744073709551616", u64::MAX),
            ("1e300", u64::MAX),
        ] {
            let body = format!(
                r#"{{"lease_id": "db/1", "lease_duration": {time}, "renewable": true, "auth": 7}}"#
            );
            let secret = Secret::parse("Vault", body.as_bytes()).expect(time);
            let Ok(Lifetime::Leased(lease)) = secret.lifetime("Vault") else {
                panic!("{time}: it is not lent")
            };
            assert_eq!(lease.id, "db/1");
            assert_eq!(lease.period, of_seconds(seconds), "{time}");
            assert_eq!(lease.renewable, seconds > 0, "{time}");

            let body = format!(
                r#"{{"auth": {{"client_token": "t-1", "lease_duration": {time}, "renewable": null}}}}"#
            );
            let secret = Secret::parse("Vault", body.as_bytes()).unwrap();
            let granted = secret.granted("Vault").expect(time);
            assert_eq!(granted.token.expose(), b"t-1");
            let period = (seconds > 0).then(|| of_seconds(seconds));
            assert_eq!(
                (granted.period, granted.renewable),
                (period, false),
                "{time}"
            );

            let body = format!(r#"{{"data": {{"ttl": {time}, "renewable": true}}}}"#);
            let secret = Secret::parse("Vault", body.as_bytes()).unwrap();
            assert_eq!(secret.looked_up("Vault").expect(time), (period, true));
        }
    }
}
