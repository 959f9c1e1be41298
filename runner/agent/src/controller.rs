//! The controller's HTTP side: bundles and payloads, with the token of the live connection.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, Method, StatusCode};
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::timeout;
use wharf_policy::{Digest, SecretName};
use wharf_stores::why_it_failed;

use crate::AgentError;
use crate::backoff::{Backoff, chance};
use crate::endpoint::Endpoint;

/// Between two parts of an answer.
const READ: Duration = Duration::from_secs(30);
/// How long a request waits for a connection to the controller.
const SESSION: Duration = Duration::from_secs(60);
/// Tries at one request, when the controller does not answer or is overloaded.
const TRIES: u32 = 4;

/// The token of the live connection, if there is one.
pub(crate) type Session = Option<Arc<str>>;

/// Why there is no answer that can be used.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum FetchError {
    /// Another time, perhaps.
    #[error("the controller cannot be reached for {what}: {reason}")]
    Unavailable {
        /// What was asked for.
        what: String,
        /// What happened.
        reason: String,
    },
    /// It has none.
    #[error("the controller has no {0}")]
    Missing(String),
    /// It says no, and will again.
    #[error("the controller refuses {what}: {reason}")]
    Rejected {
        /// What was asked for.
        what: String,
        /// What it said.
        reason: String,
    },
    /// More than it may be.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// The most that is taken.
        limit: u64,
    },
    /// Other bytes than those that were asked for.
    #[error("the controller gave other bytes than {0}")]
    Wrong(Digest),
}

/// The HTTP client of one runner.
#[derive(Clone)]
pub(crate) struct Controller {
    client: Client,
    endpoint: Endpoint,
    session: watch::Receiver<Session>,
}

impl Controller {
    /// A client that uses whatever token `session` holds at the time.
    pub(crate) fn new(
        endpoint: Endpoint,
        tls: Option<&ClientConfig>,
        session: watch::Receiver<Session>,
    ) -> Result<Self, AgentError> {
        Ok(Self {
            client: client(&endpoint, tls)?,
            endpoint,
            session,
        })
    }

    /// A component.
    pub(crate) async fn bundle(&self, digest: Digest, limit: u64) -> Result<Bytes, FetchError> {
        let path = format!("v1/bundles/{digest}");
        let bytes = self.get(&path, format!("bundle {digest}"), limit).await?;
        check(digest, bytes).await
    }

    /// The signature of a component.
    pub(crate) async fn signature(&self, digest: Digest, limit: u64) -> Result<Bytes, FetchError> {
        let path = format!("v1/bundles/{digest}/signature");
        self.get(&path, format!("signature of {digest}"), limit)
            .await
    }

    /// What is attested of a component.
    pub(crate) async fn attestations(
        &self,
        digest: Digest,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        let path = format!("v1/bundles/{digest}/attestations");
        self.get(&path, format!("attestations of {digest}"), limit)
            .await
    }

    /// A stored document.
    pub(crate) async fn payload(&self, digest: Digest, limit: u64) -> Result<Bytes, FetchError> {
        let path = format!("v1/payloads/{digest}");
        let bytes = self.get(&path, format!("payload {digest}"), limit).await?;
        check(digest, bytes).await
    }

    /// What is kept of a secret that is sealed to this runner's group.
    pub(crate) async fn sealed(&self, name: &SecretName, limit: u64) -> Result<Bytes, FetchError> {
        // Names have namespaces; a path segment has none.
        let path = format!("v1/runner/secrets/{}", name.as_str().replace('/', "%2F"));
        self.get(&path, format!("sealed secret `{name}`"), limit)
            .await
    }

    /// Stores a document.
    pub(crate) async fn store(&self, digest: Digest, body: Vec<u8>) -> Result<(), FetchError> {
        let what = format!("payload {digest}");
        let path = format!("v1/payloads/{digest}");
        self.request(Method::PUT, &path, &what, Some(body.into()), 64 << 10)
            .await
            .map(|_| ())
    }

    async fn get(&self, path: &str, what: String, limit: u64) -> Result<Bytes, FetchError> {
        self.request(Method::GET, path, &what, None, limit).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        what: &str,
        body: Option<Bytes>,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        let mut backoff = Backoff::default();
        let mut tries = 1;
        loop {
            let result = self.once(&method, path, what, body.clone(), limit).await;
            match result {
                Err(FetchError::Unavailable { .. }) if tries < TRIES => {
                    tokio::time::sleep(backoff.next(chance())).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        what: &str,
        body: Option<Bytes>,
        limit: u64,
    ) -> Result<Bytes, FetchError> {
        let unavailable = |reason: String| FetchError::Unavailable {
            what: what.to_owned(),
            reason,
        };
        let token = self.token().await.map_err(&unavailable)?;
        let mut request = self
            .client
            .request(method.clone(), self.endpoint.http(path))
            .bearer_auth(token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let mut response = request
            .send()
            .await
            .map_err(|error| unavailable(why_it_failed(&error)))?;
        let status = response.status();
        let limit = if status.is_success() { limit } else { 64 << 10 };
        let large = || FetchError::TooLarge {
            what: what.to_owned(),
            limit,
        };
        if response
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(large());
        }
        let mut bytes = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| unavailable(why_it_failed(&error)))?
        {
            if (bytes.len() + part.len()) as u64 > limit {
                return Err(large());
            }
            bytes.extend_from_slice(&part);
        }
        match status {
            status if status.is_success() => Ok(bytes.into()),
            StatusCode::NOT_FOUND => Err(FetchError::Missing(what.to_owned())),
            // The token died with its connection; the next one is another.
            StatusCode::UNAUTHORIZED
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS => Err(unavailable(format!("it answers {status}"))),
            status if status.is_server_error() => Err(unavailable(format!("it answers {status}"))),
            status => Err(FetchError::Rejected {
                what: what.to_owned(),
                reason: format!("{status}: {}", error_message(&bytes)),
            }),
        }
    }

    async fn token(&self) -> Result<Arc<str>, String> {
        let mut session = self.session.clone();
        let live = timeout(SESSION, session.wait_for(Option::is_some)).await;
        match live {
            Ok(Ok(token)) => token.clone().ok_or_else(|| "no connection".to_owned()),
            Ok(Err(_)) => Err("the runner leaves".to_owned()),
            Err(_) => Err(format!(
                "there was no connection for {} seconds",
                SESSION.as_secs()
            )),
        }
    }
}

/// The client for a controller: no redirects, and no proxy for one on this machine.
pub(crate) fn client(
    endpoint: &Endpoint,
    tls: Option<&ClientConfig>,
) -> Result<Client, AgentError> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(READ)
        .user_agent(concat!("wharf-runner/", env!("CARGO_PKG_VERSION")));
    if endpoint.loopback() {
        builder = builder.no_proxy();
    }
    if let Some(tls) = tls {
        builder = builder.tls_backend_preconfigured(tls.clone());
    }
    builder
        .build()
        .map_err(|error| AgentError::part("HTTP client", error))
}

/// The message of an error answer, or the beginning of whatever it is.
pub(crate) fn error_message(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Body {
        error: Inner,
    }
    #[derive(serde::Deserialize)]
    struct Inner {
        message: String,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(body) => body.error.message.chars().take(500).collect(),
        Err(_) => String::from_utf8_lossy(body)
            .chars()
            .take(200)
            .collect::<String>()
            .escape_default()
            .to_string(),
    }
}

/// Hashing a large component takes a while; it must not hold up a thread that others wait for.
async fn check(digest: Digest, bytes: Bytes) -> Result<Bytes, FetchError> {
    let hashed = bytes.clone();
    let actual = tokio::task::spawn_blocking(move || wharf_bundle::digest(&hashed)).await;
    match actual {
        Ok(actual) if actual == digest => Ok(bytes),
        _ => Err(FetchError::Wrong(digest)),
    }
}
