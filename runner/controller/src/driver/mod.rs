//! The one thread that owns the state machine and the store.
//!
//! It takes all commands that wait, applies them, commits their changes at once, and only then
//! lets answers and frames out. Nothing is ever released that is not durable. It never waits for
//! a runner or a caller.

mod batch;
mod command;
mod handle;
mod outbound;
mod waiters;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use wharf_protocol::ToRunner;

use crate::clock::Clock;
use crate::core::{Core, Effects, LinkId, Rules};
use crate::directory::Directory;
use crate::model::Micros;
use crate::store::{Store, StoreError};

pub(crate) use command::{Command, SubmitAnswer};
pub(crate) use handle::{Handle, Health, Unavailable};
pub(crate) use outbound::{Inbox, Outbound, outbound};

use waiters::Waiters;

/// The most commands of one commit.
const MAX_BATCH: usize = 2_048;

/// The most commands that wait. Whoever sends one more waits, too.
const MAX_WAITING: usize = 8_192;

/// How often a broken store is tried again, and how long a commit counts as a proof of health.
const RETRY: Micros = 1_000_000;
const FRESH: Micros = 5_000_000;
const PRUNE: Micros = 60_000_000;

pub(crate) struct Driver<S> {
    store: S,
    rules: Rules,
    clock: Clock,
    directory: Arc<Directory>,
    health: Arc<Health>,
    commands: mpsc::Receiver<Command>,
    mode: Mode,
    links: HashMap<LinkId, Outbound>,
    waiters: Waiters,
    effects: Effects,
    /// What to tell once the batch is durable.
    releases: Vec<Box<dyn FnOnce() + Send>>,
    proven: Micros,
    next_prune: Micros,
}

enum Mode {
    Working(Box<Core>),
    /// The store failed: what the state machine held may differ from what is kept, so it is gone.
    Broken {
        retry: Micros,
    },
}

/// Loads what is kept, and starts the thread. `hold` is dropped when the thread has ended: until
/// then nobody else may use the store.
pub(crate) fn start<S: Store + 'static>(
    mut store: S,
    rules: Rules,
    clock: Clock,
    directory: Arc<Directory>,
    hold: impl Send + 'static,
) -> Result<(Handle, std::thread::JoinHandle<()>), StoreError> {
    let kept = store.load()?;
    directory.replace(&kept);
    let now = clock.now();
    let core = Core::restore(rules.clone(), &kept, now);
    let (sender, commands) = mpsc::channel(MAX_WAITING);
    let health = Arc::new(Health::default());
    let handle = Handle::new(sender, Arc::clone(&health), kept.controller.into());
    let driver = Driver {
        store,
        rules,
        clock,
        directory,
        health,
        commands,
        mode: Mode::Working(Box::new(core)),
        links: HashMap::new(),
        waiters: Waiters::default(),
        effects: Effects::default(),
        releases: Vec::new(),
        proven: now,
        next_prune: now + PRUNE,
    };
    let thread = std::thread::spawn(move || {
        driver.run();
        drop(hold);
    });
    Ok((handle, thread))
}

impl<S: Store> Driver<S> {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        loop {
            let count = self.commands.blocking_recv_many(&mut batch, MAX_BATCH);
            if count == 0 {
                return;
            }
            let mut stop = false;
            for command in batch.drain(..) {
                stop |= matches!(command, Command::Stop);
                if let Err(error) = self.apply(command) {
                    self.fail(&error);
                }
            }
            self.settle();
            if stop {
                return self.say_goodbye();
            }
        }
    }

    /// Makes the batch durable and lets its effects out.
    fn settle(&mut self) {
        let Mode::Working(core) = &mut self.mode else {
            self.try_again();
            return;
        };
        if !self.effects.changes.is_empty() {
            if let Err(error) = self.store.commit(&self.effects.changes) {
                return self.fail(&error);
            }
            self.proven = self.clock.now();
            core.forget_settled();
        }
        for change in &self.effects.changes {
            self.directory.apply(change);
        }
        for release in self.releases.drain(..) {
            release();
        }
        for view in self.effects.finished.drain(..) {
            self.waiters.wake(view);
        }
        for (link, frame) in self.effects.frames.drain(..) {
            if let Some(outbound) = self.links.get(&link)
                && !outbound.send(frame)
            {
                tracing::warn!(
                    link = link.0,
                    "a runner does not read what it is sent: its connection is ended"
                );
                self.links.remove(&link);
            }
        }
        for (link, reason, retry) in self.effects.hangups.drain(..) {
            if let Some(outbound) = self.links.remove(&link) {
                outbound.send(ToRunner::Goodbye {
                    reason: reason.to_owned(),
                    retry,
                });
            }
        }
        self.effects.clear();
    }

    /// Drops everything that is not durable, and everyone who waits for it: they are told that it
    /// is not known what became of their request. What is kept is the truth from here on.
    fn fail(&mut self, error: &StoreError) {
        tracing::error!(%error, "the store failed: nothing is accepted until it works again");
        self.health.set(Some(error.to_string()));
        self.mode = Mode::Broken {
            retry: self.clock.now() + RETRY,
        };
        self.effects.clear();
        self.releases.clear();
        self.waiters = Waiters::default();
        self.links.clear();
    }

    /// If the store works again, begins anew from what it has, as after a restart.
    fn try_again(&mut self) {
        let now = self.clock.now();
        match &mut self.mode {
            Mode::Working(_) => return,
            Mode::Broken { retry } if now < *retry => return,
            Mode::Broken { retry } => *retry = now + RETRY,
        }
        match self.store.probe().and_then(|()| self.store.load()) {
            Ok(kept) => {
                self.directory.replace(&kept);
                let core = Core::restore(self.rules.clone(), &kept, now);
                self.mode = Mode::Working(Box::new(core));
                self.proven = now;
                self.health.set(None);
                tracing::info!("the store works again");
            }
            Err(error) => self.health.set(Some(error.to_string())),
        }
    }

    fn say_goodbye(mut self) {
        for (_, outbound) in self.links.drain() {
            outbound.send(ToRunner::Goodbye {
                reason: "the controller is shutting down".to_owned(),
                retry: true,
            });
        }
    }
}

#[cfg(test)]
mod tests;
