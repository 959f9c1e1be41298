//! Answers of Vault, read without copies of what is secret in them.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
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
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
    #[serde(borrow, default)]
    auth: Option<Auth<'a>>,
}

/// What a login gives.
#[derive(Deserialize)]
struct Auth<'a> {
    #[serde(borrow)]
    client_token: Cow<'a, str>,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
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
    ttl: u64,
    #[serde(default)]
    renewable: bool,
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
                period: of_seconds(self.lease_duration),
                renewable: self.renewable && self.lease_duration > 0,
            })),
            _ => Ok(Lifetime::Static),
        }
    }

    /// The token that a login or a renewal gave.
    pub(super) fn granted(&self, whom: &str) -> Result<Granted, StoreError> {
        let auth = self.auth.as_ref().ok_or_else(|| unreadable(whom))?;
        Ok(Granted {
            token: SecretValue::new(auth.client_token.as_bytes().to_vec()),
            period: (auth.lease_duration > 0).then(|| of_seconds(auth.lease_duration)),
            renewable: auth.renewable,
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
        let period = (looked.ttl > 0).then(|| of_seconds(looked.ttl));
        Ok((period, looked.renewable))
    }
}

fn fields(data: Option<&RawValue>, whom: &str, place: &Place) -> Result<Fields, StoreError> {
    match data {
        None => Err(StoreError::Absent(place.to_string())),
        Some(data) if data.get() == "null" => Err(StoreError::Absent(place.to_string())),
        Some(data) => members(data.get().as_bytes()).ok_or_else(|| unreadable(whom)),
    }
}
