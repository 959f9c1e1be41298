//! One command into effects.

use super::{Command, Driver, FRESH, Mode, PRUNE, SubmitAnswer};
use crate::core::{CancelOutcome, Core, Report, SubmitRefusal, Submitted};
use crate::model::{Micros, Order};
use crate::store::{Store, StoreError};

use tokio::sync::oneshot::Sender;

impl<S: Store> Driver<S> {
    /// Applies a command. An error means that the store cannot be read.
    pub(super) fn apply(&mut self, command: Command) -> Result<(), StoreError> {
        let Mode::Working(core) = &mut self.mode else {
            // Dropping the command drops its sender: the caller is told that nothing was done.
            return Ok(());
        };
        let now = self.clock.now();
        let fx = &mut self.effects;
        match command {
            Command::Submit { order, wait, reply } => {
                return self.submit(order, wait, reply, now);
            }
            Command::View { id, wait, reply } => match core.view(&id) {
                Some(view) if wait => {
                    if let Some(at_once) = self.waiters.add_viewer(view, reply) {
                        self.releases.push(Box::new(move || at_once.tell()));
                    }
                }
                view => self.release(reply, view),
            },
            Command::Cancel { id, ask, reply } => {
                let view = match core.cancel(id, ask, now, fx) {
                    CancelOutcome::Asked(view) => Some(view),
                    CancelOutcome::NotLive => None,
                };
                self.release(reply, view);
            }
            Command::CreateGroup { group, reply } => {
                let answer = core.create_group(group, fx);
                self.release(reply, answer);
            }
            Command::Groups { reply } => {
                let answer = core.groups();
                self.release(reply, answer);
            }
            Command::Enrol { record, reply } => {
                let answer = core.enrol(record, fx);
                self.release(reply, answer);
            }
            Command::Runners { group, reply } => {
                let answer = core.runners(group.as_ref(), now);
                self.release(reply, answer);
            }
            Command::RemoveRunner { id, reply } => {
                let answer = core.remove_runner(id, now, fx);
                self.release(reply, answer);
            }
            Command::Keep { change, reply } => {
                fx.changes.push(change);
                self.release(reply, ());
            }
            Command::Connect {
                runner,
                link,
                greeting,
                outbound,
                reply,
            } => {
                let known = core.connect(runner, link, greeting, now, fx);
                if known {
                    self.links.insert(link, outbound);
                }
                self.release(reply, known);
            }
            Command::Disconnect { runner, link } => {
                core.disconnect(runner, link, now, fx);
                self.links.remove(&link);
            }
            Command::Reports {
                runner,
                link,
                reports,
            } => {
                for report in reports {
                    let past = match &report {
                        Report::Result { key, .. } if !core.knows(&key.execution) => {
                            self.store.past(key.execution)?
                        }
                        _ => None,
                    };
                    core.report(runner, link, report, past, now, fx);
                }
            }
            Command::Tick => return self.tick(now),
            Command::Probe { reply } => {
                if self.proven + FRESH < now {
                    self.store.probe()?;
                    self.proven = now;
                }
                self.release(reply, ());
            }
            Command::Stop => {}
        }
        Ok(())
    }

    fn submit(
        &mut self,
        order: std::sync::Arc<Order>,
        wait: bool,
        reply: Sender<Result<SubmitAnswer, SubmitRefusal>>,
        now: Micros,
    ) -> Result<(), StoreError> {
        let Mode::Working(core) = &mut self.mode else {
            return Ok(());
        };
        let kept = match &order.idempotency {
            Some((key, _)) if !core.knows_key(key) => self.store.keyed(key)?,
            _ => None,
        };
        let answer = match core.submit(order, kept, now, &mut self.effects) {
            Ok(Submitted::New(view)) => Ok(SubmitAnswer::New(view)),
            Ok(Submitted::Same(id)) => Ok(core
                .view(&id)
                .map_or(SubmitAnswer::Over(id), SubmitAnswer::Known)),
            Err(refusal) => Err(refusal),
        };
        let at_once = match answer {
            Ok(SubmitAnswer::New(view)) if wait => self.waiters.add_submitter(view, false, reply),
            Ok(SubmitAnswer::Known(view)) if wait => self.waiters.add_submitter(view, true, reply),
            answer => {
                self.release(reply, answer);
                None
            }
        };
        if let Some(at_once) = at_once {
            self.releases.push(Box::new(move || at_once.tell()));
        }
        Ok(())
    }

    fn tick(&mut self, now: Micros) -> Result<(), StoreError> {
        if let Mode::Working(core) = &mut self.mode {
            Core::tick(core, now, &mut self.effects);
        }
        if self.next_prune <= now {
            self.next_prune = now + PRUNE;
            self.store.prune(now)?;
            self.directory.prune(now);
        }
        Ok(())
    }

    fn release<T: Send + 'static>(&mut self, reply: Sender<T>, answer: T) {
        // A caller that went away does not want the answer any more.
        self.releases
            .push(Box::new(move || drop(reply.send(answer))));
    }
}
