//! Starting and leaving: the parts of a runner put together.

use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wharf_bundle::Refusal;
use wharf_engine::Engine;
use wharf_host::Services;

use crate::attempts::Attempts;
use crate::audit::{Auditor, RunnerEvent};
use crate::bundle_files::{self, BundleFiles};
use crate::bundles::Bundles;
use crate::config::{JOURNAL, MOST_SLOTS};
use crate::control;
use crate::controller::Controller;
use crate::core::{Core, Event, Parts};
use crate::dial::Dialer;
use crate::endpoint::Endpoint;
use crate::execute::Execute;
use crate::identity::Identity;
use crate::journal;
use crate::log_pipe;
use crate::logs::Logs;
use crate::metrics::{Listener, Metrics};
use crate::newest::NewestSealed;
use crate::payloads::Uploads;
use crate::private_file::lock;
use crate::real::Real;
use crate::status::{self, Link, Status, now_ms};
use crate::tally::Tally;
use crate::versions::Versions;
use crate::{AgentConfig, AgentError, RunnerPolicy, tls};

/// Events that wait for the runner's loop.
const EVENTS: usize = 4096;
/// How long the last frames may take to leave.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long the last log lines may take to arrive.
const LAST_LOGS: Duration = Duration::from_secs(2);

/// A runner.
pub struct Agent;

/// How a runner left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// Results in the journal that were not delivered; the next start does that.
    pub undelivered: usize,
    /// Log lines that were not delivered, and are lost.
    pub log_lines_lost: u64,
}

/// A runner that runs. Dropping it without [`Running::wait`] leaves it running.
pub struct Running {
    events: mpsc::Sender<Event>,
    status: watch::Receiver<Status>,
    metrics: Option<SocketAddr>,
    ended: JoinHandle<Result<Left, AgentError>>,
}

/// What a runner needs of its surroundings; a seam for tests.
pub(crate) struct Surroundings {
    pub(crate) identity: Arc<Identity>,
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) session: watch::Sender<crate::controller::Session>,
    pub(crate) controller: Controller,
    pub(crate) audit: Auditor,
    /// Why nothing can run here whatever is asked for, if that is so.
    pub(crate) useless: Option<String>,
    pub(crate) lock: Option<File>,
}

impl Agent {
    /// Starts the runner of an enrolled state folder. Must be called on a tokio runtime, which
    /// then runs the actions.
    ///
    /// # Errors
    /// The folder is not enrolled or in use, the policy does not load, the journal is damaged,
    /// or a part does not start. That the controller cannot be reached is none: the runner tries
    /// for as long as it lives.
    pub fn start(config: AgentConfig) -> Result<Running, AgentError> {
        let identity = Identity::load(&config.state_dir)?;
        let lock = lock(&config.state_dir)?;
        let url = config.controller.as_deref().unwrap_or(&identity.card.url);
        let endpoint = Endpoint::parse(url)?;
        let tls = match endpoint.secure() {
            true => Some(tls::client(config.ca_bundle.as_deref())?),
            false => None,
        };
        let (session, live) = watch::channel(None);
        let controller = Controller::new(endpoint.clone(), tls.as_deref(), live)?;
        let audit = Auditor::open(&config.state_dir, &identity.card.runner)?;
        let newest = NewestSealed::open(&config.state_dir, audit.clone())?;
        let membership = identity.membership(Arc::new(controller.clone()), Arc::new(newest));
        let policy = RunnerPolicy::load(&config.policy, Some(&membership))?;
        audit.tell(&RunnerEvent::PolicyLoaded {
            policy: policy.digest,
        });
        let engine = Engine::new(config.engine.clone())
            .map_err(|error| AgentError::part("engine", error))?;
        let services =
            Services::new(&config.services).map_err(|error| AgentError::part("host", error))?;
        let files = BundleFiles::open(config.state_dir.join(bundle_files::FOLDER))?;
        let versions = Versions::open(&config.state_dir)?;
        let trusts_nobody = policy.policy.trust.is_empty();
        let real = Real {
            bundles: Bundles::new(
                files,
                controller.clone(),
                policy.trust,
                versions,
                engine.clone(),
            ),
            controller: controller.clone(),
            engine,
            services: Arc::new(services),
            policy: policy.policy,
            stores: policy.stores,
            ready: crate::real::ReadyActions::default(),
        };
        let nobody = trusts_nobody.then(|| Refusal::NoTrust.to_string());
        let surroundings = Surroundings {
            useless: nobody,
            identity: Arc::new(identity),
            endpoint,
            tls,
            session,
            controller,
            audit,
            lock: Some(lock),
        };
        Self::start_with(&config, surroundings, Arc::new(real))
    }

    /// Starts a runner around whatever runs its attempts.
    pub(crate) fn start_with(
        config: &AgentConfig,
        around: Surroundings,
        execute: Arc<dyn Execute>,
    ) -> Result<Running, AgentError> {
        let metrics = config.metrics.map(Listener::bind).transpose()?;
        let metrics_at = metrics.as_ref().map(Listener::address);
        let journal = journal::open(&config.state_dir.join("journal.db"))?;
        let tally = Arc::new(Tally::default());
        let slots = config.slots.clamp(1, MOST_SLOTS);
        let attempts = Attempts::new(slots, JOURNAL, journal.results.iter().copied());
        let card = &around.identity.card;
        let (status_sender, status) = watch::channel(Status {
            runner: card.runner,
            group: card.group.clone(),
            controller: around.endpoint.shown().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_ms: now_ms(),
            link: Link::Connecting {
                reason: String::new(),
            },
            draining: false,
            slots,
            running: 0,
            journaled: journal.results.len(),
            credits: 0,
            delivered: 0,
            log_lines_waiting: 0,
            log_lines_lost: 0,
            audit: None,
            trouble: around.useless.clone(),
            refusals: Vec::new(),
        });
        let (events, inbox) = mpsc::channel(EVENTS);
        let notices = events.clone();
        // The loop never waits for the journal, so this never waits for good.
        let (journal, journal_closed) = journal.serve(move |notice| {
            let _ = notices.blocking_send(Event::Journal(notice));
        })?;
        let logs = Arc::new(Logs::default());
        let dialer = Arc::new(Dialer::new(around.endpoint, around.tls));
        let stop = CancellationToken::new();
        let leave = Arc::clone(&execute);
        let core = Core::new(Parts {
            attempts,
            execute,
            audit: around.audit.clone(),
            tally: Arc::clone(&tally),
            useless: around.useless,
            uploads: Uploads::new(around.controller, journal.clone(), events.clone()),
            journal,
            logs: Arc::clone(&logs),
            session: around.session,
            status: status_sender.clone(),
            events: events.clone(),
            runtime: Handle::current(),
            drain_timeout: config.drain_timeout,
        });
        let (left, leaving) = oneshot::channel();
        let connection = control::keep(
            Arc::clone(&dialer),
            Arc::clone(&around.identity),
            events.clone(),
            stop.clone(),
        );
        control::thread({
            let stop = stop.clone();
            async move {
                let connection = tokio::spawn(connection);
                let rejected = core.run(inbox).await;
                // The last frames and the farewell.
                let mut connection = connection;
                if timeout(FAREWELL, &mut connection).await.is_err() {
                    stop.cancel();
                    let _ = connection.await;
                }
                let _ = left.send(rejected);
            }
        })?;
        let log_connection = tokio::spawn(log_pipe::keep(
            dialer,
            around.identity,
            Arc::clone(&logs),
            around.audit,
            stop.clone(),
        ));
        let status_file = tokio::spawn(status::keep(config.state_dir.clone(), status.clone()));
        let metrics = metrics.map(|listener| {
            let counted = Metrics {
                status: status.clone(),
                tally,
                execute: Arc::clone(&leave),
            };
            tokio::spawn(listener.serve(counted, stop.clone()))
        });
        let lock = around.lock;
        let ended = tokio::spawn(async move {
            let rejected = leaving.await;
            leave.leave().await;
            let _ = timeout(LAST_LOGS, logs.delivered()).await;
            stop.cancel();
            let _ = log_connection.await;
            if let Some(metrics) = metrics {
                let _ = metrics.await;
            }
            let (waiting, lost) = logs.counts();
            let undelivered = status_sender.borrow().journaled;
            status_sender.send_modify(|status| {
                status.running = 0;
                status.credits = 0;
                if !matches!(status.link, Link::Rejected { .. }) {
                    status.link = Link::Stopped;
                }
            });
            drop(status_sender);
            let _ = status_file.await;
            // An attempt that was given up may still hold it; then the next start waits for it.
            let _ = timeout(FAREWELL, journal_closed).await;
            drop(lock);
            match rejected {
                Err(_) => Err(AgentError::part("control thread", "it broke off")),
                Ok(Some(reason)) => Err(AgentError::Rejected(reason)),
                Ok(None) => Ok(Left {
                    undelivered,
                    log_lines_lost: lost + waiting as u64,
                }),
            }
        });
        Ok(Running {
            events,
            status,
            metrics: metrics_at,
            ended,
        })
    }
}

impl Running {
    /// What the runner is doing, now and as it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Where `/metrics` and `/healthz` are served.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Takes no more work, hands back what has not started, finishes what runs, delivers, leaves.
    pub async fn drain(&self) {
        let _ = self.events.send(Event::Drain).await;
    }

    /// Ends what runs, delivers, leaves.
    pub async fn kill(&self, reason: &str) {
        let _ = self.events.send(Event::Kill(reason.to_owned())).await;
    }

    /// Waits until the runner has left.
    ///
    /// # Errors
    /// The controller will not have this runner, or the runner broke off.
    pub async fn wait(self) -> Result<Left, AgentError> {
        Self::join(self.ended).await
    }

    pub(crate) fn apart(self) -> (mpsc::Sender<Event>, JoinHandle<Result<Left, AgentError>>) {
        (self.events, self.ended)
    }

    pub(crate) async fn join(
        ended: JoinHandle<Result<Left, AgentError>>,
    ) -> Result<Left, AgentError> {
        ended
            .await
            .unwrap_or_else(|error| Err(AgentError::part("runner", error)))
    }
}
