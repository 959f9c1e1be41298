//! The `gcp` kind: Google Cloud Secret Manager, as a service account by its key or as the machine
//! that the runner is on.

use std::path::Path;

use async_trait::async_trait;
use google_cloud_auth::credentials::{Credentials, mds, service_account};
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_secretmanager_v1::client::SecretManagerService;
use tokio::sync::OnceCell;
use wharf_policy::GcpConfig;

use crate::credential::Credential;
use crate::file::Readers;
use crate::open::Unusable;
use crate::within::within;
use crate::{Document, Place, SecretStore, SecretValue, StoreError, address};

const WHOM: &str = "GCP Secret Manager";

/// Secret Manager, with one project for names that do not say theirs.
pub(crate) struct GcpStore {
    config: GcpConfig,
    key: Option<Credential>,
    client: OnceCell<SecretManagerService>,
}

impl GcpStore {
    /// Looks at the table; nothing is asked for yet.
    pub(crate) fn open(config: &GcpConfig, folder: &Path) -> Result<Self, Unusable> {
        for address in config.endpoint.iter().chain(&config.metadata) {
            address::parse(address, config.plain_http)?;
        }
        let key = config.key.as_ref();
        let key = key.map(|key| Credential::find(key, folder, Readers::Owner));
        Ok(Self {
            config: config.clone(),
            key: key.transpose()?,
            client: OnceCell::new(),
        })
    }

    async fn credentials(&self) -> Result<Credentials, StoreError> {
        let refused = |why: &str| StoreError::Login(WHOM.to_owned(), why.to_owned());
        match &self.key {
            Some(key) => {
                let key = key.read().await?;
                let key = serde_json::from_slice(key.expose())
                    .map_err(|_| refused("the key is not JSON"))?;
                service_account::Builder::new(key)
                    .build()
                    .map_err(|_| refused("the key is not that of a service account"))
            }
            None => {
                let mut machine = mds::Builder::default();
                if let Some(address) = &self.config.metadata {
                    machine = machine.with_endpoint(address);
                }
                machine
                    .build()
                    .map_err(|_| refused("this machine has no identity"))
            }
        }
    }

    async fn client(&self) -> Result<&SecretManagerService, StoreError> {
        let make = async || {
            let mut builder = SecretManagerService::builder()
                .with_credentials(self.credentials().await?)
                // Whoever asked may ask again; here it would only take longer.
                .with_retry_policy(NeverRetry)
                .with_attempt_timeout(self.config.timeout.duration());
            if let Some(endpoint) = &self.config.endpoint {
                builder = builder.with_endpoint(endpoint);
            }
            builder.build().await.map_err(|_| {
                StoreError::Unavailable(WHOM.to_owned(), "its client cannot be made".to_owned())
            })
        };
        self.client.get_or_try_init(make).await
    }

    async fn ask(&self, place: &Place) -> Result<Document, StoreError> {
        let secret = match place.path.starts_with("projects/") {
            true => place.path.clone(),
            false => format!("projects/{}/secrets/{}", self.config.project, place.path),
        };
        let version = place.version.as_deref().unwrap_or("latest");
        let request = self
            .client()
            .await?
            .access_secret_version()
            .set_name(format!("{secret}/versions/{version}"));
        let answer = request
            .send()
            .await
            .map_err(|error| trouble(&error, place))?;
        let payload = answer
            .payload
            .ok_or_else(|| StoreError::Absent(place.to_string()))?;
        Ok(Document::text(SecretValue::new(payload.data.into())))
    }
}

#[async_trait]
impl SecretStore for GcpStore {
    fn check(&self, place: &Place) -> Result<(), StoreError> {
        let segments: Vec<_> = place.path.split('/').collect();
        let named = |part: &str| !matches!(part, "" | "." | "..");
        match segments[..] {
            [name] if named(name) => Ok(()),
            ["projects", project, "secrets", name] if named(project) && named(name) => Ok(()),
            _ => Err(StoreError::BadPlace {
                place: place.to_string(),
                why: "write NAME or projects/PROJECT/secrets/NAME",
            }),
        }
    }

    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        within(self.config.timeout, WHOM, self.ask(place)).await
    }
}

/// Sorts out what Google means. What it says in words is not repeated.
fn trouble(error: &Error, place: &Place) -> StoreError {
    let outage = |why: &str| StoreError::Unavailable(WHOM.to_owned(), why.to_owned());
    if error.is_timeout() {
        return outage("no answer in time");
    }
    if error.is_authentication() {
        return match error_is_passing(error) {
            true => outage("no token is to be had for it now"),
            false => StoreError::Login(WHOM.to_owned(), "no token is to be had for it".to_owned()),
        };
    }
    match error.http_status_code() {
        Some(404) => StoreError::Absent(place.to_string()),
        Some(401) => StoreError::Login(WHOM.to_owned(), "its token is not taken".to_owned()),
        Some(403) => StoreError::Denied(
            place.to_string(),
            "give its identity the role roles/secretmanager.secretAccessor on it".to_owned(),
        ),
        // A version that is disabled or destroyed.
        Some(400) if is_failed_precondition(error) => StoreError::Absent(place.to_string()),
        Some(429) => outage("HTTP 429"),
        Some(status) if status >= 500 => outage("HTTP 5xx"),
        Some(status) => StoreError::BadAnswer(WHOM.to_owned(), format!("HTTP {status}")),
        None => outage("it cannot be reached"),
    }
}

fn is_failed_precondition(error: &Error) -> bool {
    use google_cloud_gax::error::rpc::Code;
    error
        .status()
        .is_some_and(|status| status.code == Code::FailedPrecondition)
}

/// Whether the one who gives tokens does not answer now, rather than refusing.
fn error_is_passing(error: &Error) -> bool {
    use std::error::Error as _;
    error
        .source()
        .and_then(|source| source.downcast_ref::<google_cloud_auth::errors::CredentialsError>())
        .is_some_and(google_cloud_auth::errors::CredentialsError::is_transient)
}
