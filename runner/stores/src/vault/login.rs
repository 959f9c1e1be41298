//! How a token is come by: it is there, or a method's `login` gives one.

use std::path::Path;

use serde_json::{Value, json};
use wharf_policy::VaultLogin;

use super::answer::Secret;
use super::api::{Api, Ask, Reply, Token};
use super::session::Held;
use crate::credential::Credential;
use crate::file::Readers;
use crate::open::Unusable;
use crate::{SecretValue, StoreError};

/// How a token is come by.
pub(super) enum Login {
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

impl Login {
    pub(super) fn open(login: &VaultLogin, folder: &Path) -> Result<Self, Unusable> {
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
            Ok(Self::Method {
                mount,
                names,
                public: public.to_owned(),
                secret,
            })
        };
        let private = |reference| Credential::find(reference, folder, Readers::Owner);
        // Platforms put these into the container where anyone in it may read them.
        let issued = |reference| Credential::find(reference, folder, Readers::Anyone);
        match login {
            VaultLogin::Token(token) => Ok(Self::Token(private(token)?)),
            VaultLogin::AppRole {
                role_id,
                secret_id,
                mount,
            } => method(
                mount,
                ("role_id", "secret_id"),
                role_id,
                private(secret_id)?,
            ),
            VaultLogin::Jwt { role, token, mount }
            | VaultLogin::Kubernetes { role, token, mount } => {
                method(mount, ("role", "jwt"), role, issued(token)?)
            }
        }
    }

    /// Gets a token.
    pub(super) async fn token(&self, api: &Api) -> Result<Held, StoreError> {
        match self {
            Self::Token(credential) => {
                let token = header(api, &credential.read().await?)?;
                let look = Ask::read(&["auth", "token", "lookup-self"]);
                match api.ask(&look, Some(&token)).await? {
                    Reply::Answer(body) => {
                        let secret = Secret::parse(api.whom(), &body)?;
                        let (period, renewable) = secret.looked_up(api.whom())?;
                        Ok(Held::new(token, period, renewable))
                    }
                    // One that may not look at itself may still read; if not, that will be told.
                    Reply::Forbidden => Ok(Held::unknown(token)),
                    Reply::Absent | Reply::Refused(_) => Err(refused(api, "it is no token")),
                }
            }
            Self::Method {
                mount,
                names,
                public,
                secret,
            } => {
                let secret = secret.read().await?;
                let Ok(text) = std::str::from_utf8(secret.expose()) else {
                    return Err(refused(api, "what it is to log in with is not text"));
                };
                let body = Parameters(json!({ names.0: public, names.1: text }));
                let path: Vec<&str> = ["auth"]
                    .into_iter()
                    .chain(mount.iter().map(String::as_str))
                    .chain(["login"])
                    .collect();
                match api.ask(&Ask::write(&path, &body.0), None).await? {
                    Reply::Answer(body) => {
                        let granted = Secret::parse(api.whom(), &body)?.granted(api.whom())?;
                        let token = header(api, &granted.token)?;
                        Ok(Held::new(token, granted.period, granted.renewable))
                    }
                    Reply::Absent => Err(refused(api, "no such method is mounted there")),
                    Reply::Forbidden | Reply::Refused(_) => Err(refused(
                        api,
                        "check the role, what it logs in with, and where the method is mounted",
                    )),
                }
            }
        }
    }
}

fn header(api: &Api, token: &SecretValue) -> Result<Token, StoreError> {
    Token::new(token).map_err(|_| refused(api, "the token has characters that none has"))
}

fn refused(api: &Api, why: &str) -> StoreError {
    StoreError::Login(api.whom().to_owned(), why.to_owned())
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
