//! The secrets of an action's runs: resolved once for many where that is allowed, for each run by
//! itself where a store lends them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::time::{Instant, sleep_until};
use wharf_host::{SecretError, Secrets};
use wharf_policy::Rights;
use wharf_stores::{Freshness, Leases, Stores};

/// What is kept of the secrets of one action's rights.
#[derive(Default)]
pub(crate) struct KeptSecrets(Arc<Mutex<Kept>>);

/// The same for every run, until then.
type Kept = Option<(Arc<Secrets>, Instant)>;

impl KeptSecrets {
    /// The secrets for one run, and what was lent for it. Runs ask beside one another: their stores
    /// see to it that who may be told the same is asked for once.
    pub(crate) async fn for_run(
        &self,
        rights: &Rights,
        stores: &Stores,
    ) -> Result<(Arc<Secrets>, Leases), SecretError> {
        if let Some(secrets) = self.fresh() {
            return Ok((secrets, Leases::default()));
        }
        let run = wharf_host::resolve(rights, stores).await?;
        match run.freshness {
            Freshness::Until(until) if until > Instant::now() => {
                Ok((self.keep(run.secrets, until), run.leases))
            }
            Freshness::Until(_) | Freshness::Once => Ok((run.secrets, run.leases)),
        }
    }

    fn fresh(&self) -> Option<Arc<Secrets>> {
        fresh(&self.kept())
    }

    /// Keeps them, unless another run's are kept by now, which are then used.
    fn keep(&self, secrets: Arc<Secrets>, until: Instant) -> Arc<Secrets> {
        let mut kept = self.kept();
        if let Some(others) = fresh(&kept) {
            return others;
        }
        *kept = Some((Arc::clone(&secrets), until));
        wipe_later(&self.0, until);
        secrets
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fresh(kept: &Kept) -> Option<Arc<Secrets>> {
    let (secrets, until) = kept.as_ref()?;
    (Instant::now() < *until).then(|| Arc::clone(secrets))
}

/// Lets go of values when their time is over, whether or not the action is run again.
fn wipe_later(kept: &Arc<Mutex<Kept>>, until: Instant) {
    let kept: Weak<_> = Arc::downgrade(kept);
    tokio::spawn(async move {
        sleep_until(until).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept
            .as_ref()
            .is_some_and(|(_, until)| *until <= Instant::now())
        {
            *kept = None;
        }
    });
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
