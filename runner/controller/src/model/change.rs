//! What is to be kept. The state of a controller is the sum of its changes.

use std::sync::Arc;

use wharf_protocol::{BootId, ExecutionId, RunnerId};

use super::{
    BundleRecord, CancelAsk, DeadLetter, Ending, Group, LiveRecord, Micros, Order, Run,
    RunnerRecord, TokenHash, TokenRecord,
};

/// One change. Changes of one commit are kept all or not at all, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// A group exists.
    GroupCreated(Group),
    /// A token exists.
    TokenCreated(TokenRecord),
    /// A token is no more.
    TokenRemoved(TokenHash),
    /// A runner has enrolled.
    RunnerEnrolled(RunnerRecord),
    /// A runner has connected, or its connection ended.
    RunnerSeen {
        /// Which.
        id: RunnerId,
        /// Which process of it.
        boot: Option<BootId>,
        /// Its host's name.
        host: String,
        /// Its version.
        version: String,
        /// When.
        at: Micros,
    },
    /// A runner is no more.
    RunnerRemoved(RunnerId),
    /// A bundle was published.
    BundlePublished(Arc<BundleRecord>),
    /// An execution was accepted.
    Submitted(Arc<Order>),
    /// An attempt is a runner's.
    Assigned {
        /// Of which execution.
        id: ExecutionId,
        /// The attempt.
        run: Run,
    },
    /// An attempt ended without a result, and the execution waits again.
    Requeued {
        /// Which execution.
        id: ExecutionId,
        /// The attempt that ended.
        run: Run,
        /// How many attempts were lost by now.
        losses: u32,
        /// When.
        at: Micros,
        /// Why.
        why: String,
    },
    /// Somebody asked to stop an execution.
    CancelAsked {
        /// Which.
        id: ExecutionId,
        /// Who and how.
        ask: CancelAsk,
    },
    /// An execution is over.
    Finished {
        /// Which.
        id: ExecutionId,
        /// How it ended.
        ending: Arc<Ending>,
        /// Whether a result ended it, and not the controller.
        by_result: bool,
    },
    /// A result came too late.
    DeadLettered(Box<DeadLetter>),
}

/// All that is kept, but for executions that are over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// The controller's own id.
    pub(crate) controller: String,
    /// All groups.
    pub(crate) groups: Vec<Group>,
    /// All tokens.
    pub(crate) tokens: Vec<TokenRecord>,
    /// All runners.
    pub(crate) runners: Vec<RunnerRecord>,
    /// All bundles, in the order of publication.
    pub(crate) bundles: Vec<Arc<BundleRecord>>,
    /// All executions that are not over, in the order of submission.
    pub(crate) live: Vec<LiveRecord>,
}
