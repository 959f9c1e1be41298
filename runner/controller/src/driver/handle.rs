//! How everyone else reaches the driver.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{mpsc, oneshot};

use super::Command;

/// Whether the store can write, and if not, why.
#[derive(Debug, Default)]
pub(crate) struct Health(RwLock<Option<String>>);

impl Health {
    pub(super) fn set(&self, trouble: Option<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn trouble(&self) -> Option<String> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// The driver did not answer. What was asked was not done, or it is not known whether it was.
#[derive(Debug, thiserror::Error)]
#[error(
    "the controller cannot take this now: {0}; try again, with the same idempotency_key if you submit"
)]
pub(crate) struct Unavailable(String);

/// Sends commands to the driver's thread.
#[derive(Clone)]
pub(crate) struct Handle {
    commands: mpsc::Sender<Command>,
    health: Arc<Health>,
    controller: Arc<str>,
}

impl Handle {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        health: Arc<Health>,
        controller: Arc<str>,
    ) -> Self {
        Self {
            commands,
            health,
            controller,
        }
    }

    /// The controller's own id.
    pub(crate) fn controller(&self) -> &str {
        &self.controller
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply)).await?;
        answer.await.map_err(|_| self.unavailable())
    }

    /// Sends without waiting for an answer; waits only for room.
    pub(crate) async fn tell(&self, command: Command) -> Result<(), Unavailable> {
        self.commands
            .send(command)
            .await
            .map_err(|_| self.unavailable())
    }

    /// Lets time pass. If the driver is busy it does not need to be told.
    pub(crate) fn tick(&self) {
        let _ = self.commands.try_send(Command::Tick);
    }

    /// Asks the driver to end, without waiting for it. If it is too busy to be told, it ends when
    /// the last handle is gone.
    pub(crate) fn stop(&self) {
        let _ = self.commands.try_send(Command::Stop);
    }

    fn unavailable(&self) -> Unavailable {
        let why = self.health.trouble();
        Unavailable(why.unwrap_or_else(|| "it is shutting down".to_owned()))
    }
}
