//! Being let in: keeping a token alive, getting a new one in time.
//!
//! What a server lends hangs on the token that asked for it and ends with it. So a token that can
//! be renewed is renewed in the background for as long as the runner lives, whether or not
//! anything is asked. While a token is good nobody waits for another: it is renewed or replaced
//! beside, however slowly the server does that.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep_until};
use wharf_policy::VaultLogin;

use super::answer::{Granted, Secret};
use super::api::{Api, Ask, Reply, Token};
use super::login::Login;
use crate::StoreError;
use crate::open::Unusable;
use crate::period::from_now;

/// Between two tries to renew.
const PAUSE: Duration = Duration::from_secs(2);
/// For how long a server that did not answer a login is not asked for another.
const OUTAGE: Duration = Duration::from_secs(1);
/// A renewal that gains less than this gains nothing: times are given in whole seconds.
const GAIN: Duration = Duration::from_millis(500);

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
    /// When the server last did not answer a login, and why. Those who waited for that login are
    /// told the same, and do not each wait as long again.
    down: Option<(Instant, String)>,
}

/// A token that was good when it was last looked at.
#[derive(Clone)]
pub(super) struct Pass {
    pub(super) token: Token,
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
        Self {
            pass: Pass { token },
            expires: period.map(from_now),
            // With a third of its time left, so that one failure is not the end of it.
            due: period.map(|period| from_now(period - period / 3)),
            renewable,
        }
    }

    fn is_good(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
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
        Ok(!fresh.token.is(&refused.token))
    }

    /// Gives up the token, and whatever still hangs on it. One that someone made is left alone.
    pub(super) async fn end(&self) {
        let _turn = self.turn.lock().await;
        let Some(held) = self.standing().held.take() else {
            return;
        };
        if let Login::Method { .. } = self.login {
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
            let Some(old) = this.good().filter(Held::is_due) else {
                return;
            };
            if this.renew(&old).await {
                return;
            }
            if let Err(error) = this.enter().await {
                tracing::warn!(%error, "the runner's token runs out and there is no other yet; trying again");
                this.put_off();
            }
        });
    }

    /// Logs in. For who has the turn.
    async fn enter(self: &Arc<Self>) -> Result<Pass, StoreError> {
        if let Some((when, why)) = &self.standing().down
            && when.elapsed() < OUTAGE
        {
            let whom = self.api.whom().to_owned();
            return Err(StoreError::Unavailable(whom, why.clone()));
        }
        let new = self.login.token(&self.api).await;
        let mut standing = self.standing();
        match new {
            Ok(new) => {
                let pass = new.pass.clone();
                if new.renewable && new.due.is_some() {
                    tokio::spawn(keep_alive(Arc::downgrade(self), pass.token.clone()));
                }
                (standing.held, standing.down) = (Some(new), None);
                Ok(pass)
            }
            Err(error) => {
                if let StoreError::Unavailable(_, why) = &error {
                    standing.down = Some((Instant::now(), why.clone()));
                }
                Err(error)
            }
        }
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
            Err(error) => {
                tracing::warn!(%error, "the runner's token could not be renewed; trying again");
                self.put_off();
                true
            }
        }
    }

    /// What is due is tried again in a while.
    fn put_off(&self) {
        if let Some(held) = &mut self.standing().held {
            held.due = Some(from_now(PAUSE));
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

/// Renews a token while it is the one that is held and there is someone to hold it.
async fn keep_alive(session: Weak<Session>, token: Token) {
    let held = |session: &Session| {
        let held = session.standing().held.clone();
        held.filter(|held| held.pass.token.is(&token))
    };
    loop {
        let due = {
            let Some(session) = session.upgrade() else {
                return;
            };
            match held(&session) {
                Some(held) if held.renewable => held.due,
                _ => return,
            }
        };
        let Some(due) = due else { return };
        sleep_until(due).await;
        let Some(session) = session.upgrade() else {
            return;
        };
        let _turn = session.turn.lock().await;
        // Someone who asked may just have done it.
        match held(&session) {
            Some(held) if held.is_due() && !session.renew(&held).await => return,
            Some(_) => {}
            None => return,
        }
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
