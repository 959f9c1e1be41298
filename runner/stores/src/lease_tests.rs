use async_trait::async_trait;
use tokio::sync::watch;

use super::*;
use crate::{Document, Place};

/// What a store was asked so far.
#[derive(Default)]
struct Asked {
    down: bool,
    refusing: bool,
    renewals: usize,
    renewed: usize,
    revocations: usize,
    revoked: Vec<String>,
}

/// Remembers what it was asked; answers while it is up.
struct Fake {
    period: Duration,
    asked: watch::Sender<Asked>,
}

#[async_trait]
impl SecretStore for Fake {
    async fn fetch(&self, _: &Place) -> Result<Document, StoreError> {
        unreachable!("only leases are tested here")
    }

    async fn renew(&self, _: &Lease) -> Result<Duration, StoreError> {
        self.asked.send_modify(|asked| asked.renewals += 1);
        self.up()?;
        self.asked.send_modify(|asked| asked.renewed += 1);
        Ok(self.period)
    }

    async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        self.asked.send_modify(|asked| asked.revocations += 1);
        self.up()?;
        self.asked
            .send_modify(|asked| asked.revoked.push(lease.id.clone()));
        Ok(())
    }
}

impl Fake {
    fn up(&self) -> Result<(), StoreError> {
        let asked = self.asked.borrow();
        match (asked.down, asked.refusing) {
            (true, _) => Err(StoreError::Unavailable("fake".into(), "down".into())),
            (_, true) => Err(StoreError::Absent("the lease".into())),
            _ => Ok(()),
        }
    }

    fn set_refusing(&self, refusing: bool) {
        self.asked.send_modify(|asked| asked.refusing = refusing);
    }

    fn set_down(&self, down: bool) {
        self.asked.send_modify(|asked| asked.down = down);
    }

    async fn until(&self, is: impl FnMut(&Asked) -> bool) {
        let mut asked = self.asked.subscribe();
        let waiting = timeout(LONG, asked.wait_for(is)).await;
        drop(waiting.expect("it never is").unwrap());
    }

    fn revoked(&self) -> Vec<String> {
        self.asked.borrow().revoked.clone()
    }
}

/// A lease that was had for this long, and for all that is known has run out.
fn over(period: Duration, renewable: bool) -> (Held, Arc<Fake>) {
    let fake = Arc::new(Fake {
        period,
        asked: watch::Sender::default(),
    });
    let held = Held {
        store: Arc::clone(&fake) as _,
        name: "fake".into(),
        lease: Lease {
            id: "db/1".to_owned(),
            period,
            renewable,
        },
        expires: Instant::now(),
    };
    (held, fake)
}

const LONG: Duration = Duration::from_secs(60);

fn held(period: Duration, renewable: bool) -> (Keeper, Arc<Fake>, DropGuard) {
    held_and_renewed_for(period, renewable, period)
}

fn held_and_renewed_for(
    period: Duration,
    renewable: bool,
    anew: Duration,
) -> (Keeper, Arc<Fake>, DropGuard) {
    let fake = Arc::new(Fake {
        period: anew,
        asked: watch::Sender::default(),
    });
    let lease = Lease {
        id: "db/1".to_owned(),
        period,
        renewable,
    };
    let keeper = Keeper::default();
    let guard = keeper.hold(Arc::clone(&fake) as _, "fake".into(), lease);
    (keeper, fake, guard)
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_it_is_held_and_then_given_back_once() {
    let (keeper, fake, guard) = held(Duration::from_millis(300), true);
    fake.until(|asked| asked.renewed >= 3).await;
    assert!(fake.revoked().is_empty());
    drop(guard);
    keeper.finish(LONG).await;
    assert_eq!(fake.revoked(), ["db/1"]);
    assert!(keeper.tasks.is_empty());
}

#[tokio::test]
async fn one_failure_to_renew_is_not_the_end_of_a_lease() {
    let (_keeper, fake, _guard) = held(Duration::from_secs(3), true);
    fake.set_down(true);
    fake.until(|asked| asked.renewals >= 1).await;
    fake.set_down(false);
    fake.until(|asked| asked.renewed >= 1).await;
}

#[tokio::test]
async fn one_refusal_to_renew_is_not_the_end_of_a_lease() {
    let (_keeper, fake, _guard) = held(Duration::from_secs(3), true);
    fake.set_refusing(true);
    fake.until(|asked| asked.renewals >= 1).await;
    fake.set_refusing(false);
    fake.until(|asked| asked.renewed >= 1).await;
}

#[tokio::test]
async fn a_store_that_refuses_to_renew_is_not_asked_again_when_the_lease_is_over() {
    let (mut over, fake) = over(Duration::from_millis(500), true);
    fake.set_refusing(true);
    over.renew().await;
    assert_eq!(fake.asked.borrow().renewals, 1);
}

#[tokio::test]
async fn giving_back_is_tried_again_while_the_lease_may_hold_after_all() {
    // Nobody knows for how long it was lent; and the last renewal may have counted.
    for (period, renewable) in [(Duration::ZERO, false), (LONG, true)] {
        let (over, fake) = over(period, renewable);
        fake.set_down(true);
        let giving_back = tokio::spawn(async move { over.give_back(&Semaphore::new(1)).await });
        fake.until(|asked| asked.revocations >= 2).await;
        fake.set_down(false);
        giving_back.await.unwrap();
        assert_eq!(fake.revoked(), ["db/1"]);
    }
}

#[tokio::test]
async fn giving_back_is_tried_again_until_the_store_answers() {
    let (keeper, fake, guard) = held(LONG, false);
    fake.set_down(true);
    drop(guard);
    fake.until(|asked| asked.revocations >= 2).await;
    fake.set_down(false);
    keeper.finish(LONG).await;
    assert_eq!(fake.revoked(), ["db/1"]);
}

#[tokio::test]
async fn giving_back_is_given_up_when_the_lease_has_run_out_by_itself() {
    let (keeper, fake, guard) = held(Duration::from_millis(500), false);
    fake.set_down(true);
    drop(guard);
    keeper.finish(LONG).await;
    assert!(keeper.tasks.is_empty(), "it is still tried");
    let tries = fake.asked.borrow().revocations;
    assert!((1..10).contains(&tries), "{tries}");
}

#[tokio::test]
async fn leaving_does_not_wait_for_good_for_a_store_that_does_not_answer() {
    let (keeper, fake, guard) = held(LONG, false);
    fake.set_down(true);
    drop(guard);
    keeper.finish(Duration::from_millis(50)).await;
    assert_eq!(keeper.tasks.len(), 1);
}

#[tokio::test]
async fn a_lease_for_longer_than_any_clock_goes_is_held_and_given_back() {
    let (keeper, fake, guard) = held(Duration::MAX, true);
    drop(guard);
    keeper.finish(LONG).await;
    assert_eq!(fake.revoked(), ["db/1"]);

    let short = Duration::from_millis(300);
    let (keeper, fake, guard) = held_and_renewed_for(short, true, Duration::MAX);
    fake.until(|asked| asked.renewed >= 1).await;
    drop(guard);
    keeper.finish(LONG).await;
    assert_eq!(fake.revoked(), ["db/1"]);
}
