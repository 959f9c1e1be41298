//! Being somebody: from a challenge to what is sent with the next request.
//!
//! Credentials are looked for only when a registry asks for them, and leave this module only as a
//! header for the registry itself, or for a token service of its own domain.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{RequestBuilder, Url};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::answer;
use super::challenge::Challenge;
use super::client::{Again, send};
use super::credentials::{Credentials, SecretText};
use super::docker_config::{DockerConfig, MAX_CONFIG, Source};
use super::origin::{may_ask, may_know, origin};
use super::{Access, RegistryError, Silent, helper};
use crate::read_file;

/// The most that a token service may answer, in bytes.
const MAX_TOKEN: u64 = 256 << 10;
const PATIENCE: Duration = Duration::from_secs(30);

/// What is known about who asks.
pub(super) struct Auth {
    registry: String,
    base: Url,
    scope: String,
    docker_config: Option<PathBuf>,
    credentials: OnceCell<Option<Credentials>>,
    header: Mutex<Option<HeaderValue>>,
}

impl Auth {
    pub(super) fn new(
        registry: String,
        base: Url,
        repository: &str,
        access: Access,
        docker_config: Option<PathBuf>,
    ) -> Self {
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
        };
        Self {
            registry,
            base,
            scope: format!("repository:{repository}:{actions}"),
            docker_config,
            credentials: OnceCell::new(),
            header: Mutex::new(None),
        }
    }

    /// Adds what the registry asked for before, if it did. For requests to the registry only.
    pub(super) fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        let header = self.header.lock().ok().and_then(|header| header.clone());
        match header {
            Some(header) => request.header(AUTHORIZATION, header),
            None => request,
        }
    }

    /// Gets what a challenge asks for, and keeps it for the requests to come.
    ///
    /// # Errors
    /// There are no credentials, they are not accepted, or they would go where they must not.
    pub(super) async fn answer(
        &self,
        http: &reqwest::Client,
        headers: &HeaderMap,
    ) -> Result<(), RegistryError> {
        let challenges: Vec<Challenge> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|header| Challenge::parse(header.to_str().ok()?))
            .collect();
        let bearer = challenges
            .iter()
            .find(|challenge| **challenge != Challenge::Basic);
        let header = match bearer.or(challenges.first()) {
            Some(Challenge::Bearer { realm, service }) => {
                self.token(http, realm, service.as_deref()).await?
            }
            Some(Challenge::Basic) => match self.credentials().await? {
                Some(credentials) => self.basic(credentials)?,
                None => return Err(self.no_credentials()),
            },
            None => {
                return Err(self.not_allowed("it does not say in a known way what it asks for"));
            }
        };
        if let Ok(mut kept) = self.header.lock() {
            *kept = Some(header);
        }
        Ok(())
    }

    /// A token of the service that the registry names.
    async fn token(
        &self,
        http: &reqwest::Client,
        realm: &str,
        service: Option<&str>,
    ) -> Result<HeaderValue, RegistryError> {
        let misleading = |why: String| RegistryError::Misleading {
            registry: self.registry.clone(),
            why,
        };
        let realm =
            Url::parse(realm).map_err(|_| misleading("its token service is no URL".to_owned()))?;
        if !may_ask(&self.base, &realm) {
            return Err(misleading(format!(
                "its token service is {}, which is not https",
                origin(&realm)
            )));
        }
        let credentials = self.credentials().await?;
        if credentials.is_some() && !may_know(&self.base, &realm) {
            return Err(misleading(format!(
                "it wants its credentials at {}, which is neither its own host nor of its own domain",
                origin(&realm)
            )));
        }
        let mut asked = realm.clone();
        let mut parameters = vec![("scope", self.scope.as_str())];
        parameters.extend(service.map(|service| ("service", service)));
        let (mut form, mut authorization) = (None, None);
        match credentials {
            Some(Credentials::Identity(token)) => {
                parameters.extend([
                    ("grant_type", "refresh_token"),
                    ("client_id", "wharf"),
                    ("refresh_token", token.expose_secret()),
                ]);
                asked.set_query(None);
                let mut encoded = Url::parse("form:").map_err(|e| misleading(e.to_string()))?;
                encoded.query_pairs_mut().extend_pairs(parameters);
                form = Some(encoded.query().unwrap_or_default().to_owned());
            }
            other => {
                asked.query_pairs_mut().extend_pairs(parameters);
                authorization = other.map(|known| self.basic(known)).transpose()?;
            }
        }
        let request = || {
            let request = match &form {
                Some(form) => http
                    .post(asked.clone())
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                    .body(form.clone()),
                None => http.get(asked.clone()),
            };
            let request = request.timeout(PATIENCE);
            match &authorization {
                Some(header) => request.header(AUTHORIZATION, header.clone()),
                None => request,
            }
        };
        let service = origin(&realm);
        let response = send(&service, request, Again::IfItMayHelp).await?;
        let response = answer::check(&service, "a token", response).await?;
        let body = answer::read(&service, response, "a token", MAX_TOKEN, &Silent).await?;
        bearer(&Zeroizing::new(body))
            .ok_or_else(|| misleading(format!("{service} answers something that is not a token")))
    }

    fn basic(&self, credentials: &Credentials) -> Result<HeaderValue, RegistryError> {
        let plain = credentials.basic().ok_or_else(|| {
            self.not_allowed("it asks for a password, and there is an identity token only")
        })?;
        let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(plain.as_bytes())));
        sensitive(&encoded).ok_or_else(|| self.not_allowed("its credentials are no text"))
    }

    /// The credentials of this registry, looked for once.
    async fn credentials(&self) -> Result<Option<&Credentials>, RegistryError> {
        let found = self
            .credentials
            .get_or_try_init(|| find(self.docker_config.as_deref(), &self.registry))
            .await?;
        Ok(found.as_ref())
    }

    fn no_credentials(&self) -> RegistryError {
        self.not_allowed(&format!(
            "it asks for credentials and there are none: `docker login {}`, or an entry in Docker's config.json",
            self.registry
        ))
    }

    fn not_allowed(&self, why: &str) -> RegistryError {
        RegistryError::NotAllowed {
            registry: self.registry.clone(),
            why: why.to_owned(),
        }
    }
}

async fn find(folder: Option<&Path>, registry: &str) -> Result<Option<Credentials>, RegistryError> {
    let Some(folder) = folder else {
        return Ok(None);
    };
    let file = folder.join("config.json");
    let bad = |why: String| RegistryError::Credentials(format!("{}: {why}", file.display()));
    let path = file.clone();
    let read =
        tokio::task::spawn_blocking(move || read_file(&path, MAX_CONFIG).map(Zeroizing::new));
    let text = match read.await.map_err(std::io::Error::other).flatten() {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(error.to_string())),
    };
    let config = DockerConfig::parse(&text).map_err(bad)?;
    match config.source(registry).map_err(bad)? {
        Source::Here(credentials) => Ok(Some(credentials)),
        Source::Helper { name, key } => helper::ask(&name, &key).await,
        Source::None => Ok(None),
    }
}

fn bearer(body: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<SecretText>,
        access_token: Option<SecretText>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    let token = answer.token.or(answer.access_token)?;
    sensitive(&Zeroizing::new(format!("Bearer {}", token.get()?)))
}

/// A header that is not shown in logs.
fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(text).ok()?;
    header.set_sensitive(true);
    Some(header)
}
