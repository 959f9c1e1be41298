//! The `vault` kind: HashiCorp Vault and OpenBao.
//!
//! Key/value engines of both versions are read as documents; any other engine is read as it is,
//! and what it lends is renewed and revoked. What a server says about an error is never repeated:
//! an engine may quote its own configuration there.

mod answer;
mod api;
mod login;
mod mounts;
mod session;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use wharf_policy::{VaultConfig, VaultEngine};

use self::answer::Secret;
use self::api::{Api, Ask, Reply};
use self::mounts::{Mount, Mounts};
use self::session::Session;
use crate::open::Unusable;
use crate::{Document, Lease, Lifetime, Place, SecretStore, StoreError, Trouble};

/// A Vault or OpenBao server.
pub(crate) struct VaultStore {
    api: Arc<Api>,
    session: Arc<Session>,
    mounts: Mounts,
}

impl VaultStore {
    /// Gets everything ready that can be without asking the server.
    pub(crate) fn open(config: &VaultConfig, folder: &Path) -> Result<Self, Unusable> {
        let api = Arc::new(Api::open(config, folder)?);
        Ok(Self {
            session: Arc::new(Session::open(Arc::clone(&api), &config.login, folder)?),
            mounts: Mounts::new(&config.mounts)?,
            api,
        })
    }

    /// Asks with this runner's token. A token that is not taken any more is replaced once.
    async fn ask(&self, ask: Ask<'_>) -> Result<Reply, StoreError> {
        let mut pass = self.session.pass().await?;
        let mut reply = self.api.ask(&ask, Some(&pass.token)).await?;
        if matches!(reply, Reply::Forbidden) {
            let again = self.session.replace(&pass).await?;
            pass = self.session.pass().await?;
            if again {
                reply = self.api.ask(&ask, Some(&pass.token)).await?;
            }
        }
        match reply {
            // It may not even look at itself.
            Reply::Forbidden if !pass.is_taken() => Err(StoreError::Login(
                self.api.whom().to_owned(),
                "its token is not taken, or may do nothing".to_owned(),
            )),
            Reply::Answer(_) if !pass.is_taken() => {
                self.session.took(&pass);
                Ok(reply)
            }
            reply => Ok(reply),
        }
    }

    async fn mount(&self, path: &str) -> Result<Mount, StoreError> {
        if let Some(mount) = self.mounts.known(path) {
            return Ok(mount);
        }
        let segments: Vec<&str> = ["sys", "internal", "ui", "mounts"]
            .into_iter()
            .chain(path.split('/'))
            .collect();
        match self.ask(Ask::read(&segments)).await? {
            Reply::Answer(body) => self.mounts.learn(self.api.whom(), path, &body),
            Reply::Forbidden | Reply::Absent => {
                let first = path.split('/').next().unwrap_or(path);
                Err(StoreError::Denied(
                    path.to_owned(),
                    format!(
                        "it may not even ask what is mounted there: let its policy read the path, and if that is not enough say it in the table, such as mounts = {{ {first} = \"kv-v2\" }}"
                    ),
                ))
            }
            Reply::Refused(status) => Err(self.unexpected(status)),
        }
    }

    /// Has a lease revoked, and waits until that is done if it is to be in one go.
    async fn revoke_lease(&self, lease: &Lease, sync: bool) -> Result<(), StoreError> {
        let body = json!({ "lease_id": lease.id, "sync": sync });
        let ask = Ask::write(&["sys", "leases", "revoke"], &body);
        match self.ask(ask).await? {
            Reply::Answer(_) | Reply::Absent => Ok(()),
            Reply::Forbidden => Err(StoreError::Denied(
                "sys/leases/revoke".to_owned(),
                "give its policy `update` there".to_owned(),
            )),
            // This is also how it says that an engine cannot reach what it lends from.
            Reply::Refused(status) => Err(StoreError::Unavailable(
                self.api.whom().to_owned(),
                format!("HTTP {status} to a revocation"),
            )),
        }
    }

    fn unexpected(&self, status: u16) -> StoreError {
        StoreError::BadAnswer(self.api.whom().to_owned(), format!("HTTP {status}"))
    }
}

#[async_trait]
impl SecretStore for VaultStore {
    fn check(&self, place: &Place) -> Result<(), StoreError> {
        let bad = |why| {
            Err(StoreError::BadPlace {
                place: place.to_string(),
                why,
            })
        };
        let mut segments = place.path.split('/');
        if segments.clone().count() < 2 {
            return bad("write the mount and the path below it, such as kv/prod/github");
        }
        if segments.any(|segment| matches!(segment, "" | "." | "..")) {
            return bad("every part between two `/` has to be a name");
        }
        match &place.version {
            Some(version) if version.parse::<u32>().is_err() => bad("its versions are numbers"),
            _ => Ok(()),
        }
    }

    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        self.check(place)?;
        let mount = self.mount(&place.path).await?;
        let reply = match (mount.engine, &place.version) {
            (VaultEngine::KvV2, version) => {
                let segments = mount.below("data", &place.path);
                let version = version.as_deref().map(|version| ("version", version));
                self.ask(Ask::read(&segments).with(version)).await?
            }
            (VaultEngine::KvV1 | VaultEngine::Other, Some(_)) => {
                return Err(StoreError::BadPlace {
                    place: place.to_string(),
                    why: "this engine keeps no versions: write the reference without `?version=`",
                });
            }
            (VaultEngine::KvV1 | VaultEngine::Other, None) => {
                let segments: Vec<&str> = place.path.split('/').collect();
                self.ask(Ask::read(&segments)).await?
            }
        };
        match reply {
            Reply::Answer(body) => {
                let secret = Secret::parse(self.api.whom(), &body)?;
                let fields = match mount.engine {
                    VaultEngine::KvV2 => secret.inner_fields(self.api.whom(), place),
                    VaultEngine::KvV1 | VaultEngine::Other => secret.fields(self.api.whom(), place),
                };
                match secret.lifetime(self.api.whom())? {
                    // Lent is lent, whether or not it can be used: it is to be given back.
                    Lifetime::Leased(lease) => Ok(fields
                        .map_or_else(Document::unusable, Document::fields)
                        .lent(lease)),
                    Lifetime::Static => fields.map(Document::fields),
                }
            }
            Reply::Absent => {
                // Perhaps something else is mounted there by now.
                self.mounts.forget(&mount);
                Err(StoreError::Absent(place.to_string()))
            }
            Reply::Forbidden => Err(StoreError::Denied(
                place.to_string(),
                "the policies of its login do not allow it".to_owned(),
            )),
            Reply::Refused(status) => Err(self.unexpected(status)),
        }
    }

    async fn renew(&self, lease: &Lease) -> Result<Duration, StoreError> {
        let body = json!({ "lease_id": lease.id });
        match self
            .ask(Ask::write(&["sys", "leases", "renew"], &body))
            .await?
        {
            Reply::Answer(body) => {
                let whom = self.api.whom();
                match Secret::parse(whom, &body)?.lifetime(whom)? {
                    Lifetime::Leased(lease) => Ok(lease.period),
                    Lifetime::Static => Err(StoreError::Absent("the lease".to_owned())),
                }
            }
            Reply::Forbidden => Err(StoreError::Denied(
                "sys/leases/renew".to_owned(),
                "give its policy `update` there".to_owned(),
            )),
            Reply::Absent | Reply::Refused(_) => Err(StoreError::Absent("the lease".to_owned())),
        }
    }

    async fn revoke(&self, lease: &Lease) -> Result<(), StoreError> {
        // In one go: an answer then means that what was lent is gone.
        match self.revoke_lease(lease, true).await {
            // Its engine could not do it now, or not in time. So it ends the lease and does the rest
            // by itself, again and again.
            Err(error) if error.trouble() == Trouble::Outage => {
                self.revoke_lease(lease, false).await
            }
            done => done,
        }
    }

    async fn leave(&self) {
        self.session.end().await;
    }
}
