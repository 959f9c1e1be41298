//! What the driver can be asked.

use std::sync::Arc;

use tokio::sync::oneshot::Sender;
use wharf_protocol::{ExecutionId, GroupName, RunnerId};

use super::Outbound;
use crate::core::{EnrolRefusal, Greeting, GroupRefusal, LinkId, Report, SubmitRefusal};
use crate::model::{CancelAsk, Change, Group, Order, RunnerRecord, RunnerView, View};

/// One thing to do. A sender that is dropped without an answer says: not done, or not known to be.
pub(crate) enum Command {
    Submit {
        order: Arc<Order>,
        /// Whether to answer only when it is over.
        wait: bool,
        reply: Sender<Result<SubmitAnswer, SubmitRefusal>>,
    },
    View {
        id: ExecutionId,
        /// Whether to answer only when it is over.
        wait: bool,
        reply: Sender<Option<View>>,
    },
    Cancel {
        id: ExecutionId,
        ask: CancelAsk,
        /// None if the core does not know it: it is over since long, or never was.
        reply: Sender<Option<View>>,
    },
    CreateGroup {
        group: Group,
        reply: Sender<Result<(), GroupRefusal>>,
    },
    Groups {
        reply: Sender<Vec<(Group, usize)>>,
    },
    Enrol {
        record: RunnerRecord,
        reply: Sender<Result<RunnerId, EnrolRefusal>>,
    },
    Runners {
        group: Option<GroupName>,
        reply: Sender<Vec<RunnerView>>,
    },
    RemoveRunner {
        id: RunnerId,
        reply: Sender<bool>,
    },
    /// Keeps a change that the state machine has no part in.
    Keep {
        change: Change,
        reply: Sender<()>,
    },
    /// A runner has proved who it is.
    Connect {
        runner: RunnerId,
        link: LinkId,
        greeting: Greeting,
        outbound: Outbound,
        /// False if the runner is not known any more.
        reply: Sender<bool>,
    },
    Disconnect {
        runner: RunnerId,
        link: LinkId,
    },
    Reports {
        runner: RunnerId,
        link: LinkId,
        reports: Vec<Report>,
    },
    /// Time has passed.
    Tick,
    /// Whether writing works.
    Probe {
        reply: Sender<()>,
    },
    /// Finish what is there, tell the runners, end.
    Stop,
}

/// An accepted order.
#[derive(Debug)]
pub(crate) enum SubmitAnswer {
    /// It is new.
    New(View),
    /// It had been submitted before.
    Known(View),
    /// It had been submitted before, and is over: to be read from the history.
    Over(ExecutionId),
}
