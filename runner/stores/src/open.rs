//! From a policy to the stores that it names. The one way in which a runner and `wharf run` come
//! to theirs.

use std::path::Path;
use std::sync::Arc;

use wharf_policy::{Policy, PolicyError, StoreConfig};

use crate::{Membership, ResolveError, SealedStore, SecretStore, StoreError, Stores};

/// A store that cannot be used as the policy has it. Nothing runs under such a policy.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret comes from a store that there is not.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// This program has no part for such stores.
    #[error(
        "[store.{name}] is of kind `{kind}`, which this wharf was built without: build it with `--features {kind}`"
    )]
    NotBuilt {
        /// The table.
        name: String,
        /// Its kind, which is the feature's name.
        kind: &'static str,
    },
    /// The table says something that cannot be.
    #[error("[store.{name}] cannot be used: {why}")]
    Table {
        /// The table.
        name: String,
        /// What to change.
        why: String,
    },
    /// Something that the table names cannot be read.
    #[error("[store.{name}] cannot be used: {source}")]
    Part {
        /// The table.
        name: String,
        /// What is wrong with it.
        source: StoreError,
    },
    /// A secret's reference cannot be a place in its store.
    #[error(transparent)]
    Reference(#[from] ResolveError),
}

/// What is wrong with a table.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// What it says.
    Table(String),
    /// What it names.
    Part(StoreError),
    /// What it needs is not compiled in.
    #[allow(dead_code, reason = "with every feature, there is none")]
    NotBuilt,
}

impl From<StoreError> for Unusable {
    fn from(error: StoreError) -> Self {
        Self::Part(error)
    }
}

impl Stores {
    /// The stores of a policy: `env:`, `file:`, and one for each of its tables. Relative paths
    /// begin at this folder, which is the policy file's. A store of kind `controller` needs the
    /// membership of a runner in its group. No store is asked for anything yet.
    ///
    /// # Errors
    /// A table that cannot be used, or a secret whose reference cannot be right.
    pub fn open(
        policy: &Policy,
        folder: &Path,
        membership: Option<&Membership>,
    ) -> Result<Self, OpenError> {
        policy.check_stores()?;
        let mut stores = Self::from_env_snapshot(folder);
        for (name, config) in &policy.stores {
            let store = open(config, folder, membership).map_err(|unusable| {
                let (name, kind) = (name.to_string(), config.kind());
                match unusable {
                    Unusable::Table(why) => OpenError::Table { name, why },
                    Unusable::Part(source) => OpenError::Part { name, source },
                    Unusable::NotBuilt => OpenError::NotBuilt { name, kind },
                }
            })?;
            stores = stores.with_cached(name.as_str(), store, config.cache().duration());
        }
        for binding in &policy.secrets {
            stores.check(binding)?;
        }
        Ok(stores)
    }
}

fn open(
    config: &StoreConfig,
    folder: &Path,
    membership: Option<&Membership>,
) -> Result<Arc<dyn SecretStore>, Unusable> {
    match config {
        StoreConfig::Controller(config) => {
            let membership = membership.ok_or_else(|| {
                Unusable::Table(
                    "what a controller keeps is opened by runners of the group alone, while they run; `wharf run` is none: give it a policy without this store"
                        .to_owned(),
                )
            })?;
            Ok(Arc::new(SealedStore::open(config, folder, membership)?))
        }
        #[cfg(feature = "vault")]
        StoreConfig::Vault(config) => Ok(Arc::new(crate::vault::VaultStore::open(config, folder)?)),
        #[cfg(feature = "age")]
        StoreConfig::Age(config) => Ok(Arc::new(crate::age::AgeStore::open(config, folder)?)),
        #[cfg(feature = "aws")]
        StoreConfig::Aws(config) => Ok(Arc::new(crate::aws::AwsStore::open(config)?)),
        #[cfg(feature = "gcp")]
        StoreConfig::Gcp(config) => Ok(Arc::new(crate::gcp::GcpStore::open(config, folder)?)),
        #[cfg(feature = "kubernetes")]
        StoreConfig::Kubernetes(config) => Ok(Arc::new(crate::kubernetes::KubernetesStore::open(
            config, folder,
        )?)),
        #[allow(unreachable_patterns, reason = "with every feature, there is none")]
        _ => {
            let _ = folder;
            Err(Unusable::NotBuilt)
        }
    }
}
