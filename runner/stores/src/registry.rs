//! The stores there are, by the name in a reference: `env:NAME`, `file:PATH`, and those that the
//! policy configures.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use wharf_policy::{SecretBinding, SecretName};

use crate::lease::{Keeper, Leases};
use crate::source::{Found, Source};
use crate::{Document, EnvStore, FileStore, Place, SecretStore, SecretValue, StoreError, Trouble};

/// How long what is on this machine, and costs little to read, is kept.
const LOCAL: Duration = Duration::from_secs(10);
/// How long it holds that nothing is needed.
const NOTHING: Duration = Duration::from_secs(3600);

/// A secret that could not be had: which binding, from where, and why.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ResolveError {
    /// The reference names a store that this runner does not have.
    #[error(
        "the secret `{binding}` is to come from `{store}:`, and this runner has no such store; it has {known}"
    )]
    NoStore {
        /// The binding.
        binding: SecretName,
        /// The store of its reference.
        store: String,
        /// The stores there are.
        known: String,
    },
    /// The store gave no value.
    #[error("the secret `{binding}` could not be read from the store `{store}`: {source}")]
    Store {
        /// The binding.
        binding: SecretName,
        /// The store of its reference.
        store: String,
        /// Why.
        source: Arc<StoreError>,
    },
}

impl ResolveError {
    /// What kind of trouble this is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::NoStore { .. } => Trouble::Unusable,
            Self::Store { source, .. } => source.trouble(),
        }
    }
}

/// For how long the secrets of a run may be used for other runs too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// For any run with the same rights, until then.
    Until(Instant),
    /// For this run alone: something was lent to it.
    Once,
}

/// The values of some bindings.
#[must_use = "it holds the leases"]
pub struct Resolution {
    /// By binding, the value or why there is none.
    pub values: BTreeMap<SecretName, Result<SecretValue, ResolveError>>,
    /// What was lent. Hold it while the values are used.
    pub leases: Leases,
    /// For how long the values may be used.
    pub freshness: Freshness,
}

/// Whether a secret is to be had. Says nothing else, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is there and can be used.
    Present,
    /// The store has no such secret.
    Absent,
    /// The store does not let this runner have it.
    Denied,
}

impl Presence {
    /// What an answer says of it.
    ///
    /// # Errors
    /// The store cannot be asked, or the binding cannot be used as it is.
    pub fn of(answer: Result<SecretValue, ResolveError>) -> Result<Self, ResolveError> {
        match answer {
            Ok(_) => Ok(Self::Present),
            Err(error) => match error.trouble() {
                Trouble::Absent => Ok(Self::Absent),
                Trouble::Denied => Ok(Self::Denied),
                Trouble::Outage | Trouble::Unusable => Err(error),
            },
        }
    }
}

/// The stores of a runner. Cheap to clone.
#[derive(Clone, Default)]
pub struct Stores {
    sources: BTreeMap<Arc<str>, Arc<Source>>,
    keeper: Arc<Keeper>,
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
    pub fn with(self, name: &str, store: Arc<dyn SecretStore>) -> Self {
        self.with_cached(name, store, LOCAL)
    }

    /// The same, with how long its static values are kept.
    #[must_use]
    pub fn with_cached(mut self, name: &str, store: Arc<dyn SecretStore>, ttl: Duration) -> Self {
        let source = Source::new(name, store, ttl);
        self.sources
            .insert(Arc::clone(&source.name), Arc::new(source));
        self
    }

    /// The values of these bindings. Each place is looked at once, so that fields of one place
    /// always belong together, and all of them at the same time.
    pub async fn resolve<'a>(
        &self,
        bindings: impl IntoIterator<Item = &'a SecretBinding>,
    ) -> Resolution {
        let bindings: Vec<_> = bindings.into_iter().collect();
        let mut looks = HashMap::new();
        for binding in &bindings {
            let place = Place::of(&binding.from);
            if let Ok(source) = self.source(binding) {
                looks.entry((binding.from.store(), place)).or_insert(source);
            }
        }
        let looks = looks.into_iter().map(async |((store, place), source)| {
            let found = source.get(&place, &self.keeper).await;
            ((store, place), found)
        });
        let mut leases = Leases::default();
        let mut freshness = Freshness::Until(Instant::now() + NOTHING);
        let mut found = HashMap::new();
        for (look, answer) in join_all(looks).await {
            let document = answer.map(|answer| match answer {
                Found::Static(document, until) => {
                    if let Freshness::Until(earliest) = &mut freshness {
                        *earliest = until.min(*earliest);
                    }
                    document
                }
                Found::Leased(document, guard) => {
                    freshness = Freshness::Once;
                    leases.push(guard);
                    Arc::new(document)
                }
            });
            if document.is_err() && !matches!(freshness, Freshness::Once) {
                // Whoever comes next asks again; the store decides whether it is too soon.
                freshness = Freshness::Until(Instant::now());
            }
            found.insert(look, document);
        }
        let values = bindings.into_iter().map(|binding| {
            let look = (binding.from.store(), Place::of(&binding.from));
            let value = self.value(binding, &look.1, found.get(&look));
            (binding.name.clone(), value)
        });
        Resolution {
            values: values.collect(),
            leases,
            freshness,
        }
    }

    /// Waits until everything that was lent is given back, no longer than this, and leaves the
    /// stores. For a runner that leaves.
    pub async fn finish(&self, within: Duration) {
        let until = Instant::now() + within;
        self.keeper.finish(within).await;
        let leaving = join_all(self.sources.values().map(|source| source.store.leave()));
        // Always a moment for this: leaving a store ends what is lent there, too.
        let until = until.max(Instant::now() + Duration::from_secs(1));
        let _ = tokio::time::timeout_at(until, leaving).await;
    }

    /// The store of a binding, which must be able to have such a place.
    pub(crate) fn check(&self, binding: &SecretBinding) -> Result<(), ResolveError> {
        let source = self.source(binding)?;
        let checked = source.store.check(&Place::of(&binding.from));
        checked.map_err(|error| store_error(binding, Arc::new(error)))
    }

    fn source(&self, binding: &SecretBinding) -> Result<Arc<Source>, ResolveError> {
        let store = binding.from.store();
        let source = self.sources.get(store).map(Arc::clone);
        source.ok_or_else(|| ResolveError::NoStore {
            binding: binding.name.clone(),
            store: store.to_owned(),
            known: self.known(),
        })
    }

    fn value(
        &self,
        binding: &SecretBinding,
        place: &Place,
        found: Option<&Result<Arc<Document>, Arc<StoreError>>>,
    ) -> Result<SecretValue, ResolveError> {
        match found {
            Some(Ok(document)) => document
                .value(place, binding.from.field())
                .map_err(|error| store_error(binding, Arc::new(error))),
            Some(Err(error)) => Err(store_error(binding, Arc::clone(error))),
            None => Err(self.source(binding).err().unwrap_or_else(|| {
                let error = StoreError::Absent(place.to_string());
                store_error(binding, Arc::new(error))
            })),
        }
    }

    fn known(&self) -> String {
        if self.sources.is_empty() {
            return "none".to_owned();
        }
        let names: Vec<String> = self.sources.keys().map(|s| format!("`{s}:`")).collect();
        names.join(", ")
    }
}

fn store_error(binding: &SecretBinding, source: Arc<StoreError>) -> ResolveError {
    ResolveError::Store {
        binding: binding.name.clone(),
        store: binding.from.store().to_owned(),
        source,
    }
}
