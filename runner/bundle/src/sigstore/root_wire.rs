//! A trusted root as it stands in the file: ProtoJSON, read as strictly as a bundle is.
//!
//! Unknown fields and fields that come twice, in whichever spelling, are refused, as by sigstore-go: of a
//! field that is passed over nobody knows whether it was to take trust away.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::key_details;
use super::wire::{Bytes, Chain, HASHES, LogId, enumeration, list, text};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Root {
    #[serde(alias = "media_type", default, deserialize_with = "text")]
    pub(super) media_type: String,
    #[serde(default, deserialize_with = "list")]
    pub(super) tlogs: Vec<Log>,
    #[serde(alias = "certificate_authorities", default, deserialize_with = "list")]
    pub(super) certificate_authorities: Vec<Authority>,
    #[serde(default, deserialize_with = "list")]
    pub(super) ctlogs: Vec<Log>,
    #[serde(alias = "timestamp_authorities", default, deserialize_with = "list")]
    pub(super) timestamp_authorities: Vec<Authority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Log {
    #[serde(alias = "base_url", default, deserialize_with = "text")]
    pub(super) base_url: String,
    /// Of its tree.
    #[serde(alias = "hash_algorithm", default, deserialize_with = "hash_algorithm")]
    pub(super) hash_algorithm: String,
    #[serde(alias = "public_key")]
    pub(super) public_key: PublicKey,
    #[serde(alias = "log_id")]
    pub(super) log_id: LogId,
    /// The same as the log id, where there is one.
    #[serde(rename = "checkpointKeyId", alias = "checkpoint_key_id")]
    _checkpoint_key_id: Option<LogId>,
    #[serde(rename = "operator", default, deserialize_with = "text")]
    _operator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PublicKey {
    #[serde(alias = "raw_bytes")]
    pub(super) raw_bytes: Bytes,
    #[serde(alias = "key_details", default, deserialize_with = "details")]
    pub(super) key_details: String,
    #[serde(alias = "valid_for")]
    pub(super) valid_for: Option<Window>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Authority {
    #[serde(rename = "subject")]
    _subject: Option<Name>,
    #[serde(rename = "uri", default, deserialize_with = "text")]
    _uri: String,
    #[serde(alias = "cert_chain")]
    pub(super) cert_chain: Chain,
    #[serde(alias = "valid_for")]
    pub(super) valid_for: Option<Window>,
    #[serde(rename = "operator", default, deserialize_with = "text")]
    _operator: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    #[serde(rename = "organization", default, deserialize_with = "text")]
    _organization: String,
    #[serde(
        rename = "commonName",
        alias = "common_name",
        default,
        deserialize_with = "text"
    )]
    _common_name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    #[serde(default, deserialize_with = "time")]
    pub(super) start: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    pub(super) end: Option<Timestamp>,
}

fn hash_algorithm<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    enumeration(from, HASHES)
}

fn details<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    enumeration(from, key_details::NAMES)
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<String>::deserialize(from)?
        .map(|text| {
            text.parse()
                .map_err(|_| D::Error::custom(format!("{text:?} is not a time with its offset")))
        })
        .transpose()
}
