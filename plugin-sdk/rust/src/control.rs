//! Whether to go on, for how long, and which call this is.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::host;

/// How often [`wait`] looks whether it should stop. Far below the host's grace.
const LOOK: Duration = Duration::from_millis(100);

/// The call that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The execution. The same for every attempt at it, and for no other: good for messages and
    /// for idempotency keys. Opaque.
    pub execution: String,
    /// Which try this is, counted from 1.
    pub attempt: u32,
}

/// Why an action should not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    /// Someone asked this execution to stop.
    Cancelled,
    /// What was asked for does not fit in the time that is left.
    Deadline,
}

/// The call that is running.
#[must_use]
pub fn call() -> Call {
    host::call()
}

/// Whether someone asked this execution to stop. An action that can stop cleanly asks from time
/// to time and answers [`Error::Cancelled`]; after a grace it is stopped anyway.
#[must_use]
pub fn cancelled() -> bool {
    host::cancelled()
}

/// Time left before the deadline.
#[must_use]
pub fn remaining() -> Duration {
    host::remaining()
}

/// Fails if this execution was asked to stop or has no time left, so that a loop can say
/// `control::check()?`.
pub fn check() -> Result<(), Interrupted> {
    if cancelled() {
        Err(Interrupted::Cancelled)
    } else if remaining().is_zero() {
        Err(Interrupted::Deadline)
    } else {
        Ok(())
    }
}

/// Waits that long, unless the execution is asked to stop before. Does not wait at all if the
/// deadline comes first.
pub fn wait(duration: Duration) -> Result<(), Interrupted> {
    check()?;
    if duration >= remaining() {
        return Err(Interrupted::Deadline);
    }
    let mut left = duration;
    while !left.is_zero() {
        let step = left.min(LOOK);
        host::sleep(step);
        left -= step;
        check()?;
    }
    Ok(())
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the execution was asked to stop",
            Self::Deadline => "there is not enough time left before the deadline",
        })
    }
}

impl std::error::Error for Interrupted {}

impl From<Interrupted> for Error {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::Cancelled => Self::Cancelled,
            Interrupted::Deadline => Self::failed("deadline", interrupted),
        }
    }
}
