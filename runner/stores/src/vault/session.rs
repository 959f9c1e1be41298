//! Being let in: keeping a token alive, getting a new one in time.
//!
//! What a server lends hangs on the token that asked for it and ends with it. So a token is renewed
//! in the background for as long as the runner lives, whether or not anything is asked, and replaced
//! before it ends where that is not possible: nothing is asked for with one that is about to end.
//! While a token is good nobody waits for another: it is renewed or replaced beside, however slowly
//! the server does that. One that was replaced goes on until it ends or the runner leaves, because of
//! what was lent under it.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until};
use wharf_policy::VaultLogin;

use super::answer::{Granted, Secret};
use super::api::{Api, Ask, Reply, Token};
use super::login::Login;
use crate::open::Unusable;
use crate::period::from_now;
use crate::{StoreError, Trouble};

/// Between two tries to renew.
const PAUSE: Duration = Duration::from_secs(2);
/// For how long a server that did not answer a login is not asked for another.
const OUTAGE: Duration = Duration::from_secs(1);
/// The same for one that refused it: a server locks out who is wrong too often.
const REFUSAL: Duration = Duration::from_secs(5);
/// A renewal that gains no more than this gains nothing: times are given in whole seconds.
const GAIN: Duration = Duration::from_secs(1);

/// This runner's standing with a server.
pub(super) struct Session {
    api: Arc<Api>,
    login: Login,
    standing: Mutex<Standing>,
    /// Had by the one who renews, logs in or leaves. What is held changes only with it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Standing {
    held: Option<Held>,
    /// How many logins there were: by that, each keeps its own token alive and no other's.
    logins: u64,
    /// Those that were replaced before their time was over.
    former: Vec<Held>,
    /// Why the last login came to nothing, and until when that is believed. Those who waited for it
    /// are told the same, and do not each try, or wait as long, again.
    failed: Option<(Instant, StoreError)>,
}

/// A token that was good when it was last looked at.
#[derive(Clone)]
pub(super) struct Pass {
    pub(super) token: Token,
    /// Whether it could look at itself, as most may.
    known: bool,
    /// Whether the server has done something for it.
    used: bool,
}

impl Pass {
    /// Whether the server has shown that it is a token.
    pub(super) const fn is_taken(&self) -> bool {
        self.known || self.used
    }
}

#[derive(Clone)]
pub(super) struct Held {
    pass: Pass,
    /// When it ends, if it does.
    expires: Option<Instant>,
    /// When it should be renewed or replaced.
    due: Option<Instant>,
    renewable: bool,
}

impl Held {
    pub(super) fn new(token: Token, period: Option<Duration>, renewable: bool) -> Self {
        // With a third of its time left, so that one failure is not the end of it.
        let due = |period: Duration| match (period - period / 3, renewable) {
            (due, true) => due,
            // One login after the other is no way to live.
            (due, false) => due.max(PAUSE),
        };
        Self {
            pass: Pass {
                token,
                known: true,
                used: false,
            },
            expires: period.map(from_now),
            due: period.map(due).map(from_now),
            renewable,
        }
    }

    /// One of which the server told nothing, perhaps because it is none.
    pub(super) fn unknown(token: Token) -> Self {
        let mut held = Self::new(token, None, false);
        held.pass.known = false;
        held
    }

    fn is_good(&self) -> bool {
        self.left().is_none_or(|left| !left.is_zero())
    }

    /// For how long it holds, if that has an end.
    fn left(&self) -> Option<Duration> {
        let expires = self.expires?;
        Some(expires.saturating_duration_since(Instant::now()))
    }

    fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }
}

impl Session {
    pub(super) fn open(api: Arc<Api>, login: &VaultLogin, folder: &Path) -> Result<Self, Unusable> {
        Ok(Self {
            api,
            login: Login::open(login, folder)?,
            standing: Mutex::default(),
            turn: Arc::default(),
        })
    }

    /// A token that is good as far as can be known. Where there is none, many who need one wait
    /// for the same login.
    pub(super) async fn pass(self: &Arc<Self>) -> Result<Pass, StoreError> {
        if let Some(held) = self.good() {
            if held.is_due() {
                self.freshen();
            }
            return Ok(held.pass);
        }
        let _turn = self.turn.lock().await;
        // Whoever had the turn before may have wanted the same.
        match self.good() {
            Some(held) => Ok(held.pass),
            None => self.enter().await,
        }
    }

    /// After a refusal: whether there is another token to try with. None if this one is good, and
    /// so it is the right that is missing.
    pub(super) async fn replace(self: &Arc<Self>, refused: &Pass) -> Result<bool, StoreError> {
        {
            let _turn = self.turn.lock().await;
            if self
                .good()
                .is_some_and(|now| !now.pass.token.is(&refused.token))
            {
                return Ok(true);
            }
            let look = Ask::read(&["auth", "token", "lookup-self"]);
            match self.api.ask(&look, Some(&refused.token)).await? {
                Reply::Forbidden => self.standing().held = None,
                _ => return Ok(false),
            }
        }
        let fresh = self.pass().await?;
        let same = fresh.token.is(&refused.token);
        // One that never could look at itself is no worse for it now.
        if same && !refused.known && refused.used {
            self.took(&fresh);
        }
        Ok(!same)
    }

    /// The server did something for this token.
    pub(super) fn took(&self, pass: &Pass) {
        if let Some(held) = &mut self.standing().held
            && held.pass.token.is(&pass.token)
        {
            held.pass.used = true;
        }
    }

    /// Gives up the tokens, and whatever still hangs on them. One that someone made is left alone.
    pub(super) async fn end(&self) {
        let _turn = self.turn.lock().await;
        let given_up: Vec<_> = {
            let mut standing = self.standing();
            let held = standing.held.take();
            held.into_iter().chain(standing.former.drain(..)).collect()
        };
        let Login::Method { .. } = self.login else {
            return;
        };
        for held in given_up.iter().filter(|held| held.is_good()) {
            let revoke = json!({});
            let ask = Ask::write(&["auth", "token", "revoke-self"], &revoke);
            if let Err(error) = self.api.ask(&ask, Some(&held.pass.token)).await {
                tracing::warn!(%error, "a token could not be revoked: it holds until it runs out");
            }
        }
    }

    /// Renews the token that is held, or gets another, beside those who use it. Once at a time.
    fn freshen(self: &Arc<Self>) {
        // Who has the turn does it, or will be followed by someone who asks for it again.
        let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() else {
            return;
        };
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let _turn = turn;
            if let Some(old) = this.good().filter(Held::is_due) {
                this.prolong(&old).await;
            }
        });
    }

    /// Renews what is held, or gets another. For who has the turn.
    async fn prolong(self: &Arc<Self>, old: &Held) {
        if self.renew(old).await {
            return;
        }
        if let Err(error) = self.enter().await {
            tracing::warn!(%error, "the runner's token runs out and there is no other yet; trying again");
            self.put_off();
        }
    }

    /// Logs in. For who has the turn.
    async fn enter(self: &Arc<Self>) -> Result<Pass, StoreError> {
        if let Some((until, error)) = &self.standing().failed
            && Instant::now() < *until
            && let Some(error) = said(error)
        {
            return Err(error);
        }
        let new = self.login.token(&self.api).await;
        let mut standing = self.standing();
        match new {
            Ok(new) => {
                let pass = new.pass.clone();
                standing.logins += 1;
                if new.due.is_some() {
                    self.keep(standing.logins);
                }
                let old = standing.held.replace(new);
                // There is one login for each, so only those are left that still hold.
                standing.former.retain(Held::is_good);
                let replaced = old.filter(|old| old.is_good() && !old.pass.token.is(&pass.token));
                standing.former.extend(replaced);
                standing.failed = None;
                Ok(pass)
            }
            Err(error) => {
                let holds = match error.trouble() {
                    Trouble::Outage => OUTAGE,
                    _ => REFUSAL,
                };
                standing.failed = said(&error).map(|error| (from_now(holds), error));
                Err(error)
            }
        }
    }

    /// Looks after what this login gave.
    fn keep(self: &Arc<Self>, login: u64) {
        tokio::spawn(keep_alive(Arc::downgrade(self), login));
    }

    /// Renews the token that is held where that gets it any further. `false`: it has to be
    /// replaced. For who has the turn.
    async fn renew(&self, old: &Held) -> bool {
        if !old.renewable {
            return false;
        }
        let nothing = json!({});
        let ask = Ask::write(&["auth", "token", "renew-self"], &nothing);
        let renewed = match self.api.ask(&ask, Some(&old.pass.token)).await {
            Ok(Reply::Answer(body)) => {
                Secret::parse(self.api.whom(), &body).and_then(|it| it.granted(self.api.whom()))
            }
            Ok(_) => return false,
            Err(error) => Err(error),
        };
        match renewed {
            Ok(Granted {
                period, renewable, ..
            }) => {
                let new = Held::new(old.pass.token.clone(), period, renewable);
                // At the end of its longest life it gets no further.
                let further = match (old.expires, new.expires) {
                    (Some(old), Some(new)) => new.saturating_duration_since(old) > GAIN,
                    (_, None) => true,
                    (None, Some(_)) => false,
                };
                if further {
                    self.standing().held = Some(new);
                }
                further
            }
            // There is no time for another try.
            Err(_) if old.left().is_some_and(|left| left < PAUSE) => false,
            Err(error) => {
                tracing::warn!(%error, "the runner's token could not be renewed; trying again");
                self.put_off();
                true
            }
        }
    }

    /// What is due is tried again in a while: the sooner, the less time is left.
    fn put_off(&self) {
        if let Some(held) = &mut self.standing().held
            && let Some(left) = held.left()
        {
            held.due = Some(from_now(PAUSE.max(left / 10)));
        }
    }

    /// What is held, while its token is good.
    fn good(&self) -> Option<Held> {
        self.standing().held.clone().filter(Held::is_good)
    }

    /// Never kept while something is awaited.
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the server said to a login, once more. What is wrong on this machine is looked at anew.
fn said(error: &StoreError) -> Option<StoreError> {
    match error {
        StoreError::Unavailable(whom, why) => {
            Some(StoreError::Unavailable(whom.clone(), why.clone()))
        }
        StoreError::Login(whom, why) => Some(StoreError::Login(whom.clone(), why.clone())),
        StoreError::BadAnswer(whom, why) => Some(StoreError::BadAnswer(whom.clone(), why.clone())),
        _ => None,
    }
}

/// Renews what this login gave, and at last replaces it, while it is what is held and there is someone
/// to hold it. One whose time is over is replaced when something is asked.
async fn keep_alive(session: Weak<Session>, login: u64) {
    let held = |session: &Session| {
        let standing = session.standing();
        let held = standing.held.clone();
        held.filter(|held| standing.logins == login && held.is_good())
    };
    loop {
        let due = session.upgrade().and_then(|session| held(&session)?.due);
        let Some(due) = due else { return };
        sleep_until(due).await;
        let Some(session) = session.upgrade() else {
            return;
        };
        let _turn = session.turn.lock().await;
        // Someone who asked may just have done it.
        match held(&session) {
            Some(held) if held.is_due() => session.prolong(&held).await,
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
