//! An execution, from the order to its end.

use std::sync::Arc;

use wharf_policy::{ActionName, CallRights, Digest, PluginName};
use wharf_protocol::{
    AttemptKey, ExecutionId, GroupName, Payload, Progress, RunnerId, Timings, Usage, Verdict,
};

/// Microseconds since the Unix epoch.
pub(crate) type Micros = u64;

/// After so many lost attempts an execution is not tried again.
pub(crate) const MAX_LOSSES: u32 = 3;

/// What was asked for. Never changes once accepted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    /// Which execution.
    pub(crate) id: ExecutionId,
    /// Whose runners may take it.
    pub(crate) group: GroupName,
    /// The plugin's name.
    pub(crate) plugin: PluginName,
    /// The plugin's version.
    pub(crate) version: String,
    /// The component, resolved once.
    pub(crate) digest: Digest,
    /// Which action of it.
    pub(crate) action: ActionName,
    /// Whether it may run again after an unknown outcome: the manifest's word.
    pub(crate) idempotent: bool,
    /// The input document.
    pub(crate) input: Payload,
    /// How the call narrows its rights.
    pub(crate) rights: CallRights,
    /// The caller's key and the digest of what the caller sent, to recognize a repetition.
    pub(crate) idempotency: Option<(String, Digest)>,
    /// When it was accepted.
    pub(crate) submitted: Micros,
}

impl Order {
    /// How many bytes of memory it holds, roughly: what the queue is bounded by.
    pub(crate) fn weight(&self) -> usize {
        const BASE: usize = 512;
        let input = match &self.input {
            Payload::Inline(text) => text.len(),
            Payload::Stored { .. } => 0,
        };
        BASE + input
    }
}

/// A request to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CancelAsk {
    /// Who or what asks.
    pub(crate) reason: String,
    /// How long the action may take to stop by itself, in milliseconds.
    pub(crate) grace_ms: u64,
}

/// A try that is a runner's at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Its number: the fencing token.
    pub(crate) attempt: u32,
    /// Whose it is.
    pub(crate) runner: RunnerId,
    /// Since when.
    pub(crate) assigned: Micros,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ending {
    /// The last attempt; 0 if there was none.
    pub(crate) attempt: u32,
    /// Whose that was, and since when.
    pub(crate) runner: Option<(RunnerId, Micros)>,
    /// When it ended.
    pub(crate) finished: Micros,
    /// How.
    pub(crate) verdict: Verdict,
    /// What it used, as the runner says.
    pub(crate) usage: Usage,
    /// How long it took, as the runner says.
    pub(crate) timings: Timings,
}

/// Why an execution waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// No runner of the group is connected.
    NoRunner,
    /// All connected runners of the group are leaving.
    AllDraining(usize),
    /// All connected runners of the group are busy.
    AllBusy(usize),
}

/// Where an execution stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Stage {
    /// It waits for a runner.
    Queued {
        /// The number of the last attempt; 0 if there was none.
        attempt: u32,
        /// Why, where it is known.
        waiting: Option<Waiting>,
    },
    /// A runner has it.
    Running {
        /// The attempt.
        run: Run,
        /// The newest progress.
        progress: Option<Progress>,
    },
    /// It is over.
    Finished(Arc<Ending>),
}

/// An execution as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    /// What was asked for.
    pub(crate) order: Arc<Order>,
    /// Where it stands.
    pub(crate) stage: Stage,
}

impl View {
    /// The number of the last attempt; 0 if there was none.
    pub(crate) fn attempt(&self) -> u32 {
        match &self.stage {
            Stage::Queued { attempt, .. } => *attempt,
            Stage::Running { run, .. } => run.attempt,
            Stage::Finished(ending) => ending.attempt,
        }
    }

    /// Whose the last attempt is, if it is or was anyone's.
    pub(crate) fn holder(&self) -> Option<RunnerId> {
        match &self.stage {
            Stage::Queued { .. } => None,
            Stage::Running { run, .. } => Some(run.runner),
            Stage::Finished(ending) => ending.runner.map(|(runner, _)| runner),
        }
    }
}

/// An execution that is not over, as it is kept: what a restart begins from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LiveRecord {
    /// What was asked for.
    pub(crate) order: Arc<Order>,
    /// The number of the last attempt; 0 if there was none.
    pub(crate) attempt: u32,
    /// How many attempts were lost.
    pub(crate) losses: u32,
    /// The attempt that runs.
    pub(crate) run: Option<Run>,
    /// The request to stop, if there is one.
    pub(crate) cancel: Option<CancelAsk>,
}

/// What is kept of an execution that is over, as far as a late result needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past {
    /// The last attempt.
    pub(crate) attempt: u32,
    /// Whether that attempt's own result ended the execution.
    pub(crate) by_result: bool,
}

/// A result that came after its attempt was given up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeadLetter {
    /// Of which attempt.
    pub(crate) key: AttemptKey,
    /// Who sent it.
    pub(crate) runner: RunnerId,
    /// When it came.
    pub(crate) received: Micros,
    /// What it said.
    pub(crate) verdict: Verdict,
}

/// An execution that has this idempotency key already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keyed {
    /// Which.
    pub(crate) id: ExecutionId,
    /// Of what its caller sent.
    pub(crate) body: Digest,
}
