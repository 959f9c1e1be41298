//! A bundle as it stands in the file: ProtoJSON, read strictly.
//!
//! Unknown and repeated fields are refused, base64 has one form, and `null` means that a field is
//! not there. Nothing here has a meaning yet: `bundle` gives it one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Bundle {
    pub(super) media_type: String,
    pub(super) verification_material: Material,
    pub(super) message_signature: Option<Message>,
    pub(super) dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Material {
    pub(super) public_key: Option<Key>,
    pub(super) certificate: Option<Certificate>,
    pub(super) x509_certificate_chain: Option<Chain>,
    #[serde(default, deserialize_with = "list")]
    pub(super) tlog_entries: Vec<Entry>,
    #[serde(default)]
    pub(super) timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Key {
    #[serde(default)]
    pub(super) hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Certificate {
    pub(super) raw_bytes: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Chain {
    pub(super) certificates: Vec<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Entry {
    /// Left out by some writers when it is 0.
    #[serde(default)]
    pub(super) log_index: Int64,
    pub(super) log_id: LogId,
    pub(super) kind_version: KindVersion,
    #[serde(default)]
    pub(super) integrated_time: Int64,
    pub(super) inclusion_promise: Option<Promise>,
    pub(super) inclusion_proof: Option<Proof>,
    pub(super) canonicalized_body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogId {
    pub(super) key_id: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KindVersion {
    pub(super) kind: String,
    pub(super) version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Promise {
    pub(super) signed_entry_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Proof {
    #[serde(default)]
    pub(super) log_index: Int64,
    pub(super) root_hash: Bytes,
    pub(super) tree_size: Int64,
    #[serde(default, deserialize_with = "list")]
    pub(super) hashes: Vec<Bytes>,
    pub(super) checkpoint: Option<Checkpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Checkpoint {
    pub(super) envelope: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Timestamps {
    #[serde(default, deserialize_with = "list")]
    pub(super) rfc3161_timestamps: Vec<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Timestamp {
    pub(super) signed_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Message {
    pub(super) message_digest: Option<Digest>,
    pub(super) signature: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Digest {
    pub(super) algorithm: String,
    pub(super) digest: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) payload: Bytes,
    pub(super) payload_type: String,
    pub(super) signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvelopeSignature {
    pub(super) sig: Bytes,
    /// Says nothing that is believed; it is not covered by the signature.
    #[serde(default, rename = "keyid")]
    _keyid: String,
}

/// A list; `null` is the empty one.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

/// Bytes in base64: standard alphabet, padded, no stray bits. One text for the same bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes in base64")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                let bytes = STANDARD
                    .decode(text)
                    .map_err(|error| E::custom(format!("not base64: {error}")))?;
                Ok(Bytes(bytes))
            }
        }
        from.deserialize_str(Text)
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

/// A 64-bit number that is not negative: ProtoJSON writes it as a string and allows a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Int64(pub(super) u64);

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Int64;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number that is not negative, as a string")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Int64, E> {
                if i64::try_from(number).is_err() {
                    return Err(E::custom("a number is too large for 64 bits with a sign"));
                }
                Ok(Int64(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Int64, E> {
                // `parse` alone would take a leading `+` and zeros.
                let number: u64 = text.parse().map_err(|_| {
                    E::custom(format!(
                        "{text:?} is not a whole number above or equal to 0"
                    ))
                })?;
                if number.to_string() != text {
                    return Err(E::custom(format!(
                        "{text:?} is an odd way to write a number"
                    )));
                }
                self.visit_u64(number)
            }
        }
        from.deserialize_any(Number)
    }
}
