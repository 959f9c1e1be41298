//! Running attempts for real: fetch, verify, load, intersect the rights, resolve the secrets, run.
//!
//! Every check of this runner's own policy is on this way; there is no other way to run anything.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dashmap::DashMap;
use wharf_engine::{CacheCounts, Call, Cancel, Engine, Input, Prepared, Report};
use wharf_host::{SecretError, Services};
use wharf_policy::{ActionName, CallRights, Digest, Policy, Rights};
use wharf_protocol::{Assignment, AttemptKey, FailureKind, Payload, Verdict};
use wharf_stores::{Leases, Stores};

use crate::audit::{By, Who};
use crate::bundles::{Bundles, Loaded, Unready};
use crate::controller::{Controller, FetchError};
use crate::execute::{Context, Execute, Executed};
use crate::payloads;
use crate::refusals::RefusalKind;
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
    who: Arc<Who>,
    used: AtomicU64,
}

impl Ready {
    /// Whether it was made of what is loaded now: once that is verified anew, others may have signed it.
    fn is_of(&self, loaded: &Loaded) -> bool {
        Arc::ptr_eq(&self.who.signers, &loaded.signers)
    }
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
            Err(not_run) => {
                let mut executed = Executed::unstarted(not_run.verdict);
                executed.timings.prepare_us = micros(received.elapsed());
                executed.who = not_run.who;
                executed.refusal = not_run.refusal;
                return executed;
            }
        };
        if context.start().await.is_err() {
            return Executed::unstarted(Verdict::Cancelled {
                reason: context.cancel.reason(),
            });
        }
        let prepare_us = micros(received.elapsed());
        let who = Arc::clone(&call.who);
        let report = run(call, context).await;
        Executed {
            who: Some(who),
            ..report::executed(report, prepare_us, || context.cancel.reason())
        }
    }

    fn cache_counts(&self) -> CacheCounts {
        self.engine.cache_counts()
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
    who: Arc<Who>,
    /// Given back when this is dropped: after the run, or with it.
    leases: Leases,
}

/// Why there is no call, and of what, if that was verified.
struct NotRun {
    verdict: Verdict,
    refusal: Option<RefusalKind>,
    who: Option<Arc<Who>>,
}

impl NotRun {
    fn new(verdict: Verdict, refusal: Option<RefusalKind>, who: Option<Arc<Who>>) -> Box<Self> {
        Box::new(Self {
            verdict,
            refusal,
            who,
        })
    }
}

impl Real {
    async fn call(
        &self,
        assignment: Assignment,
        context: &Context,
    ) -> Result<ReadyCall, Box<NotRun>> {
        let loaded = self.bundles.plugin(assignment.digest).await;
        let loaded = loaded.map_err(unready)?;
        let action = &assignment.action;
        // The name decides which grants hold: it is the signed one, whatever was asked for.
        let signed = &loaded.plugin.manifest().name;
        if *signed != assignment.plugin {
            let verdict = refused(format!(
                "the assignment asks for `{}`, but {} is `{signed}` by its signed manifest: submit it under that name",
                assignment.plugin, assignment.digest
            ));
            let who = who(&loaded, action);
            return Err(NotRun::new(verdict, Some(RefusalKind::Name), Some(who)));
        }
        let asked = (assignment.digest, action.clone(), assignment.rights);
        let ready = match self.ready.get(&asked) {
            Some(ready) if ready.is_of(&loaded) => ready,
            _ => {
                let ready = Arc::new(self.prepare(&loaded, &asked)?);
                self.ready.insert(asked, Arc::clone(&ready));
                ready
            }
        };
        self.ready_call(assignment.key, assignment.input, &ready, context)
            .await
            .map_err(|verdict| NotRun::new(verdict, None, Some(Arc::clone(&ready.who))))
    }

    /// What all calls of an action under the same rights have in common.
    fn prepare(
        &self,
        loaded: &Loaded,
        (_, action, rights): &ReadyKey,
    ) -> Result<Ready, Box<NotRun>> {
        let manifest = loaded.plugin.manifest();
        let who = who(loaded, action);
        let rights = Rights::effective(
            &manifest.name,
            action,
            &manifest.capabilities,
            &manifest.limits,
            &self.policy,
            rights,
        );
        match self.engine.prepare(&loaded.plugin, action, rights) {
            Ok(prepared) => Ok(Ready {
                prepared,
                secrets: KeptSecrets::default(),
                who,
                used: AtomicU64::new(self.ready.clock.load(Ordering::Relaxed)),
            }),
            Err(why) => {
                let kind = RefusalKind::of_engine(&why);
                Err(NotRun::new(report::refusal(&why), kind, Some(who)))
            }
        }
    }

    async fn ready_call(
        &self,
        key: AttemptKey,
        input: Payload,
        ready: &Ready,
        context: &Context,
    ) -> Result<ReadyCall, Verdict> {
        let limit = ready.prepared.rights().limits().input;
        let input = payloads::input(&self.controller, input, limit).await?;
        let (secrets, leases) = ready
            .secrets
            .for_run(ready.prepared.rights(), &self.stores)
            .await
            .map_err(no_secrets)?;
        let cancel = Cancel::new();
        let by = By::attempt(key, Some(Arc::clone(&ready.who)));
        let call = Call {
            execution: by.execution.clone(),
            attempt: key.attempt,
            input: Input::from(input),
            cancel: cancel.clone(),
            events: Arc::new(HostEvents {
                reporter: context.reporter.clone(),
                audit: context.audit.run(by),
                tally: Arc::clone(&context.tally),
            }),
            services: Arc::clone(&self.services),
            secrets,
        };
        Ok(ReadyCall {
            prepared: ready.prepared.clone(),
            call,
            cancel,
            who: Arc::clone(&ready.who),
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

fn who(loaded: &Loaded, action: &ActionName) -> Arc<Who> {
    let Loaded {
        plugin, signers, ..
    } = loaded;
    let (digest, signers) = (plugin.digest(), Arc::clone(signers));
    Arc::new(Who::new(plugin.manifest(), digest, action, signers))
}

fn unready(why: Unready) -> Box<NotRun> {
    let refusal = match &why {
        Unready::Fetch(FetchError::Unavailable { .. } | FetchError::Missing(_))
        | Unready::Broke(_)
        | Unready::Forgetful { .. } => {
            return NotRun::new(unavailable("bundle-unavailable", why), None, None);
        }
        Unready::Refused { why, .. } => RefusalKind::of_trust(why),
        Unready::Fetch(_) | Unready::Engine(_) => RefusalKind::Bundle,
    };
    NotRun::new(refused(why), Some(refusal), None)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
