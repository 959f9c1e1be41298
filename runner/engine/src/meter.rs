//! How long a run was on a core, and the look at a running guest at every tick of the engine.
//!
//! A guest is on a core while its future is being polled, so that is what is measured: loops of
//! short host calls count, waiting does not. The epoch callback reads the same clock in the middle
//! of a poll, which is where a guest that never yields is stopped.

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use wasmtime::UpdateDeadline;

use crate::Cancel;

/// Why a run was interrupted. The error of the trap where a running guest was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Interrupted {
    #[error("its deadline passed")]
    Deadline,
    #[error("its processor time is used up")]
    Cpu,
    #[error("it was killed")]
    Killed,
}

/// The clocks of one instance. In nanoseconds since it was made.
///
/// One task at a time runs the instance, so the atomics are only for moving between threads.
#[derive(Debug)]
pub(crate) struct Meter {
    made: Instant,
    /// On a core before the current poll.
    spent: AtomicU64,
    /// When the current poll began.
    entered: AtomicU64,
    cpu_limit: AtomicU64,
    deadline: AtomicU64,
    cancel: OnceLock<Cancel>,
}

impl Meter {
    pub(crate) fn new(cpu: Duration, deadline: Duration) -> Self {
        Self {
            made: Instant::now(),
            spent: AtomicU64::new(0),
            entered: AtomicU64::new(0),
            cpu_limit: AtomicU64::new(nanos(cpu)),
            deadline: AtomicU64::new(nanos(deadline)),
            cancel: OnceLock::new(),
        }
    }

    /// Who can kill it. Only the first counts: an instance is one run's.
    pub(crate) fn watch(&self, cancel: Cancel) {
        let _ = self.cancel.set(cancel);
    }

    /// Begins to count anew, for a run.
    pub(crate) fn bind(&self, deadline: Instant, cancel: Cancel) {
        self.spent.store(0, Ordering::Relaxed);
        self.deadline.store(
            nanos(deadline.saturating_duration_since(self.made)),
            Ordering::Relaxed,
        );
        self.watch(cancel);
    }

    /// Time on a core so far.
    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent.load(Ordering::Relaxed))
    }

    /// Runs a future of the instance and counts it.
    pub(crate) async fn measure<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        std::future::poll_fn(|context| {
            let entered = self.now();
            self.entered.store(entered, Ordering::Relaxed);
            let polled = future.as_mut().poll(context);
            self.spent
                .fetch_add(self.now().saturating_sub(entered), Ordering::Relaxed);
            polled
        })
        .await
    }

    /// What to do with a guest that is running at a tick.
    pub(crate) fn tick(&self) -> wasmtime::Result<UpdateDeadline> {
        let now = self.now();
        let spent = self.spent.load(Ordering::Relaxed)
            + now.saturating_sub(self.entered.load(Ordering::Relaxed));
        if self.cancel.get().is_some_and(Cancel::is_killed) {
            Err(Interrupted::Killed.into())
        } else if now >= self.deadline.load(Ordering::Relaxed) {
            Err(Interrupted::Deadline.into())
        } else if spent >= self.cpu_limit.load(Ordering::Relaxed) {
            Err(Interrupted::Cpu.into())
        } else {
            // Others of this thread have their turn at every tick, heartbeats among them.
            Ok(UpdateDeadline::Yield(1))
        }
    }

    fn now(&self) -> u64 {
        nanos(self.made.elapsed())
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn work(time: Duration) {
        let begun = Instant::now();
        while begun.elapsed() < time {}
    }

    #[test]
    fn waiting_is_not_counted_and_working_is() {
        let meter = Meter::new(LONG, LONG);
        let mut polls = 0;
        let mut run = Box::pin(meter.measure(std::future::poll_fn(|_| {
            polls += 1;
            work(Duration::from_millis(20));
            if polls == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })));
        let mut context = Context::from_waker(Waker::noop());
        assert!(run.as_mut().poll(&mut context).is_pending());
        work(Duration::from_millis(500));
        assert!(run.as_mut().poll(&mut context).is_ready());
        drop(run);
        let spent = meter.spent();
        assert!(spent >= Duration::from_millis(40), "{spent:?}");
        assert!(spent < Duration::from_millis(500), "{spent:?}");
    }

    #[test]
    fn the_first_reason_to_stop_is_the_one_that_is_told() {
        let tick = |meter: &Meter| match meter.tick() {
            Ok(_) => None,
            Err(error) => error.downcast_ref::<Interrupted>().copied(),
        };
        assert_eq!(tick(&Meter::new(LONG, LONG)), None);
        assert_eq!(
            tick(&Meter::new(LONG, Duration::ZERO)),
            Some(Interrupted::Deadline)
        );
        let meter = Meter::new(Duration::ZERO, LONG);
        assert_eq!(tick(&meter), Some(Interrupted::Cpu));
        let cancel = Cancel::new();
        meter.bind(Instant::now() + LONG, cancel.clone());
        cancel.kill();
        assert_eq!(tick(&meter), Some(Interrupted::Killed));
    }
}
