//! The engine: everything that runs of one process share.

use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore};
use wasmtime::component::Component;
use wharf_bundle::{Description, Manifest, Verified};
use wharf_policy::{ActionName, Digest, Rights};

use crate::cache::{self, CacheCounts, DiskCache, Fingerprint, Keep};
use crate::config::{CacheDir, EngineConfig};
use crate::linked::Linked;
use crate::pool::Pool;
use crate::recent::Recent;
use crate::{EngineError, Plugin, Prepared, Refused, describe, ticker};

/// Compiles and runs plugins. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    config: EngineConfig,
    cache: Option<DiskCache>,
    plugins: Recent<Digest, Arc<OnceCell<Plugin>>>,
    prepared: Recent<(Digest, Arc<Rights>), Arc<Pool>>,
    /// Compilations at a time: one uses all cores already.
    compiling: Semaphore,
    running: Arc<Semaphore>,
    warm: Arc<Semaphore>,
}

impl Engine {
    /// Starts an engine and its clock.
    ///
    /// # Errors
    /// The machine does not give the address space or the thread. A cache folder that cannot be
    /// used is a warning: the engine then compiles at every start.
    pub fn new(config: EngineConfig) -> Result<Self, EngineError> {
        let wasmtime = wasmtime::Engine::new(&config.wasmtime())
            .map_err(|error| EngineError::Start(format!("{error:#}")))?;
        ticker::start(&wasmtime, config.tick)?;
        let cache = match &config.cache {
            CacheDir::Disabled => None,
            CacheDir::At(root) => {
                let keep = Keep {
                    size: config.cache_size,
                    age: config.cache_age,
                };
                DiskCache::open(root, keep, &wasmtime)
                    .inspect_err(|error| {
                        tracing::warn!(%error, "compiled code is not kept on disk");
                    })
                    .ok()
            }
        };
        Ok(Self(Arc::new(Inner {
            plugins: Recent::new(config.max_plugins),
            prepared: Recent::new(config.max_prepared),
            compiling: Semaphore::new(1),
            running: Arc::new(Semaphore::new(config.max_instances as usize)),
            warm: Arc::new(Semaphore::new(config.max_warm as usize)),
            wasmtime,
            config,
            cache,
        })))
    }

    /// Compiles a verified bundle, or takes it from memory or disk. Several that load the same one
    /// at a time compile it once.
    ///
    /// # Errors
    /// It is not a component that this engine can compile, or a schema in it is not one.
    pub async fn load(&self, bundle: &Verified) -> Result<Plugin, EngineError> {
        let digest = bundle.digest();
        let cell = self.0.plugins.get_or_insert(digest, Arc::default);
        let load = || {
            self.compile(
                digest,
                Arc::clone(bundle.bytes()),
                bundle.manifest().clone(),
            )
        };
        cell.get_or_try_init(load).await.cloned()
    }

    async fn compile(
        &self,
        digest: Digest,
        bytes: Arc<[u8]>,
        manifest: Manifest,
    ) -> Result<Plugin, EngineError> {
        // The semaphore lives as long as the engine and is never closed.
        let _turn = self.0.compiling.acquire().await.ok();
        let inner = Arc::clone(&self.0);
        blocking(digest, move || {
            let component = inner.component(digest, &bytes)?;
            Plugin::new(digest, manifest, component)
        })
        .await
    }

    /// What a component tells about its own actions, for packing; none if it does not export
    /// `wharf:plugin/description`. It runs without any capability, for a few seconds at most.
    ///
    /// # Errors
    /// It is not a component, or it breaks off.
    pub async fn describe(
        &self,
        component: &[u8],
    ) -> Result<Option<Vec<Description>>, EngineError> {
        let digest = wharf_bundle::digest(component);
        let bytes: Arc<[u8]> = component.into();
        let inner = Arc::clone(&self.0);
        // Not from or into the cache: nobody has signed this.
        let component = blocking(digest, move || inner.compile_bytes(digest, &bytes)).await?;
        // The semaphore lives as long as the engine and is never closed.
        let _turn = self.0.running.acquire().await.ok();
        describe::describe(&self.0.wasmtime, digest, &component).await
    }

    /// Links an action under some rights. What is linked is kept, with its warm instances, for the
    /// next time. The first time takes about a millisecond, on the caller's thread.
    ///
    /// # Errors
    /// There is no such action, the plugin imports something that these rights do not allow, or
    /// they allow more than this engine can give.
    pub fn prepare(
        &self,
        plugin: &Plugin,
        action: &ActionName,
        rights: Rights,
    ) -> Result<Prepared, Refused> {
        let Some(found) = plugin.action(action) else {
            return Err(Refused::UnknownAction {
                plugin: plugin.manifest().name.to_string(),
                action: action.to_string(),
                known: plugin
                    .manifest()
                    .actions
                    .keys()
                    .map(ActionName::to_string)
                    .collect(),
            });
        };
        let inner = &self.0;
        let key = (plugin.digest(), Arc::new(rights));
        let pool = match inner.prepared.get(&key) {
            Some(pool) => pool,
            None => {
                let rights = Arc::clone(&key.1);
                let linked = Linked::new(&inner.wasmtime, &inner.config, plugin, rights)?;
                let config = &inner.config;
                let warm = Arc::clone(&inner.warm);
                inner.prepared.get_or_insert(key, || {
                    Pool::new(Arc::new(linked), config.warm, config.warm_idle, warm)
                })
            }
        };
        Ok(Prepared {
            digest: plugin.digest(),
            action: Arc::clone(found),
            pool,
            running: Arc::clone(&inner.running),
            stack: inner.config.max_stack,
        })
    }

    /// What compiled code depends on in this engine.
    pub fn fingerprint(&self) -> Fingerprint {
        cache::fingerprint(&self.0.wasmtime)
    }

    /// How often compiled code was found on disk. All zero without a cache.
    pub fn cache_counts(&self) -> CacheCounts {
        let cache = self.0.cache.as_ref();
        cache.map(DiskCache::counts).unwrap_or_default()
    }

    /// The engine underneath, for measuring what this crate adds to it.
    #[doc(hidden)]
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }
}

impl Inner {
    /// From disk, or compiled and then kept there.
    fn component(&self, digest: Digest, bytes: &[u8]) -> Result<Component, EngineError> {
        let Some(cache) = &self.cache else {
            return self.compile_bytes(digest, bytes);
        };
        if let Some(component) = cache.load(&self.wasmtime, digest) {
            tracing::debug!(%digest, "compiled code found on disk");
            return Ok(component);
        }
        let component = self.compile_bytes(digest, bytes)?;
        match component.serialize() {
            Ok(code) => cache.store(digest, &code),
            Err(error) => tracing::warn!(%digest, %error, "compiled code cannot be kept"),
        }
        Ok(component)
    }

    fn compile_bytes(&self, digest: Digest, bytes: &[u8]) -> Result<Component, EngineError> {
        match bytes {
            [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => {
                return Err(EngineError::CoreModule(digest));
            }
            // Wasmtime would read its text format, or worse, where that is compiled in.
            [b'\0', b'a', b's', b'm', ..] => {}
            _ => {
                return Err(EngineError::Compile {
                    digest,
                    why: "it is not WebAssembly".to_owned(),
                });
            }
        }
        let begun = std::time::Instant::now();
        let component = Component::from_binary(&self.wasmtime, bytes).map_err(|error| {
            EngineError::Compile {
                digest,
                why: format!("{error:#}"),
            }
        })?;
        tracing::debug!(%digest, took = ?begun.elapsed(), "compiled");
        Ok(component)
    }
}

/// Compiling takes from milliseconds to seconds: not on a thread that serves others.
async fn blocking<T: Send + 'static>(
    digest: Digest,
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| {
            Err(EngineError::Compile {
                digest,
                why: format!("the compiler gave up: {error}"),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = r#"(component
        (core module $m (func (export "run") (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func $run (result (result)) (canon lift (core func $i "run")))
        (instance $exports (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $exports)))"#;

    const TOML: &str = "[plugin]\nname = 't'\nversion = '0.1.0'\ndescription = ''\nlicense = 'MIT'\n\
        [[action]]\nname = 'go'\ndescription = ''\nidempotent = true\ninput-schema = true\n\
        output-schema = true\ncommand = {}";

    #[test]
    fn code_that_wharf_run_compiled_is_not_stale_for_a_runner() {
        let engine = |config| Engine::new(config).unwrap().fingerprint();
        let [one, runner] = [EngineConfig::for_one_run(), EngineConfig::default()].map(engine);
        assert_eq!(one, runner);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_that_load_the_same_bundle_at_a_time_compile_it_once() {
        let toml = wharf_bundle::PluginToml::parse(TOML, |_| unreachable!()).unwrap();
        let component = wat::parse_str(PROGRAM).unwrap();
        let packed = wharf_bundle::pack(&component, &toml, &[]).unwrap();
        let verified = Arc::new(wharf_test_support::verified(packed));
        let engine = Engine::new(EngineConfig::for_one_run()).unwrap();
        let loads: Vec<_> = (0..16)
            .map(|_| {
                let (engine, verified) = (engine.clone(), Arc::clone(&verified));
                tokio::spawn(async move { engine.load(&verified).await.unwrap() })
            })
            .collect();
        let first = engine.load(&verified).await.unwrap();
        for load in loads {
            assert!(load.await.unwrap().is(&first));
        }
    }
}
