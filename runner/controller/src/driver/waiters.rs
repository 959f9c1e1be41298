//! Who waits for the end of which execution.

use std::collections::HashMap;

use tokio::sync::oneshot::Sender;
use wharf_protocol::ExecutionId;

use super::SubmitAnswer;
use crate::core::SubmitRefusal;
use crate::model::{Stage, View};

/// The most that wait for one execution. Others are answered at once.
const MAX_EACH: usize = 256;

enum Waiter {
    Submitter {
        reply: Sender<Result<SubmitAnswer, SubmitRefusal>>,
        known: bool,
    },
    Viewer(Sender<Option<View>>),
}

impl Waiter {
    fn tell(self, view: View) {
        // One that has left does not want it any more.
        match self {
            Self::Submitter { reply, known: true } => {
                drop(reply.send(Ok(SubmitAnswer::Known(view))))
            }
            Self::Submitter {
                reply,
                known: false,
            } => drop(reply.send(Ok(SubmitAnswer::New(view)))),
            Self::Viewer(reply) => drop(reply.send(Some(view))),
        }
    }

    fn has_left(&self) -> bool {
        match self {
            Self::Submitter { reply, .. } => reply.is_closed(),
            Self::Viewer(reply) => reply.is_closed(),
        }
    }
}

/// Someone who is not to wait: to be told when what is told is durable.
#[must_use]
pub(super) struct Immediate(Waiter, View);

impl Immediate {
    pub(super) fn tell(self) {
        self.0.tell(self.1);
    }
}

#[derive(Default)]
pub(super) struct Waiters(HashMap<ExecutionId, Vec<Waiter>>);

impl Waiters {
    pub(super) fn add_viewer(
        &mut self,
        view: View,
        reply: Sender<Option<View>>,
    ) -> Option<Immediate> {
        self.add(view, Waiter::Viewer(reply))
    }

    pub(super) fn add_submitter(
        &mut self,
        view: View,
        known: bool,
        reply: Sender<Result<SubmitAnswer, SubmitRefusal>>,
    ) -> Option<Immediate> {
        self.add(view, Waiter::Submitter { reply, known })
    }

    fn add(&mut self, view: View, waiter: Waiter) -> Option<Immediate> {
        if matches!(view.stage, Stage::Finished(_)) {
            return Some(Immediate(waiter, view));
        }
        let all = self.0.entry(view.order.id).or_default();
        if all.len() >= 8 {
            all.retain(|waiter| !waiter.has_left());
        }
        if all.len() >= MAX_EACH {
            return Some(Immediate(waiter, view));
        }
        all.push(waiter);
        None
    }

    /// Tells everyone who waits for an execution that it is over.
    pub(super) fn wake(&mut self, view: View) {
        let Some(mut all) = self.0.remove(&view.order.id) else {
            return;
        };
        let last = all.pop();
        for waiter in all {
            waiter.tell(view.clone());
        }
        if let Some(last) = last {
            last.tell(view);
        }
    }
}
