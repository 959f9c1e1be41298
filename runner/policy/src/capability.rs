//! What a plugin asks for, as its author declares it in the manifest.

use serde::{Deserialize, Serialize};

use crate::{HttpRule, ParseError, Rung, SecretName, TcpRule};

/// The capabilities section of a manifest. What is absent is not asked for, and so never granted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Capabilities {
    /// Where it wants to send requests.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRule>,
    /// Where it wants to open TCP connections, for a protocol of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tcp: Vec<TcpRule>,
    /// Which secrets it can make use of, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretAsk>,
    /// Whether it reads the operator's settings.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub config: bool,
}

impl Capabilities {
    /// How many things it asks for: each method of a destination, each port and each rung is one.
    pub fn count(&self) -> usize {
        let http = self.http.iter().map(|rule| rule.methods.len().max(1));
        let tcp = self.tcp.iter().map(|rule| rule.ports.count());
        let secrets = self.secrets.iter().map(|ask| ask.rungs.len().max(1));
        http.chain(tcp).chain(secrets).sum()
    }
}

/// One ask for a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SecretAsk {
    /// The name, or `*` for whatever the operator binds.
    pub name: SecretPattern,
    /// What it would do with it.
    pub rungs: Vec<Rung>,
}

impl SecretAsk {
    /// Whether this ask covers that use of that secret.
    pub fn covers(&self, name: &SecretName, rung: Rung) -> bool {
        self.rungs.contains(&rung)
            && match &self.name {
                SecretPattern::Any => true,
                SecretPattern::Exactly(exact) => exact == name,
            }
    }
}

/// A secret name or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum SecretPattern {
    /// Any secret.
    Any,
    /// This secret.
    Exactly(SecretName),
}

impl TryFrom<String> for SecretPattern {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        match text.as_str() {
            "*" => Ok(Self::Any),
            name => name.parse().map(Self::Exactly),
        }
    }
}

impl From<SecretPattern> for String {
    fn from(pattern: SecretPattern) -> Self {
        match pattern {
            SecretPattern::Any => "*".to_owned(),
            SecretPattern::Exactly(name) => name.into(),
        }
    }
}
