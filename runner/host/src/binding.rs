//! What a warm instance is bound to, and what is left when its run is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tokio::time::Instant;
use wharf_policy::Rights;

use crate::{Events, Secrets, Services};

/// Whether someone asked a run to stop. Cheap to clone; all clones are one flag.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Everything that makes an instance an execution.
pub struct Binding {
    /// The execution.
    pub execution: String,
    /// Which try at it, from 1.
    pub attempt: u32,
    /// What it may do.
    pub rights: Arc<Rights>,
    /// When it must be over.
    pub deadline: Instant,
    /// Whether it was asked to stop.
    pub cancel: CancelFlag,
    /// What all runs of a runner share.
    pub services: Arc<Services>,
    /// Where it tells what it does.
    pub events: Arc<dyn Events>,
    /// Arguments, environment and standard input, for a plugin that is a `wasi:cli/command`.
    /// Where there are none, standard output is log.
    pub command: Option<CommandIo>,
    /// The values of the secrets of these rights.
    pub secrets: Arc<Secrets>,
}

/// What a command is started with.
#[derive(Debug, Clone, Default)]
pub struct CommandIo {
    /// Arguments, the program's name first.
    pub args: Vec<String>,
    /// Environment, and nothing else of it.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: Bytes,
}

/// What a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of linear memory at the end, which is the most: memories do not shrink.
    pub memory: u64,
    /// Lines of log that were kept.
    pub log_entries: u32,
    /// Bytes of log that were kept.
    pub log_bytes: u64,
    /// Lines of log that were dropped because the budget was used up.
    pub log_dropped: u32,
    /// Log lines and progress reports from before binding, which went nowhere.
    pub ignored_unbound: u32,
    /// Requests to the outside, refused ones too.
    pub requests: u32,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// Bytes of all responses.
    pub response_bytes: u64,
}

/// What is left of a run. Scrubbed of its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// The document that was written through the `output` interface; empty if none was.
    pub output: Bytes,
    /// Standard output of a command.
    pub stdout: Bytes,
    /// What it used.
    pub usage: Usage,
}

/// The exit code, if a call ended because the program called `exit`.
pub fn exit_code(error: &wasmtime::Error) -> Option<i32> {
    error
        .downcast_ref::<wasmtime_wasi::I32Exit>()
        .map(|exit| exit.0)
}
