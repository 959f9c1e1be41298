//! Statements: what an attestation says it is about.
//!
//! Only the subjects are looked at. What the predicate claims is for whoever asked.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use wharf_policy::Digest;

use super::hash::{Hash, from_hex};
use super::{Artifact, Rejection};

/// The one payload type that says what it is about.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const TYPES: [&str; 2] = [
    "https://in-toto.io/Statement/v0.1",
    "https://in-toto.io/Statement/v1",
];

/// The most subjects of one statement.
const MAX_SUBJECTS: usize = 4096;
/// The longest predicate type, in bytes.
const MAX_TYPE: usize = 512;

/// A statement that is understood as far as it is looked at: its type, and what it is about.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    predicate_type: String,
    subjects: Vec<Subject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    #[serde(default, rename = "predicate")]
    _predicate: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Deserialize)]
struct Subject {
    #[serde(default, rename = "name")]
    _name: Option<String>,
    #[serde(deserialize_with = "without_repeats")]
    digest: BTreeMap<String, String>,
}

/// Digests by the names of their functions. Readers differ in which of two by the same name they take.
fn without_repeats<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    struct Digests;
    impl<'de> Visitor<'de> for Digests {
        type Value = BTreeMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("digests by the names of their functions")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut digests = BTreeMap::new();
            while let Some((name, digest)) = map.next_entry()? {
                if digests.insert(name, digest).is_some() {
                    return Err(Error::custom("a digest comes twice"));
                }
            }
            Ok(digests)
        }
    }
    from.deserialize_map(Digests)
}

/// What an attestation is, as far as it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    pub(super) predicate_type: String,
    /// By which digest the artifact was found.
    pub(super) hash: Hash,
}

impl Statement {
    /// Reads the payload of an envelope. Nothing of it is proven.
    pub(crate) fn read(payload_type: &str, payload: &[u8]) -> Result<Self, Rejection> {
        if payload_type != PAYLOAD_TYPE {
            return Err(Rejection::Unsupported(format!(
                "its payload is {:?}, and only in-toto statements say what they are about",
                payload_type.chars().take(80).collect::<String>()
            )));
        }
        let statement: Wire = crate::strict_json::from_slice(payload)
            .map_err(|error| Rejection::Malformed(format!("its in-toto statement: {error}")))?;
        if !TYPES.contains(&statement.kind.as_str()) {
            return Err(Rejection::Unsupported(format!(
                "its statement is of the unknown type {:?}",
                statement.kind.chars().take(80).collect::<String>()
            )));
        }
        if statement.predicate_type.is_empty() {
            return Err(Rejection::Malformed(
                "its statement has no predicateType".to_owned(),
            ));
        }
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if statement.predicate_type.len() > MAX_TYPE || statement.predicate_type.contains(odd) {
            return Err(Rejection::Malformed(
                "the predicateType of its statement is no URI".to_owned(),
            ));
        }
        let subjects = statement.subject;
        if subjects.is_empty() || subjects.len() > MAX_SUBJECTS {
            return Err(Rejection::Malformed(format!(
                "its statement has {} subjects",
                subjects.len()
            )));
        }
        Ok(Self {
            predicate_type: statement.predicate_type,
            subjects,
        })
    }

    /// What is attested.
    pub(crate) fn predicate_type(&self) -> &str {
        &self.predicate_type
    }

    /// Whether one of its subjects has this SHA-256.
    pub(crate) fn names(&self, sha256: Digest) -> bool {
        self.digests(Hash::Sha256)
            .any(|named| named == sha256.as_bytes())
    }

    /// The digests of its subjects by that function.
    fn digests(&self, hash: Hash) -> impl Iterator<Item = Vec<u8>> {
        self.subjects
            .iter()
            .flat_map(|subject| &subject.digest)
            .filter(move |(name, _)| Hash::by_short_name(name) == Some(hash))
            .filter_map(|(_, digits)| from_hex(digits))
    }
}

/// Finds the artifact among the subjects of a statement: by SHA-256, or by a longer digest where
/// the file is at hand. One matching digest of one subject is enough.
pub(super) fn find(
    payload_type: &str,
    payload: &[u8],
    artifact: &Artifact<'_>,
) -> Result<About, Rejection> {
    let statement = Statement::read(payload_type, payload)?;
    for hash in [Hash::Sha256, Hash::Sha512, Hash::Sha384] {
        let named: Vec<Vec<u8>> = statement.digests(hash).collect();
        if named.is_empty() {
            continue;
        }
        // A longer digest that cannot be made here is one that does not match.
        if artifact
            .hashed(hash)
            .is_ok_and(|actual| named.contains(&actual))
        {
            return Ok(About {
                predicate_type: statement.predicate_type,
                hash,
            });
        }
    }
    Err(Rejection::WrongArtifact(format!(
        "none of the {} subjects of its statement is {}",
        statement.subjects.len(),
        artifact.digest()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &str) -> Result<Statement, Rejection> {
        Statement::read(PAYLOAD_TYPE, payload.as_bytes())
    }

    #[test]
    fn a_digest_that_comes_twice_in_a_subject_is_refused() {
        let of = |digests: &str| {
            read(&format!(
                r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"digest":{{{digests}}}}}],"predicateType":"x:y"}}"#
            ))
        };
        assert!(of(r#""sha256":"00","sha512":"01""#).is_ok());
        let why = of(r#""sha256":"00","sha256":"01""#).unwrap_err();
        assert_eq!(why.kind(), "malformed", "{why}");
    }

    #[test]
    fn a_statement_and_its_subjects_are_objects_and_no_lists_of_their_values() {
        const TYPE: &str = "https://in-toto.io/Statement/v1";
        let subject = r#"{"name":"a","digest":{"sha256":"00"}}"#;
        let with = |subject: &str| {
            format!(r#"{{"_type":"{TYPE}","subject":[{subject}],"predicateType":"x:y"}}"#)
        };
        assert!(read(&with(subject)).is_ok());
        for listed in [
            with(r#"["a",{"sha256":"00"}]"#),
            format!(r#"["{TYPE}",[{subject}],"x:y",{{}}]"#),
        ] {
            let why = read(&listed).unwrap_err();
            assert_eq!(why.kind(), "malformed", "{listed}");
        }
    }
}
