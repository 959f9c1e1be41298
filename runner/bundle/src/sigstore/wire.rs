//! A bundle as it stands in the file: ProtoJSON, in its spellings that say the same to everybody.
//!
//! The specification lets names be written in two ways, base64 in four, numbers and enumerations as
//! either text or numbers, and `null` for what is not there. Unknown fields are refused, and so is a
//! field that comes twice, in whichever spelling. Nothing here has a meaning yet: `bundle` gives it one.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Bundle {
    #[serde(alias = "media_type")]
    pub(super) media_type: String,
    #[serde(alias = "verification_material")]
    pub(super) verification_material: Material,
    #[serde(alias = "message_signature")]
    pub(super) message_signature: Option<Message>,
    #[serde(alias = "dsse_envelope")]
    pub(super) dsse_envelope: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Material {
    #[serde(alias = "public_key")]
    pub(super) public_key: Option<Key>,
    pub(super) certificate: Option<Certificate>,
    #[serde(alias = "x509_certificate_chain")]
    pub(super) x509_certificate_chain: Option<Chain>,
    #[serde(alias = "tlog_entries", default, deserialize_with = "list")]
    pub(super) tlog_entries: Vec<Entry>,
    #[serde(alias = "timestamp_verification_data", default)]
    pub(super) timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Key {
    #[serde(default, deserialize_with = "text")]
    pub(super) hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Certificate {
    #[serde(alias = "raw_bytes")]
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
    #[serde(alias = "log_index", default)]
    pub(super) log_index: Int64,
    #[serde(alias = "log_id")]
    pub(super) log_id: LogId,
    #[serde(alias = "kind_version")]
    pub(super) kind_version: KindVersion,
    #[serde(alias = "integrated_time", default)]
    pub(super) integrated_time: Int64,
    #[serde(alias = "inclusion_promise")]
    pub(super) inclusion_promise: Option<Promise>,
    #[serde(alias = "inclusion_proof")]
    pub(super) inclusion_proof: Option<Proof>,
    #[serde(alias = "canonicalized_body")]
    pub(super) canonicalized_body: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LogId {
    #[serde(alias = "key_id")]
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
    #[serde(alias = "signed_entry_timestamp")]
    pub(super) signed_entry_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Proof {
    #[serde(alias = "log_index", default)]
    pub(super) log_index: Int64,
    #[serde(alias = "root_hash")]
    pub(super) root_hash: Bytes,
    #[serde(alias = "tree_size")]
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
    #[serde(alias = "rfc3161_timestamps", default, deserialize_with = "list")]
    pub(super) rfc3161_timestamps: Vec<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Timestamp {
    #[serde(alias = "signed_timestamp")]
    pub(super) signed_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Message {
    #[serde(alias = "message_digest")]
    pub(super) message_digest: Option<Digest>,
    pub(super) signature: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Digest {
    #[serde(deserialize_with = "hash_algorithm")]
    pub(super) algorithm: String,
    pub(super) digest: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) payload: Bytes,
    #[serde(alias = "payload_type")]
    pub(super) payload_type: String,
    pub(super) signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct EnvelopeSignature {
    pub(super) sig: Bytes,
    /// Says nothing that is believed; it is not covered by the signature.
    #[serde(default, rename = "keyid", deserialize_with = "text")]
    _keyid: String,
}

/// A list; `null` is the empty one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Option::<Vec<T>>::deserialize(from).map(Option::unwrap_or_default)
}

/// A text; `null` is the empty one.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(from).map(Option::unwrap_or_default)
}

/// `HashAlgorithm` of sigstore_common.proto, as far as it is used.
pub(super) const HASHES: &[(u64, &str)] = &[(1, "SHA2_256"), (2, "SHA2_384"), (3, "SHA2_512")];

/// The name of a hash function. There must be one, and it must be known.
fn hash_algorithm<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let name = enumeration(from, HASHES)?;
    match name.strip_prefix('#') {
        Some(number) => Err(de::Error::custom(format!(
            "no hash function has the number {number}"
        ))),
        None if name.is_empty() => Err(de::Error::custom("a hash function has no name")),
        None => Ok(name),
    }
}

/// The name of one of a few, which may be written as its number. A number that has no
/// name is called `#` and the number, which is nobody's name, and `null` is the empty name.
pub(super) fn enumeration<'de, D: Deserializer<'de>>(
    from: D,
    names: &'static [(u64, &'static str)],
) -> Result<String, D::Error> {
    struct OneOf(&'static [(u64, &'static str)]);
    impl Visitor<'_> for OneOf {
        type Value = String;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a name such as ")?;
            f.write_str(self.0.first().map_or("", |(_, name)| name))
        }

        fn visit_str<E: de::Error>(self, name: &str) -> Result<String, E> {
            Ok(name.to_owned())
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<String, E> {
            let named = self.0.iter().find(|(known, _)| *known == number);
            Ok(named.map_or_else(|| format!("#{number}"), |(_, name)| (*name).to_owned()))
        }

        fn visit_unit<E: de::Error>(self) -> Result<String, E> {
            Ok(String::new())
        }
    }
    from.deserialize_any(OneOf(names))
}

/// Bytes in base64: standard or URL-safe, with all of its padding or none, no stray bits.
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
                let alphabet = match (text.contains(['-', '_']), text.ends_with('=')) {
                    (false, true) => STANDARD,
                    (false, false) => STANDARD_NO_PAD,
                    (true, true) => URL_SAFE,
                    (true, false) => URL_SAFE_NO_PAD,
                };
                let bytes = alphabet
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

/// A 64-bit number that is not negative: ProtoJSON writes it as a string and allows a number, either
/// also as `3.0` or `3e0`.
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

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Int64, E> {
                // Above it not every whole number has a place of its own, and another one may be meant.
                const EXACT: f64 = 9_007_199_254_740_992.0;
                if number.is_sign_negative() || number.fract() != 0.0 || number >= EXACT {
                    return Err(E::custom(format!(
                        "{number} is not a whole number above or equal to 0"
                    )));
                }
                format!("{number:.0}")
                    .parse()
                    .map(Int64)
                    .map_err(|_| E::custom("a number is out of range"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Int64, E> {
                let odd = || {
                    E::custom(format!(
                        "{text:?} is not a whole number above or equal to 0"
                    ))
                };
                // White space around it is not a part of a number, and is passed over otherwise.
                if text.contains(|c: char| c.is_ascii_whitespace()) {
                    return Err(odd());
                }
                let number: serde_json::Number = serde_json::from_str(text).map_err(|_| odd())?;
                match (number.as_u64(), number.as_f64()) {
                    (Some(number), _) => self.visit_u64(number),
                    (None, Some(number)) => self.visit_f64(number),
                    (None, None) => Err(odd()),
                }
            }

            /// Not there.
            fn visit_unit<E: de::Error>(self) -> Result<Int64, E> {
                Ok(Int64::default())
            }
        }
        from.deserialize_any(Number)
    }
}
