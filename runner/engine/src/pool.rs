//! Instances that are there before the call comes: instantiated, unbound, each for one run. A
//! keeper task makes them while calls run, drops those that have run, and gives all up when no call
//! comes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::instance::Instance;
use crate::linked::Linked;

/// The warm instances of one component under one set of rights.
pub(crate) struct Pool {
    linked: Arc<Linked>,
    size: usize,
    idle: Duration,
    /// Shared by all pools of an engine: how many may be warm together.
    budget: Arc<Semaphore>,
    warm: Mutex<Vec<Warm>>,
    spent: Mutex<Vec<Running>>,
    taken: AtomicU64,
    kept: AtomicBool,
    wake: Arc<Notify>,
}

/// A warm instance holds a part of the budget while it waits.
struct Warm {
    instance: Instance,
    _part: OwnedSemaphorePermit,
}

/// An instance that is a run's, with its place among the running, which is free again only when
/// the instance's memory is given back.
pub(crate) struct Running {
    pub(crate) instance: Instance,
    // Below the instance, so dropped after it.
    pub(crate) _place: Option<OwnedSemaphorePermit>,
}

impl Pool {
    pub(crate) fn new(
        linked: Arc<Linked>,
        size: u32,
        idle: Duration,
        budget: Arc<Semaphore>,
    ) -> Arc<Self> {
        Arc::new(Self {
            linked,
            size: size as usize,
            idle,
            budget,
            warm: Mutex::default(),
            spent: Mutex::default(),
            taken: AtomicU64::new(0),
            kept: AtomicBool::new(false),
            wake: Arc::default(),
        })
    }

    pub(crate) fn linked(&self) -> &Arc<Linked> {
        &self.linked
    }

    /// A warm instance, if there is one. Never waits for one: making it cold is as quick. Must be
    /// called on a tokio runtime.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Instance> {
        if self.size == 0 {
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        let (taken, left) = {
            let mut warm = lock(&self.warm);
            // The newest: its pages are most likely still in the caches.
            (warm.pop(), warm.len())
        };
        // Waking another thread costs as much as a small run, so only now and then.
        if left <= self.size / 2 {
            self.keep();
        }
        taken.map(|warm| warm.instance)
    }

    /// How many are waiting.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.warm).len()
    }

    /// Wakes the keeper, or starts one.
    pub(crate) fn keep(self: &Arc<Self>) {
        if self.size == 0 {
            return;
        }
        if !self.kept.swap(true, Ordering::AcqRel) {
            tokio::spawn(keeper(Arc::downgrade(self), Arc::clone(&self.wake)));
        }
        self.wake.notify_one();
    }

    /// Drops an instance that has run: after its report is on its way, where there is a keeper.
    /// Giving memory back makes every core of this process listen, and takes as long as a small
    /// run. Where many wait to be dropped already, this waits for it.
    pub(crate) fn retire(self: &Arc<Self>, done: Running) {
        let left = {
            let mut spent = lock(&self.spent);
            if spent.len() < self.size {
                spent.push(done);
                None
            } else {
                Some(done)
            }
        };
        match left {
            Some(done) => drop(done),
            None => self.keep(),
        }
    }

    /// Drops the instances that have run.
    fn bury(&self) {
        let all = std::mem::take(&mut *lock(&self.spent));
        drop(all);
    }

    /// Makes instances until the pool is full, the budget is used up, or one fails.
    async fn fill(&self) {
        self.bury();
        while self.waiting() < self.size {
            let Ok(part) = Arc::clone(&self.budget).try_acquire_owned() else {
                return;
            };
            let limits = self.linked.rights.limits();
            let until = Instant::now() + limits.deadline.duration();
            let made = Instance::make(&self.linked.pre, limits, until, None);
            match tokio::time::timeout(limits.deadline.duration(), made).await {
                Ok(Ok(instance)) => lock(&self.warm).push(Warm {
                    instance,
                    _part: part,
                }),
                // The next call fails in the same way, and tells it to who can mend it.
                Ok(Err(dead)) => {
                    tracing::debug!(error = %dead.error, "a warm instance could not be made");
                    return;
                }
                Err(_) => return,
            }
            // Calls first.
            tokio::task::yield_now().await;
            self.bury();
        }
    }

    /// Gives up all warm instances.
    fn empty(&self) {
        let all = std::mem::take(&mut *lock(&self.warm));
        drop(all);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Pool {
    fn drop(&mut self) {
        // The keeper sees that there is nothing to keep any more.
        self.wake.notify_one();
    }
}

/// Fills a pool whenever it is woken, until it was idle for long or is no more.
async fn keeper(pool: Weak<Pool>, wake: Arc<Notify>) {
    /// However the keeper ends, another can start.
    struct Leave(Weak<Pool>);
    impl Drop for Leave {
        fn drop(&mut self) {
            if let Some(pool) = self.0.upgrade() {
                pool.kept.store(false, Ordering::Release);
                pool.bury();
            }
        }
    }
    let _leave = Leave(pool.clone());
    loop {
        let (idle, taken) = {
            let Some(pool) = pool.upgrade() else { return };
            pool.fill().await;
            (pool.idle, pool.taken.load(Ordering::Relaxed))
        };
        // The pool is not held while waiting, so it can go.
        if tokio::time::timeout(idle, wake.notified()).await.is_err() {
            let Some(pool) = pool.upgrade() else { return };
            if pool.taken.load(Ordering::Relaxed) == taken {
                pool.empty();
                return;
            }
        }
    }
}
