//! From a digest to a plugin that may run: here or from the controller, verified, loaded, kept.
//!
//! The bytes that are verified are the bytes that are loaded: one buffer, read once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use dashmap::DashMap;
use jiff::Timestamp;
use tokio::sync::OnceCell;
use wharf_bundle::{MAX_COMPONENT, Refusal, Term, TrustPolicy, Verified};
use wharf_engine::{Engine, EngineError, Plugin};
use wharf_policy::{Digest, Moment};

use crate::bundle_files::BundleFiles;
use crate::controller::{Controller, FetchError};
use crate::papers::{Kind, Papers};
use crate::versions::{NotAdmitted, Versions};

/// Plugins that are kept loaded.
const LOADED: usize = 64;

/// Why a component is not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unready {
    /// It is not to be had now.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is not trusted.
    #[error("the bundle {digest} is refused: {why}")]
    Refused {
        /// Which.
        digest: Digest,
        /// Why.
        why: Refusal,
    },
    /// It is trusted, and cannot be run.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// It is trusted, and that it ran cannot be remembered.
    #[error("the bundle {digest} is not run, since its version cannot be remembered: {why}")]
    Forgetful {
        /// Which.
        digest: Digest,
        /// Why not.
        why: crate::AgentError,
    },
    /// The runner itself failed.
    #[error("the bundle {0} could not be verified: the verifier broke off")]
    Broke(Digest),
}

/// A plugin that may run, and whose signatures let it. The bytes that were signed are not kept.
#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) plugin: Plugin,
    pub(crate) signers: Arc<[String]>,
    may_be_older: bool,
    term: Term,
}

#[derive(Default)]
struct Entry {
    plugin: OnceCell<Loaded>,
    used: AtomicU64,
}

/// Where the bytes of a component came from.
enum Source {
    Disk,
    Controller,
}

/// What says how late it is.
type Clock = Box<dyn Fn() -> Moment + Send + Sync>;

/// The plugins of this runner.
pub(crate) struct Bundles {
    files: BundleFiles,
    controller: Controller,
    trust: Arc<TrustPolicy>,
    versions: Arc<Versions>,
    engine: Engine,
    loaded: DashMap<Digest, Arc<Entry>>,
    uses: AtomicU64,
    clock: Clock,
}

impl Bundles {
    pub(crate) fn new(
        files: BundleFiles,
        controller: Controller,
        trust: TrustPolicy,
        versions: Versions,
        engine: Engine,
    ) -> Self {
        Self {
            files,
            controller,
            trust: Arc::new(trust),
            versions: Arc::new(versions),
            engine,
            loaded: DashMap::new(),
            uses: AtomicU64::new(0),
            clock: Box::new(|| Timestamp::now().into()),
        }
    }

    /// The plugin with this digest. Many that ask at a time fetch, verify and load it once. One that is
    /// loaded and whose term is over is verified anew: that says why, or finds others who signed it.
    pub(crate) async fn plugin(&self, digest: Digest) -> Result<Loaded, Unready> {
        let mut entry = self.entry(digest);
        if let Some(loaded) = entry.plugin.get() {
            // No signature makes it newer: to verify it anew for each that asks would be for nothing.
            self.check_version(loaded)
                .map_err(|why| Unready::Refused { digest, why })?;
            if self.is_over(loaded) {
                self.loaded
                    .remove_if(&digest, |_, known| Arc::ptr_eq(known, &entry));
                entry = self.entry(digest);
            }
        }
        let now = self.uses.fetch_add(1, Ordering::Relaxed);
        entry.used.store(now, Ordering::Relaxed);
        let plugin = entry.plugin.get_or_try_init(|| self.load(digest)).await;
        plugin.cloned()
    }

    /// Refuses a plugin of which something newer has run since it was loaded.
    fn check_version(&self, loaded: &Loaded) -> Result<(), Refusal> {
        let manifest = loaded.plugin.manifest();
        self.versions
            .check(&manifest.name, &manifest.version, loaded.may_be_older)
    }

    /// Whether a key or a block that let a plugin in has ended.
    fn is_over(&self, loaded: &Loaded) -> bool {
        loaded.term.is_over((self.clock)())
    }

    /// The components that are loaded and of which nothing newer has run.
    pub(crate) fn loaded(&self) -> Vec<Digest> {
        let runs = |entry: &Entry| {
            let loaded = entry.plugin.get();
            loaded.is_some_and(|loaded| self.check_version(loaded).is_ok())
        };
        let entries = self.loaded.iter().filter(|entry| runs(entry));
        entries.map(|entry| *entry.key()).collect()
    }

    fn entry(&self, digest: Digest) -> Arc<Entry> {
        if let Some(entry) = self.loaded.get(&digest) {
            return Arc::clone(&entry);
        }
        if self.loaded.len() >= LOADED {
            let oldest = self
                .loaded
                .iter()
                .min_by_key(|entry| entry.used.load(Ordering::Relaxed))
                .map(|entry| *entry.key());
            if let Some(oldest) = oldest {
                self.loaded.remove(&oldest);
            }
        }
        Arc::clone(&self.loaded.entry(digest).or_default())
    }

    async fn load(&self, digest: Digest) -> Result<Loaded, Unready> {
        let (bytes, from) = self.component(digest).await?;
        let verified = self.trusted(digest, &bytes).await?;
        if matches!(from, Source::Controller) {
            // What nobody trusts takes no room here.
            let files = self.files.clone();
            // That it is kept for the next start is a convenience: a failure is logged there.
            let _ = tokio::task::spawn_blocking(move || files.keep_component(digest, &bytes)).await;
        }
        // What is to be refused is not compiled. The last word comes after that, which takes its time.
        let manifest = verified.manifest();
        self.versions
            .check(&manifest.name, &manifest.version, verified.may_be_older())
            .map_err(|why| Unready::Refused { digest, why })?;
        let plugin = self.engine.load(&verified).await?;
        self.admit(&verified).await?;
        let signers: Arc<[String]> = verified.signers().iter().map(|s| s.name.clone()).collect();
        tracing::info!(
            plugin = %manifest.name,
            version = %manifest.version,
            %digest,
            signers = signers.join(", "),
            "a plugin is verified and loaded"
        );
        Ok(Loaded {
            plugin,
            signers,
            may_be_older: verified.may_be_older(),
            term: verified.term(),
        })
    }

    async fn component(&self, digest: Digest) -> Result<(Arc<[u8]>, Source), Unready> {
        let files = self.files.clone();
        let kept = tokio::task::spawn_blocking(move || files.read_component(digest)).await;
        if let Ok(Some(bytes)) = kept {
            return Ok((bytes.into(), Source::Disk));
        }
        let fetched = self.controller.bundle(digest, MAX_COMPONENT as u64).await?;
        Ok((fetched.as_ref().into(), Source::Controller))
    }

    /// Verifies a component with the papers that are kept, or else with the controller's: it may have
    /// been signed anew, by a key that is trusted now or by one more, or attested.
    async fn trusted(&self, digest: Digest, bytes: &Arc<[u8]>) -> Result<Verified, Unready> {
        let files = self.files.clone();
        let kept = tokio::task::spawn_blocking(move || files.read_papers(digest)).await;
        let kept = kept.unwrap_or_default();
        // That none is kept, the verifier need not be asked.
        let refused = match kept.signatures {
            None => None,
            Some(_) => match self.verify(digest, bytes, kept.clone()).await {
                Err(refused @ Unready::Refused { .. }) => Some(refused),
                result => return result,
            },
        };
        let fresh = self.fetch_papers(digest).await?.or(&kept);
        match refused {
            // Nothing new: why the old ones do not do says more than that there are none.
            Some(refused) if fresh == kept => Err(refused),
            _ => self.verify_and_keep(digest, bytes, fresh).await,
        }
    }

    /// The controller's papers; none of a kind if it has none, for the verifier to say what that
    /// means. Attestations that the policy does not ask for are not fetched.
    async fn fetch_papers(&self, digest: Digest) -> Result<Papers, Unready> {
        let signatures = self
            .controller
            .signature(digest, Kind::Signatures.limit() as u64);
        let signatures = unless_missing(signatures.await)?;
        let attestations = match self.trust.wants_attestations() {
            true => {
                let limit = Kind::Attestations.limit() as u64;
                unless_missing(self.controller.attestations(digest, limit).await)?
            }
            false => None,
        };
        Ok(Papers {
            signatures,
            attestations,
        })
    }

    /// From now on nothing older runs.
    async fn admit(&self, verified: &Verified) -> Result<(), Unready> {
        let digest = verified.digest();
        let (versions, verified) = (Arc::clone(&self.versions), verified.clone());
        let admit = move || {
            let manifest = verified.manifest();
            versions.admit(&manifest.name, &manifest.version, verified.may_be_older())
        };
        tokio::task::spawn_blocking(admit)
            .await
            .map_err(|_| Unready::Broke(digest))?
            .map_err(|why| match why {
                NotAdmitted::Older(why) => Unready::Refused { digest, why },
                NotAdmitted::Unwritten(why) => Unready::Forgetful { digest, why },
            })
    }

    async fn verify_and_keep(
        &self,
        digest: Digest,
        bytes: &Arc<[u8]>,
        papers: Papers,
    ) -> Result<Verified, Unready> {
        let verified = self.verify(digest, bytes, papers.clone()).await?;
        let files = self.files.clone();
        let keep = move || files.keep_papers(digest, &papers);
        let _ = tokio::task::spawn_blocking(keep).await;
        Ok(verified)
    }

    async fn verify(
        &self,
        digest: Digest,
        bytes: &Arc<[u8]>,
        papers: Papers,
    ) -> Result<Verified, Unready> {
        let (trust, bytes) = (Arc::clone(&self.trust), Arc::clone(bytes));
        let now = (self.clock)();
        tokio::task::spawn_blocking(move || {
            let verified = trust
                .verify_at(bytes, papers.beside(), now)
                .map_err(|why| Unready::Refused { digest, why })?;
            // The bytes were compared with the digest when they came; this is the last word.
            if verified.digest() != digest {
                return Err(Unready::Fetch(FetchError::Wrong(digest)));
            }
            Ok(verified)
        })
        .await
        .unwrap_or(Err(Unready::Broke(digest)))
    }
}

/// What the controller has, or that it has none.
fn unless_missing(fetched: Result<Bytes, FetchError>) -> Result<Option<Vec<u8>>, FetchError> {
    match fetched {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(FetchError::Missing(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "bundles_tests.rs"]
mod tests;
