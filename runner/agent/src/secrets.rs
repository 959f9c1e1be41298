//! The secrets of an action's runs: resolved once for many where that is allowed, for each run by
//! itself where a store lends them.

use std::sync::{Arc, Weak};

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use wharf_host::{RunSecrets, SecretError, Secrets};
use wharf_policy::Rights;
use wharf_stores::{Freshness, Leases, Stores};

/// What is kept of the secrets of one action's rights.
#[derive(Default)]
pub(crate) struct KeptSecrets(Arc<Mutex<Kept>>);

#[derive(Default)]
enum Kept {
    /// Nothing that may still be used.
    #[default]
    Nothing,
    /// The same for every run, until then.
    Fresh(Arc<Secrets>, Instant),
    /// Nothing, ever: some of them are lent to one run.
    Lent,
}

impl KeptSecrets {
    /// The secrets for one run, and what was lent for it.
    pub(crate) async fn for_run(
        &self,
        rights: &Rights,
        stores: &Stores,
    ) -> Result<(Arc<Secrets>, Leases), SecretError> {
        let mut kept = self.0.lock().await;
        match &*kept {
            Kept::Fresh(secrets, until) if Instant::now() < *until => {
                return Ok((Arc::clone(secrets), Leases::default()));
            }
            Kept::Lent => {
                drop(kept);
                let run = wharf_host::resolve(rights, stores).await?;
                return Ok((run.secrets, run.leases));
            }
            Kept::Fresh(..) | Kept::Nothing => *kept = Kept::Nothing,
        }
        // With the lock held: whoever else waits gets the same.
        let RunSecrets {
            secrets,
            leases,
            freshness,
        } = wharf_host::resolve(rights, stores).await?;
        match freshness {
            Freshness::Once => *kept = Kept::Lent,
            Freshness::Until(until) if until > Instant::now() => {
                *kept = Kept::Fresh(Arc::clone(&secrets), until);
                wipe_later(&self.0, until);
            }
            Freshness::Until(_) => {}
        }
        Ok((secrets, leases))
    }
}

/// Lets go of values when their time is over, whether or not the action is run again.
fn wipe_later(kept: &Arc<Mutex<Kept>>, until: Instant) {
    let kept: Weak<_> = Arc::downgrade(kept);
    tokio::spawn(async move {
        sleep_until(until).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut kept = kept.lock().await;
        if matches!(&*kept, Kept::Fresh(_, until) if *until <= Instant::now()) {
            *kept = Kept::Nothing;
        }
    });
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
