//! The stores there are, by the scheme of a reference: `env:NAME`, `file:PATH`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_policy::{SecretBinding, SecretName};

use crate::{EnvStore, FileStore, SecretStore, SecretValue, StoreError};

/// A secret that could not be had: which binding, from where, and why.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The reference names a store that this runner does not have.
    #[error(
        "the secret `{binding}` is to come from `{store}:`, and this runner has no such store; it has {known}"
    )]
    NoStore {
        /// The binding.
        binding: SecretName,
        /// The scheme of its reference.
        store: String,
        /// The schemes there are.
        known: String,
    },
    /// The store gave no value.
    #[error("the secret `{binding}` could not be read from the store `{store}`: {source}")]
    Store {
        /// The binding.
        binding: SecretName,
        /// The scheme of its reference.
        store: String,
        /// Why.
        source: StoreError,
    },
}

impl ResolveError {
    /// Whether the store answered, and the answer is that there is no such secret.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store { source, .. } if source.is_not_found())
    }
}

/// The stores of a runner. Cheap to clone.
#[derive(Clone, Default)]
pub struct Stores {
    by_scheme: BTreeMap<&'static str, Arc<dyn SecretStore>>,
}

impl Stores {
    /// No stores at all: every secret is unavailable.
    pub fn none() -> Self {
        Self::default()
    }

    /// `env:` as the environment is now, and `file:` with relative paths below this folder.
    pub fn from_env_snapshot(base: impl Into<PathBuf>) -> Self {
        Self::none()
            .with("env", Arc::new(EnvStore::snapshot()))
            .with("file", Arc::new(FileStore::below(base)))
    }

    /// These stores and one more, or another in the place of one.
    #[must_use]
    pub fn with(mut self, scheme: &'static str, store: Arc<dyn SecretStore>) -> Self {
        self.by_scheme.insert(scheme, store);
        self
    }

    /// The value of a binding.
    ///
    /// # Errors
    /// There is no such store, or it gives no value; names the binding and the store.
    pub async fn get(&self, binding: &SecretBinding) -> Result<SecretValue, ResolveError> {
        let scheme = binding.from.store();
        let store = self
            .by_scheme
            .get(scheme)
            .ok_or_else(|| ResolveError::NoStore {
                binding: binding.name.clone(),
                store: scheme.to_owned(),
                known: self.known(),
            })?;
        store
            .get(binding.from.path(), binding.from.field())
            .await
            .map_err(|source| ResolveError::Store {
                binding: binding.name.clone(),
                store: scheme.to_owned(),
                source,
            })
    }

    fn known(&self) -> String {
        if self.by_scheme.is_empty() {
            return "none".to_owned();
        }
        let schemes: Vec<String> = self.by_scheme.keys().map(|s| format!("`{s}:`")).collect();
        schemes.join(", ")
    }
}
