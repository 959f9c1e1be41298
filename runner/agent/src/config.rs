//! How a runner is started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::Duration;

use wharf_engine::{CacheDir, EngineConfig};
use wharf_host::ServicesConfig;

use crate::attempts::Capacity;

/// The most attempts that a runner holds, however many are asked for: all of them fit a frame.
pub(crate) const MOST_SLOTS: usize = 1024;
/// What the journal holds before no more work is asked for.
pub(crate) const JOURNAL: Capacity = Capacity {
    results: 4096,
    bytes: 1 << 30,
};

/// How a runner is started.
#[derive(Clone)]
pub struct AgentConfig {
    /// Where it keeps its identity, its journal, and its bundles. Made by enrolment.
    pub state_dir: PathBuf,
    /// Its policy file.
    pub policy: PathBuf,
    /// Attempts that it holds at a time, at most 1024. By default sixteen for each core and at
    /// least 32: most actions wait for others most of the time, and one whose result is on its
    /// way to the journal holds its slot until it is there.
    pub slots: usize,
    /// Certificate roots (PEM) for the controller, beside those of the system.
    pub ca_bundle: Option<PathBuf>,
    /// The controller's address, where it is another than at enrolment.
    pub controller: Option<String>,
    /// How long a drain waits for what runs.
    pub drain_timeout: Duration,
    /// Where `/metrics` and `/healthz` are served, if anywhere. Nothing there asks who is asking.
    pub metrics: Option<SocketAddr>,
    /// How actions are run. Compiled code is kept in the state folder.
    pub engine: EngineConfig,
    /// What actions reach the world with.
    pub services: ServicesConfig,
}

impl AgentConfig {
    /// The defaults, for a runner with this state folder and policy file.
    pub fn new(state_dir: impl Into<PathBuf>, policy: impl Into<PathBuf>) -> Self {
        let state_dir = state_dir.into();
        let cores = available_parallelism().map_or(2, usize::from);
        Self {
            engine: EngineConfig {
                cache: CacheDir::At(state_dir.join("engine")),
                ..EngineConfig::default()
            },
            state_dir,
            policy: policy.into(),
            slots: (16 * cores).max(32),
            ca_bundle: None,
            controller: None,
            drain_timeout: Duration::from_secs(300),
            metrics: None,
            services: ServicesConfig::default(),
        }
    }
}
