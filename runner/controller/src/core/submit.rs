//! Accepting an order, once.

use std::sync::Arc;

use wharf_protocol::ExecutionId;

use super::state::{Live, Phase};
use super::{Core, Effects};
use crate::model::{Change, Keyed, Micros, Order, View};

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// It is accepted.
    New(View),
    /// It had been accepted before, as this one.
    Same(ExecutionId),
}

/// Why an order is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SubmitRefusal {
    /// There is no such group.
    NoGroup,
    /// The idempotency key stands for another order.
    KeyTaken(ExecutionId),
    /// Too many wait in the group.
    QueueFull(usize),
    /// What waits and runs holds too many bytes.
    QueueTooHeavy(usize),
}

impl Core {
    /// Accepts an order and, if a runner has room, assigns it in the same breath. `kept` is the
    /// execution with the same idempotency key among those that the core does not know.
    pub(crate) fn submit(
        &mut self,
        order: Arc<Order>,
        kept: Option<Keyed>,
        now: Micros,
        fx: &mut Effects,
    ) -> Result<Submitted, SubmitRefusal> {
        if let Some((key, body)) = &order.idempotency
            && let Some(earlier) = self.keyed(key).or(kept)
        {
            return if earlier.body == *body {
                Ok(Submitted::Same(earlier.id))
            } else {
                Err(SubmitRefusal::KeyTaken(earlier.id))
            };
        }
        let group = self
            .groups
            .get_mut(&order.group)
            .ok_or(SubmitRefusal::NoGroup)?;
        if group.ready.is_empty() && group.queue.len() >= self.rules.max_queue {
            return Err(SubmitRefusal::QueueFull(self.rules.max_queue));
        }
        if self.live_bytes + order.weight() > self.rules.max_live_bytes {
            return Err(SubmitRefusal::QueueTooHeavy(self.rules.max_live_bytes));
        }
        let id = order.id;
        group.queue.insert((order.submitted, id));
        self.live_bytes += order.weight();
        if let Some((key, _)) = &order.idempotency {
            self.keys.insert(key.clone(), id);
        }
        fx.changes.push(Change::Submitted(Arc::clone(&order)));
        let name = order.group.clone();
        let live = Live {
            order,
            losses: 0,
            cancel: None,
            phase: Phase::Queued { attempt: 0 },
        };
        self.live.insert(id, live);
        self.dispatch(&name, now, fx);
        Ok(Submitted::New(self.view(&id).expect(
            "an execution that was just inserted is known until it is settled and forgotten",
        )))
    }

    fn keyed(&self, key: &str) -> Option<Keyed> {
        let id = *self.keys.get(key)?;
        let (_, body) = self.live.get(&id)?.order.idempotency.as_ref()?;
        Some(Keyed { id, body: *body })
    }
}
