//! Secrets as the operator binds them: where the value comes from, and what may be done with it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rights::of_credential;
use crate::{Denied, HttpRule, JwtRule, Operation, ParseError, Placement, SecretName, Target};

/// What a plugin may do with a secret, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// The host adds the credential to requests; the plugin does not know of it.
    Inject,
    /// The plugin names the credential on a request; the host adds it.
    Attach,
    /// The host computes with the secret; the plugin gets the result.
    Operate,
    /// The plugin gets the value. Audited.
    Reveal,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inject => "inject",
            Self::Attach => "attach",
            Self::Operate => "operate",
            Self::Reveal => "reveal",
        })
    }
}

/// Where a secret is stored: `STORE:PATH[?version=VERSION][#FIELD]`, such as `env:API_TOKEN` or
/// `vault:kv/prod/github?version=3#token`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreRef {
    store: String,
    path: String,
    version: Option<String>,
    field: Option<String>,
}

impl StoreRef {
    /// The store, such as `env`.
    pub fn store(&self) -> &str {
        &self.store
    }
    /// The place within the store.
    pub fn path(&self) -> &str {
        &self.path
    }
    /// Which version, of a store that keeps several; the newest, if none is named.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
    /// The field of a secret that has several.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// Whether a store can have this name.
    pub(crate) fn is_store(name: &str) -> bool {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
}

impl TryFrom<String> for StoreRef {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        let bad = || {
            ParseError::new(
                "secret reference",
                &text,
                "write STORE:PATH, STORE:PATH#FIELD or STORE:PATH?version=VERSION#FIELD",
            )
        };
        let (store, rest) = text.split_once(':').ok_or_else(bad)?;
        let (path, field) = match rest.split_once('#') {
            Some((path, field)) => (path, Some(field.to_owned())),
            None => (rest, None),
        };
        let (path, version) = match path.split_once('?') {
            Some((path, query)) => {
                let version = query.strip_prefix("version=").ok_or_else(bad)?;
                (path, Some(version.to_owned()))
            }
            None => (path, None),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let fits = Self::is_store(store)
            && !path.is_empty()
            && !text.contains(char::is_control)
            && field.as_deref() != Some("")
            && version
                .as_deref()
                .is_none_or(|version| !version.is_empty() && version.bytes().all(plain));
        if !fits {
            return Err(bad());
        }
        Ok(Self {
            store: store.to_owned(),
            path: path.to_owned(),
            version,
            field,
        })
    }
}

impl From<StoreRef> for String {
    fn from(reference: StoreRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for StoreRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.store, self.path)?;
        self.version
            .iter()
            .try_for_each(|version| write!(f, "?version={version}"))?;
        self.field
            .iter()
            .try_for_each(|field| write!(f, "#{field}"))
    }
}

/// One `[[secret]]` block of the operator's policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretBinding {
    /// The name by which grants and plugins speak of it.
    pub name: SecretName,
    /// Where the value is.
    pub from: StoreRef,
    /// Which requests may carry it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<HttpRule>,
    /// Where on the request it goes.
    #[serde(default = "bearer", rename = "as")]
    pub placement: Placement,
    /// What the host may do with it for a plugin, for *operate*; nothing if left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// What tokens that are made with it must say.
    #[serde(default, skip_serializing_if = "JwtRule::is_open")]
    pub jwt: JwtRule,
}

impl SecretBinding {
    /// Whether no policy is taken that grants it on that rung while `to` is empty.
    pub(crate) fn is_refused_without_to(&self, rung: Rung) -> bool {
        match rung {
            Rung::Inject | Rung::Attach => true,
            Rung::Operate => self.operations.iter().any(|o| o.needs_destination()),
            Rung::Reveal => false,
        }
    }

    /// Whether such a request may carry it.
    ///
    /// # Errors
    /// It may not, and the narrowest rule in its `to` that would allow it; for the message, on which
    /// rung.
    pub fn check_destination(
        &self,
        rung: Rung,
        method: &str,
        target: &Target,
    ) -> Result<(), Denied> {
        if self.to.iter().any(|rule| rule.matches(method, target)) {
            Ok(())
        } else {
            Err(of_credential(self, rung, method, target))
        }
    }
}

fn bearer() -> Placement {
    Placement::Bearer
}

/// One secret of a grant, with what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretGrant {
    /// Which binding.
    pub name: SecretName,
    /// What the plugin may do with it; *inject* if left out.
    #[serde(default = "inject_only")]
    pub rungs: Vec<Rung>,
}

fn inject_only() -> Vec<Rung> {
    vec![Rung::Inject]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(text: &str) -> Result<StoreRef, ParseError> {
        StoreRef::try_from(text.to_owned())
    }

    #[test]
    fn a_reference_is_read_into_its_parts_and_written_back() {
        for (text, store, path, version, field) in [
            ("env:TOKEN", "env", "TOKEN", None, None),
            ("vault:kv/a#t", "vault", "kv/a", None, Some("t")),
            ("v2:kv/a?version=3#t", "v2", "kv/a", Some("3"), Some("t")),
            (
                "aws:a?version=AWSPREVIOUS",
                "aws",
                "a",
                Some("AWSPREVIOUS"),
                None,
            ),
            ("file:/etc/a:b", "file", "/etc/a:b", None, None),
        ] {
            let read = reference(text).unwrap();
            assert_eq!(
                (read.store(), read.path(), read.version(), read.field()),
                (store, path, version, field)
            );
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_understood_whole_is_refused() {
        for bad in [
            "TOKEN",
            ":x",
            "env:",
            "env:#f",
            "env:A#",
            "Env:A",
            "9:A",
            "vault:kv/a?versoin=3",
            "vault:kv/a?version=",
            "vault:kv/a?version=1&x=2",
            "vault:kv/a?",
            "file:/etc/a\nb",
        ] {
            assert!(reference(bad).is_err(), "{bad:?} was taken");
        }
    }
}
