//! Secret stores as the operator configures them: `[store.NAME]` tables of the policy file.
//!
//! ```toml
//! [store.vault]
//! kind = "vault"
//! address = "https://vault.internal:8200"
//! login = { approle = { role-id = "wharf", secret-id = "file:approle.secret" } }
//! ```
//!
//! Only what is written there. What a store answers, and whether it can be reached, is for the
//! runner to find out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ParseError, Period, StoreRef};

/// One `[store.NAME]` table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StoreConfig {
    /// HashiCorp Vault or OpenBao.
    Vault(VaultConfig),
    /// Files that are encrypted with age for this machine.
    Age(AgeConfig),
    /// AWS Secrets Manager.
    Aws(AwsConfig),
    /// Google Cloud Secret Manager.
    Gcp(GcpConfig),
    /// Secrets of a Kubernetes cluster.
    Kubernetes(KubernetesConfig),
    /// What the controller keeps, sealed to the runners of the group.
    Controller(ControllerConfig),
}

impl StoreConfig {
    /// The `kind` as it is written.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Vault(_) => "vault",
            Self::Age(_) => "age",
            Self::Aws(_) => "aws",
            Self::Gcp(_) => "gcp",
            Self::Kubernetes(_) => "kubernetes",
            Self::Controller(_) => "controller",
        }
    }

    /// How long a value is used before the store is asked again.
    pub const fn cache(&self) -> Period {
        match self {
            Self::Vault(config) => config.cache,
            Self::Age(config) => config.cache,
            Self::Aws(config) => config.cache,
            Self::Gcp(config) => config.cache,
            Self::Kubernetes(config) => config.cache,
            Self::Controller(config) => config.cache,
        }
    }

    /// The longest that one answer may take.
    pub const fn timeout(&self) -> Period {
        match self {
            Self::Vault(config) => config.timeout,
            Self::Aws(config) => config.timeout,
            Self::Gcp(config) => config.timeout,
            Self::Kubernetes(config) => config.timeout,
            Self::Controller(config) => config.timeout,
            Self::Age(_) => timeout(),
        }
    }
}

/// HashiCorp Vault or OpenBao.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct VaultConfig {
    /// Where it is, such as `https://vault.internal:8200`.
    pub address: String,
    /// The namespace that everything is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The only authorities (PEM) that its certificate may come from; a path relative to the
    /// policy file. The system's, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// How the runner proves who it is.
    pub login: VaultLogin,
    /// What kind of engine is mounted where, for tokens that may not ask.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, VaultEngine>,
    /// How long a static value is used before it is read again.
    #[serde(default = "cache")]
    pub cache: Period,
    /// The longest that one answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Speak plain HTTP to something else than loopback.
    #[serde(default, skip_serializing_if = "is_false")]
    pub plain_http: bool,
}

/// How a runner logs in to Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum VaultLogin {
    /// A token that someone made.
    Token(CredentialRef),
    /// A role and its secret.
    #[serde(rename = "approle")]
    AppRole {
        /// The role's identifier. Not secret.
        #[serde(rename = "role-id")]
        role_id: String,
        /// The role's secret.
        #[serde(rename = "secret-id")]
        secret_id: CredentialRef,
        /// Where the method is mounted.
        #[serde(default = "approle")]
        mount: String,
    },
    /// A signed token of an identity provider.
    Jwt {
        /// Which role to take.
        role: String,
        /// The token; read again for each login.
        token: CredentialRef,
        /// Where the method is mounted.
        #[serde(default = "jwt")]
        mount: String,
    },
    /// The service account of the pod that the runner is in.
    Kubernetes {
        /// Which role to take.
        role: String,
        /// The account's token, where it is not at its usual place.
        #[serde(default = "service_account")]
        token: CredentialRef,
        /// Where the method is mounted.
        #[serde(default = "kubernetes")]
        mount: String,
    },
}

/// What kind of engine is mounted somewhere in Vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VaultEngine {
    /// Key/value, one version.
    KvV1,
    /// Key/value with versions.
    KvV2,
    /// Anything else: read as it is, with a lease if it gives one.
    Other,
}

/// Files that are encrypted with age for this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgeConfig {
    /// The file with this machine's identities; relative to the policy file.
    pub identity: String,
    /// How long a value is used before its file is read again.
    #[serde(default = "soon")]
    pub cache: Period,
}

/// Secrets that the controller keeps and cannot open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControllerConfig {
    /// Public keys (PEM) of those who may put secrets there; paths relative to the policy file.
    /// What nobody of them has signed is not opened.
    pub keys: Vec<String>,
    /// How long a value is used before it is fetched again.
    #[serde(default = "cache")]
    pub cache: Period,
    /// The longest that one answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
}

/// AWS Secrets Manager, with the credentials of the usual chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AwsConfig {
    /// The region; that of the environment, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Another address than the region's own, such as that of a private endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Which profile of the shared configuration to use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How long a value is used before it is read again.
    #[serde(default = "cache")]
    pub cache: Period,
    /// The longest that one answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Speak plain HTTP to something else than loopback.
    #[serde(default, skip_serializing_if = "is_false")]
    pub plain_http: bool,
}

/// Google Cloud Secret Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GcpConfig {
    /// The project that names without one are in.
    pub project: String,
    /// A service account's key (JSON); the identity of the machine, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<CredentialRef>,
    /// Another address than Google's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Another address of the metadata server that tells the machine's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// How long a value is used before it is read again.
    #[serde(default = "cache")]
    pub cache: Period,
    /// The longest that one answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Speak plain HTTP to something else than loopback.
    #[serde(default, skip_serializing_if = "is_false")]
    pub plain_http: bool,
}

/// Secrets of a Kubernetes cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KubernetesConfig {
    /// The cluster's configuration, relative to the policy file; the pod's own service account, if
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<String>,
    /// Which of its contexts; the current one, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// How long a value is used before it is read again.
    #[serde(default = "cache")]
    pub cache: Period,
    /// The longest that one answer may take.
    #[serde(default = "timeout")]
    pub timeout: Period,
    /// Speak plain HTTP to something else than loopback.
    #[serde(default, skip_serializing_if = "is_false")]
    pub plain_http: bool,
}

/// Where a credential for a store is: `file:PATH` or `env:NAME`. A store's own credential never
/// comes out of another store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CredentialRef {
    /// A file; relative to the policy file.
    File(String),
    /// A variable of the runner's environment.
    Env(String),
}

impl TryFrom<String> for CredentialRef {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        let bad = || {
            ParseError::new(
                "credential reference",
                &text,
                "write file:PATH or env:NAME; a credential itself does not belong here",
            )
        };
        match text.split_once(':') {
            Some((_, "")) => Err(bad()),
            Some(("file", path)) => Ok(Self::File(path.to_owned())),
            Some(("env", name)) => Ok(Self::Env(name.to_owned())),
            _ => Err(bad()),
        }
    }
}

impl From<CredentialRef> for String {
    fn from(reference: CredentialRef) -> Self {
        match reference {
            CredentialRef::File(path) => format!("file:{path}"),
            CredentialRef::Env(name) => format!("env:{name}"),
        }
    }
}

/// The name of a `[store.NAME]` table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreName(String);

impl StoreName {
    /// The stores that every runner has, without a table.
    pub const BUILT_IN: [&str; 2] = ["env", "file"];

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StoreName {
    type Error = ParseError;
    fn try_from(text: String) -> Result<Self, ParseError> {
        let bad = |why| Err(ParseError::new("store name", &text, why));
        if !StoreRef::is_store(&text) {
            return bad("write lower-case letters, digits and `-`, beginning with a letter");
        }
        if Self::BUILT_IN.contains(&text.as_str()) {
            return bad("every runner has this store; give the table another name");
        }
        Ok(Self(text))
    }
}

impl From<StoreName> for String {
    fn from(name: StoreName) -> Self {
        name.0
    }
}

impl std::borrow::Borrow<str> for StoreName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for StoreName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

const fn cache() -> Period {
    Period::secs(60)
}
/// For what is on this machine and costs little to read again.
const fn soon() -> Period {
    Period::secs(10)
}
const fn timeout() -> Period {
    Period::secs(5)
}
fn approle() -> String {
    "approle".to_owned()
}
fn jwt() -> String {
    "jwt".to_owned()
}
fn kubernetes() -> String {
    "kubernetes".to_owned()
}
fn service_account() -> CredentialRef {
    CredentialRef::File("/var/run/secrets/kubernetes.io/serviceaccount/token".to_owned())
}
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
