//! What a controller is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::core::Rules;
use crate::serve::Tls;

/// How to run a controller.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder that holds everything. Only one process may use it at a time.
    pub data: PathBuf,
    /// Where to listen; port 0 for any that is free.
    pub listen: SocketAddr,
    /// How connections are protected.
    pub tls: Tls,
    /// How long an attempt is a runner's without a heartbeat.
    pub lease: Duration,
    /// How often a runner sends a heartbeat. Must fit into the lease at least twice.
    pub heartbeat: Duration,
    /// After how long without a connection a runner of an ephemeral group is forgotten.
    pub forget_after: Duration,
    /// The most executions that wait in one group.
    pub max_queue: usize,
    /// The most bytes of memory that all executions that are not over may hold.
    pub max_live_bytes: usize,
}

impl Config {
    /// The defaults, for a folder and an address: no TLS, lease 30 s, heartbeat 5 s, ephemeral
    /// runners forgotten after 10 min, 100,000 executions per queue, 512 MiB.
    pub fn new(data: impl Into<PathBuf>, listen: SocketAddr) -> Self {
        Self {
            data: data.into(),
            listen,
            tls: Tls::LoopbackOnly,
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
            forget_after: Duration::from_secs(600),
            max_queue: 100_000,
            max_live_bytes: 512 << 20,
        }
    }

    pub(crate) fn rules(&self) -> Rules {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 4);
        Rules {
            lease: micros(self.lease),
            heartbeat: micros(self.heartbeat),
            forget: micros(self.forget_after),
            max_queue: self.max_queue,
            max_live_bytes: self.max_live_bytes,
            max_runners: 10_000,
            max_groups: 1_000,
        }
    }
}
