//! Being let in: logging in, keeping the token alive, getting a new one in time.
//!
//! What a server lends hangs on the token that asked for it and ends with it. So a token that can
//! be renewed is renewed in the background for as long as the runner lives, whether or not
//! anything is asked.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};
use wharf_policy::VaultLogin;

use super::answer::{Granted, Secret};
use super::api::{Api, Ask, Reply, Token};
use crate::credential::Credential;
use crate::file::Readers;
use crate::open::Unusable;
use crate::{SecretValue, StoreError};

/// Between two tries to renew.
const PAUSE: Duration = Duration::from_secs(2);
/// For how long a server that did not answer a login is not asked for another.
const OUTAGE: Duration = Duration::from_secs(1);
/// A renewal that gains less than this gains nothing: times are given in whole seconds.
const GAIN: Duration = Duration::from_millis(500);

/// How a token is come by.
enum Login {
    /// It is there.
    Token(Credential),
    /// A method's `login` gives one for these.
    Method {
        mount: Vec<String>,
        /// The names of the public and of the secret parameter.
        names: (&'static str, &'static str),
        public: String,
        secret: Credential,
    },
}

/// This runner's standing with a server.
pub(super) struct Session {
    api: Arc<Api>,
    login: Login,
    standing: Mutex<Standing>,
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

struct Held {
    pass: Pass,
    /// When it ends, if it does.
    expires: Option<Instant>,
    /// When it should be renewed or replaced.
    due: Option<Instant>,
    renewable: bool,
}

impl Held {
    fn new(token: Token, period: Option<Duration>, renewable: bool) -> Self {
        let now = Instant::now();
        Self {
            pass: Pass { token },
            expires: period.map(|period| now + period),
            // With a third of its time left, so that one failure is not the end of it.
            due: period.map(|period| now + (period - period / 3)),
            renewable,
        }
    }
}

impl Session {
    pub(super) fn open(api: Arc<Api>, login: &VaultLogin, folder: &Path) -> Result<Self, Unusable> {
        let method = |mount: &str, names, public: &str, secret| {
            let mount: Vec<_> = mount
                .trim_matches('/')
                .split('/')
                .map(str::to_owned)
                .collect();
            if mount
                .iter()
                .any(|part| matches!(part.as_str(), "" | "." | ".."))
            {
                return Err(Unusable::Table("the login's `mount` is no path".to_owned()));
            }
            Ok(Login::Method {
                mount,
                names,
                public: public.to_owned(),
                secret,
            })
        };
        let private = |reference| Credential::find(reference, folder, Readers::Owner);
        // Platforms put these into the container where anyone in it may read them.
        let issued = |reference| Credential::find(reference, folder, Readers::Anyone);
        let login = match login {
            VaultLogin::Token(token) => Login::Token(private(token)?),
            VaultLogin::AppRole {
                role_id,
                secret_id,
                mount,
            } => method(
                mount,
                ("role_id", "secret_id"),
                role_id,
                private(secret_id)?,
            )?,
            VaultLogin::Jwt { role, token, mount }
            | VaultLogin::Kubernetes { role, token, mount } => {
                method(mount, ("role", "jwt"), role, issued(token)?)?
            }
        };
        Ok(Self {
            api,
            login,
            standing: Mutex::default(),
        })
    }

    /// A token that is good as far as can be known. Many who need one wait for the same login.
    pub(super) async fn pass(self: &Arc<Self>) -> Result<Pass, StoreError> {
        let mut standing = self.standing.lock().await;
        let Standing { held, down } = &mut *standing;
        let now = Instant::now();
        if let Some(old) = held {
            let expired = old.expires.is_some_and(|expires| expires <= now);
            if !expired && old.due.is_none_or(|due| now < due) {
                return Ok(old.pass.clone());
            }
            if !expired && self.renew(old).await {
                return Ok(old.pass.clone());
            }
        }
        if let Some((when, why)) = down
            && when.elapsed() < OUTAGE
        {
            return Err(StoreError::Unavailable(
                self.api.whom().to_owned(),
                why.clone(),
            ));
        }
        let error = match self.log_in().await {
            Ok(new) => {
                let pass = new.pass.clone();
                if new.renewable && new.due.is_some() {
                    tokio::spawn(keep_alive(Arc::downgrade(self), pass.token.clone()));
                }
                (*held, *down) = (Some(new), None);
                return Ok(pass);
            }
            Err(error) => error,
        };
        match (&error, held) {
            // The old one still holds for a while.
            (StoreError::Unavailable(..), Some(old))
                if old.expires.is_some_and(|expires| Instant::now() < expires) =>
            {
                old.due = Some(Instant::now() + PAUSE);
                Ok(old.pass.clone())
            }
            (StoreError::Unavailable(_, why), _) => {
                *down = Some((Instant::now(), why.clone()));
                Err(error)
            }
            _ => Err(error),
        }
    }

    /// After a refusal: whether there is another token to try with. None if this one is good, and
    /// so it is the right that is missing.
    pub(super) async fn replace(self: &Arc<Self>, refused: &Pass) -> Result<bool, StoreError> {
        {
            let mut standing = self.standing.lock().await;
            match &standing.held {
                Some(now) if !now.pass.token.is(&refused.token) => return Ok(true),
                _ => {}
            }
            let look = Ask::read(&["auth", "token", "lookup-self"]);
            match self.api.ask(&look, Some(&refused.token)).await? {
                Reply::Forbidden => standing.held = None,
                _ => return Ok(false),
            }
        }
        let fresh = self.pass().await?;
        Ok(!fresh.token.is(&refused.token))
    }

    /// Gives up the token, and whatever still hangs on it. One that someone made is left alone.
    pub(super) async fn end(&self) {
        let Some(held) = self.standing.lock().await.held.take() else {
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

    /// Renews a token where that gets it any further. `false`: it has to be replaced.
    async fn renew(&self, old: &mut Held) -> bool {
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
                    (Some(old), Some(new)) => new > old + GAIN,
                    (_, None) => true,
                    (None, Some(_)) => false,
                };
                if further {
                    *old = new;
                }
                further
            }
            Err(error) => {
                tracing::warn!(%error, "the runner's token could not be renewed; trying again");
                old.due = Some(Instant::now() + PAUSE);
                true
            }
        }
    }

    async fn log_in(&self) -> Result<Held, StoreError> {
        let whom = self.api.whom();
        match &self.login {
            Login::Token(credential) => {
                let token = self.header(&credential.read().await?)?;
                let look = Ask::read(&["auth", "token", "lookup-self"]);
                match self.api.ask(&look, Some(&token)).await? {
                    Reply::Answer(body) => {
                        let (period, renewable) = Secret::parse(whom, &body)?.looked_up(whom)?;
                        Ok(Held::new(token, period, renewable))
                    }
                    // One that may not look at itself may still read; if not, that will be told.
                    Reply::Forbidden => Ok(Held::new(token, None, false)),
                    Reply::Absent | Reply::Refused(_) => Err(self.refused("it is no token")),
                }
            }
            Login::Method {
                mount,
                names,
                public,
                secret,
            } => {
                let secret = secret.read().await?;
                let Ok(text) = std::str::from_utf8(secret.expose()) else {
                    return Err(self.refused("what it is to log in with is not text"));
                };
                let body = Parameters(json!({ names.0: public, names.1: text }));
                let path: Vec<&str> = ["auth"]
                    .into_iter()
                    .chain(mount.iter().map(String::as_str))
                    .chain(["login"])
                    .collect();
                match self.api.ask(&Ask::write(&path, &body.0), None).await? {
                    Reply::Answer(body) => {
                        let granted = Secret::parse(whom, &body)?.granted(whom)?;
                        let token = self.header(&granted.token)?;
                        Ok(Held::new(token, granted.period, granted.renewable))
                    }
                    Reply::Absent => Err(self.refused("no such method is mounted there")),
                    Reply::Forbidden | Reply::Refused(_) => Err(self.refused(
                        "check the role, what it logs in with, and where the method is mounted",
                    )),
                }
            }
        }
    }

    fn header(&self, token: &SecretValue) -> Result<Token, StoreError> {
        Token::new(token).map_err(|_| self.refused("the token has characters that none has"))
    }

    fn refused(&self, why: &str) -> StoreError {
        StoreError::Login(self.api.whom().to_owned(), why.to_owned())
    }
}

/// The parameters of a login. The secret among them is wiped when they are dropped.
struct Parameters(Value);

impl Drop for Parameters {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        if let Value::Object(members) = &mut self.0 {
            for value in members.values_mut() {
                if let Value::String(text) = value {
                    text.zeroize();
                }
            }
        }
    }
}

/// Renews a token while it is the one that is held and there is someone to hold it.
async fn keep_alive(session: Weak<Session>, token: Token) {
    loop {
        let due = {
            let Some(session) = session.upgrade() else {
                return;
            };
            let standing = session.standing.lock().await;
            match &standing.held {
                Some(held) if held.pass.token.is(&token) && held.renewable => held.due,
                _ => return,
            }
        };
        let Some(due) = due else { return };
        sleep_until(due).await;
        let Some(session) = session.upgrade() else {
            return;
        };
        let mut standing = session.standing.lock().await;
        match &mut standing.held {
            Some(held) if held.pass.token.is(&token) => {
                // Someone who asked may just have done it.
                let still_due = held.due.is_some_and(|due| due <= Instant::now());
                if still_due && !session.renew(held).await {
                    return;
                }
            }
            _ => return,
        }
    }
}
