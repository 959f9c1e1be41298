//! Running attempts for real: fetch, verify, load, intersect the rights, resolve the secrets, run.
//!
//! Every check of this runner's own policy is on this way; there is no other way to run anything.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dashmap::DashMap;
use wharf_engine::{Call, Cancel, Engine, Input, Prepared, Report};
use wharf_host::{SecretError, Services};
use wharf_policy::{ActionName, CallRights, Digest, Policy, Rights};
use wharf_protocol::{Assignment, FailureKind, Verdict};
use wharf_stores::{Leases, Stores};

use crate::audit::By;
use crate::bundles::{Bundles, Unready};
use crate::controller::{Controller, FetchError};
use crate::execute::{Context, Execute, Executed};
use crate::payloads;
use crate::report::{self, HostEvents};
use crate::secrets::KeptSecrets;
use crate::verdict::{failed, refused, unavailable};

/// How long leaving waits for what stores lent to be given back.
const LAST_LEASES: Duration = Duration::from_secs(10);
/// Combinations of component, action and call rights that are kept.
const READY: usize = 256;

/// An action that can be run at once.
struct Ready {
    prepared: Prepared,
    secrets: KeptSecrets,
    used: AtomicU64,
}

type ReadyKey = (Digest, ActionName, CallRights);

/// Runs attempts with the engine.
pub(crate) struct Real {
    pub(crate) bundles: Bundles,
    pub(crate) controller: Controller,
    pub(crate) engine: Engine,
    pub(crate) services: Arc<Services>,
    pub(crate) policy: Policy,
    pub(crate) stores: Stores,
    pub(crate) ready: ReadyActions,
}

/// Actions that are ready to run, by what was asked for.
#[derive(Default)]
pub(crate) struct ReadyActions {
    by_key: DashMap<ReadyKey, Arc<Ready>>,
    clock: AtomicU64,
}

impl ReadyActions {
    fn get(&self, key: &ReadyKey) -> Option<Arc<Ready>> {
        let ready = Arc::clone(&*self.by_key.get(key)?);
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        ready.used.store(now, Ordering::Relaxed);
        Some(ready)
    }

    fn insert(&self, key: ReadyKey, ready: Arc<Ready>) {
        if self.by_key.len() >= READY {
            // Those not used lately go: a controller that varies the rights costs only time.
            let now = self.clock.load(Ordering::Relaxed);
            let old = now.saturating_sub(READY as u64);
            self.by_key
                .retain(|_, ready| ready.used.load(Ordering::Relaxed) > old);
            if self.by_key.len() >= READY {
                self.by_key.clear();
            }
        }
        self.by_key.insert(key, ready);
    }
}

#[async_trait]
impl Execute for Real {
    async fn execute(&self, assignment: Assignment, context: &Context) -> Executed {
        let received = Instant::now();
        let call = match self.call(assignment, context).await {
            Ok(call) => call,
            Err(verdict) => {
                let mut executed = Executed::unstarted(verdict);
                executed.timings.prepare_us = micros(received.elapsed());
                return executed;
            }
        };
        if context.start().await.is_err() {
            return Executed::unstarted(Verdict::Cancelled {
                reason: context.cancel.reason(),
            });
        }
        let prepare_us = micros(received.elapsed());
        let report = run(call, context).await;
        report::executed(report, prepare_us, || context.cancel.reason())
    }

    fn held(&self) -> Vec<Digest> {
        self.bundles.loaded()
    }

    async fn leave(&self) {
        self.stores.finish(LAST_LEASES).await;
    }
}

/// A call that has only to be run.
struct ReadyCall {
    prepared: Prepared,
    call: Call,
    cancel: Cancel,
    /// Given back when this is dropped: after the run, or with it.
    leases: Leases,
}

impl Real {
    async fn call(&self, assignment: Assignment, context: &Context) -> Result<ReadyCall, Verdict> {
        let Assignment {
            key,
            plugin: name,
            digest,
            action,
            input,
            rights,
            lease_ms: _,
        } = assignment;
        let plugin = self.bundles.plugin(digest).await.map_err(unready)?;
        // The name decides which grants hold: it is the signed one, whatever was asked for.
        let signed = &plugin.manifest().name;
        if *signed != name {
            return Err(refused(format!(
                "the assignment asks for `{name}`, but {digest} is `{signed}` by its signed manifest: submit it under that name"
            )));
        }
        let by = By {
            plugin: Some(signed.clone()),
            version: Some(plugin.manifest().version.to_string()),
            digest: Some(digest),
            action: Some(action.clone()),
            ..By::attempt(key)
        };
        let asked = (digest, action, rights);
        let ready = match self.ready.get(&asked) {
            Some(ready) => ready,
            None => {
                let manifest = plugin.manifest();
                let rights = Rights::effective(
                    signed,
                    &asked.1,
                    &manifest.capabilities,
                    &manifest.limits,
                    &self.policy,
                    &asked.2,
                );
                let prepared = self
                    .engine
                    .prepare(&plugin, &asked.1, rights)
                    .map_err(|why| report::refusal(&why))?;
                let ready = Arc::new(Ready {
                    prepared,
                    secrets: KeptSecrets::default(),
                    used: AtomicU64::new(self.ready.clock.load(Ordering::Relaxed)),
                });
                self.ready.insert(asked, Arc::clone(&ready));
                ready
            }
        };
        let limit = ready.prepared.rights().limits().input;
        let input = payloads::input(&self.controller, input, limit).await?;
        let (secrets, leases) = ready
            .secrets
            .for_run(ready.prepared.rights(), &self.stores)
            .await
            .map_err(no_secrets)?;
        let cancel = Cancel::new();
        let call = Call {
            execution: key.execution.to_string(),
            attempt: key.attempt,
            input: Input::from(input),
            cancel: cancel.clone(),
            events: Arc::new(HostEvents {
                reporter: context.reporter.clone(),
                audit: context.audit.run(by),
            }),
            services: Arc::clone(&self.services),
            secrets,
        };
        Ok(ReadyCall {
            prepared: ready.prepared.clone(),
            call,
            cancel,
            leases,
        })
    }
}

/// Runs a call; asks it to stop when the attempt is asked to, and kills it when the grace is over.
async fn run(ready: ReadyCall, context: &Context) -> Report {
    let _leases = ready.leases;
    let run = ready.prepared.run(ready.call);
    tokio::pin!(run);
    let stop = async {
        context.cancel.requested().cancelled().await;
        ready.cancel.request();
        context.cancel.due(&context.gate).await;
        ready.cancel.kill();
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        report = &mut run => report,
        never = stop => match never {},
    }
}

/// A store that does not answer may answer later; anything else has to be mended first.
fn no_secrets(error: SecretError) -> Verdict {
    if error.may_pass() {
        unavailable("secret-unavailable", error)
    } else {
        failed(FailureKind::Failed, "secret-unavailable", error)
    }
}

fn unready(why: Unready) -> Verdict {
    match &why {
        Unready::Fetch(FetchError::Unavailable { .. } | FetchError::Missing(_)) => {
            unavailable("bundle-unavailable", why)
        }
        Unready::Broke(_) | Unready::Forgetful { .. } => unavailable("bundle-unavailable", why),
        Unready::Fetch(_) | Unready::Refused { .. } | Unready::Engine(_) => refused(why),
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
