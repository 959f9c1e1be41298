//! The `gcp` kind: Google Cloud Secret Manager, as a service account by its key or as the machine
//! that the runner is on.

mod identity;
mod key;
mod machine;

use std::borrow::Cow;
use std::path::Path;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, StatusCode};
use serde::Deserialize;
use url::Url;
use wharf_policy::GcpConfig;

use self::identity::Identity;
use crate::http::{Answer, client, send};
use crate::open::Unusable;
use crate::within::within;
use crate::{Document, Place, SecretStore, SecretValue, StoreError, address};

const WHOM: &str = "GCP Secret Manager";
const ENDPOINT: &str = "https://secretmanager.googleapis.com";

/// Secret Manager, with one project for names that do not say theirs.
pub(crate) struct GcpStore {
    config: GcpConfig,
    endpoint: Url,
    client: Client,
    identity: Identity,
}

/// What is in a version of a secret.
#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    /// In base64. Without it, it is empty.
    #[serde(borrow, default)]
    data: Cow<'a, str>,
}

/// What Google says when it gives none.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: Reason,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Reason {
    status: String,
}

impl GcpStore {
    /// Looks at the table; nothing is asked for yet.
    pub(crate) fn open(config: &GcpConfig, folder: &Path) -> Result<Self, Unusable> {
        let endpoint = config.endpoint.as_deref().unwrap_or(ENDPOINT);
        let endpoint = address::parse(endpoint, config.plain_http)?;
        Ok(Self {
            client: client(&endpoint, None, config.timeout.duration())?,
            endpoint,
            config: config.clone(),
            identity: Identity::open(config, folder)?,
        })
    }

    fn url(&self, place: &Place) -> Result<Url, StoreError> {
        let version = place.version.as_deref().unwrap_or("latest");
        let mut url = self.endpoint.clone();
        let mut path = url
            .path_segments_mut()
            .map_err(|()| refused("its address has no path"))?;
        path.pop_if_empty().push("v1");
        match place.path.starts_with("projects/") {
            true => path.extend(place.path.split('/')),
            false => path.extend(["projects", &self.config.project, "secrets", &place.path]),
        };
        path.extend(["versions", &format!("{version}:access")]);
        drop(path);
        Ok(url)
    }

    async fn send(&self, place: &Place, pass: HeaderValue) -> Result<Answer, StoreError> {
        let request = self.client.get(self.url(place)?);
        send(request.header(AUTHORIZATION, pass), WHOM).await
    }

    async fn ask(&self, place: &Place) -> Result<Document, StoreError> {
        let pass = self.identity.pass().await?;
        let mut answer = self.send(place, pass.clone()).await?;
        // A token that is not taken any more is replaced once.
        if answer.status == StatusCode::UNAUTHORIZED
            && let Some(pass) = self.identity.another(&pass).await?
        {
            answer = self.send(place, pass).await?;
        }
        if !answer.status.is_success() {
            return Err(trouble(&answer, place));
        }
        let unusable = || StoreError::BadAnswer(WHOM.to_owned(), "it is no secret".to_owned());
        let version: Version<'_> = serde_json::from_slice(&answer.body).map_err(|_| unusable())?;
        let payload = version
            .payload
            .ok_or_else(|| StoreError::Absent(place.to_string()))?;
        let data = STANDARD.decode(payload.data.as_bytes());
        Ok(Document::text(SecretValue::new(
            data.map_err(|_| unusable())?,
        )))
    }
}

fn refused(why: &str) -> StoreError {
    StoreError::Login(WHOM.to_owned(), why.to_owned())
}

#[async_trait]
impl SecretStore for GcpStore {
    fn check(&self, place: &Place) -> Result<(), StoreError> {
        let segments: Vec<_> = place.path.split('/').collect();
        let named = |part: &str| !matches!(part, "" | "." | "..");
        match segments[..] {
            [name] if named(name) => Ok(()),
            ["projects", project, "secrets", name] if named(project) && named(name) => Ok(()),
            ["projects", project, "locations", location, "secrets", name]
                if named(project) && named(location) && named(name) =>
            {
                Ok(())
            }
            _ => Err(StoreError::BadPlace {
                place: place.to_string(),
                why: "write NAME, projects/PROJECT/secrets/NAME or projects/PROJECT/locations/LOCATION/secrets/NAME",
            }),
        }
    }

    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        within(self.config.timeout, WHOM, self.ask(place)).await
    }
}

/// Sorts out what Google means. What it says in words is not repeated.
fn trouble(answer: &Answer, place: &Place) -> StoreError {
    match answer.status.as_u16() {
        404 => StoreError::Absent(place.to_string()),
        401 => refused("its token is not taken"),
        403 => StoreError::Denied(
            place.to_string(),
            "give its identity the role roles/secretmanager.secretAccessor on it".to_owned(),
        ),
        // A version that is disabled or destroyed.
        400 if status(answer) == "FAILED_PRECONDITION" => StoreError::Absent(place.to_string()),
        other => StoreError::BadAnswer(WHOM.to_owned(), format!("HTTP {other}")),
    }
}

/// The code of Google's errors, which is their interface.
fn status(answer: &Answer) -> String {
    let refusal: Refusal = serde_json::from_slice(&answer.body).unwrap_or_default();
    refusal.error.status
}
