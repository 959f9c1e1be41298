//! The machine that the runner is on: the platform's metadata server gives it tokens, each for a while.
//!
//! No answer of that server is for ever. What is no token is an error once; a token is replaced
//! before its time is over, and when Google does not take it. And no answer is trusted for more than
//! it is: it is bounded in time and size, no redirect is followed, and no proxy hears of it.

use std::borrow::Cow;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use wharf_policy::GcpConfig;

use super::identity::bearer;
use super::refused;
use crate::http::{client, send};
use crate::open::Unusable;
use crate::period::{from_now, of_seconds};
use crate::{StoreError, address};

const WHOM: &str = "GCP's metadata server";
const ADDRESS: &str = "http://metadata.google.internal";
/// Where Google's own libraries look for the host of another one.
const HOST: &str = "GCE_METADATA_HOST";
const PATH: [&str; 6] = [
    "computeMetadata",
    "v1",
    "instance",
    "service-accounts",
    "default",
    "token",
];
/// With less of its time left than this, a metadata server gives another token.
const SLACK: Duration = Duration::from_secs(240);
/// Between two questions for another token, while the one that is held is good.
const PAUSE: Duration = Duration::from_secs(10);
/// For how long, in seconds, a token holds of which nobody says so.
const UNSAID: u64 = 300;

/// The identity of this machine.
pub(super) struct Machine {
    client: Client,
    url: Url,
    /// Locked while the server is asked: whoever else needs a token waits for the same.
    held: Mutex<Option<Held>>,
}

/// A token that was good when it was given.
struct Held {
    pass: HeaderValue,
    /// When it is good no more.
    expires: Instant,
    /// When it should be replaced.
    due: Instant,
}

/// What the server answers.
#[derive(Deserialize)]
struct Given<'a> {
    #[serde(borrow)]
    access_token: Cow<'a, str>,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Machine {
    pub(super) fn open(config: &GcpConfig) -> Result<Self, Unusable> {
        let mut url = match &config.metadata {
            Some(address) => address::parse(address, config.plain_http)?,
            // The platform's own network, so plain HTTP.
            None => match std::env::var(HOST) {
                Ok(host) if !host.is_empty() => address::parse(&format!("http://{host}"), true)?,
                _ => address::parse(ADDRESS, true)?,
            },
        };
        let client = client(&url, None, config.timeout.duration())?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(PATH);
        }
        Ok(Self {
            client,
            url,
            held: Mutex::default(),
        })
    }

    /// A token that is good as far as can be known, as the header that it is sent in.
    pub(super) async fn pass(&self) -> Result<HeaderValue, StoreError> {
        let mut held = self.held.lock().await;
        let now = Instant::now();
        if let Some(held) = held.as_ref().filter(|held| now < held.due) {
            return Ok(held.pass.clone());
        }
        match (self.ask().await, held.as_mut()) {
            (Ok(new), _) => Ok(held.insert(new).pass.clone()),
            (Err(error), Some(old)) if Instant::now() < old.expires => {
                tracing::warn!(%error, "the machine's token runs out and there is no other yet; trying again");
                old.due = from_now(PAUSE).min(old.expires);
                Ok(old.pass.clone())
            }
            (Err(error), _) => {
                *held = None;
                Err(error)
            }
        }
    }

    /// Drops a token that was not taken, if it is the one that is held.
    pub(super) async fn forget(&self, refused: &HeaderValue) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|held| held.pass == refused) {
            *held = None;
        }
    }

    async fn ask(&self) -> Result<Held, StoreError> {
        let request = self.client.get(self.url.clone());
        let answer = send(request.header("metadata-flavor", "Google"), WHOM).await?;
        match answer.status.as_u16() {
            200 => {}
            404 => return Err(refused("this machine has no service account")),
            other => {
                let why = format!("HTTP {other}");
                return Err(StoreError::BadAnswer(WHOM.to_owned(), why));
            }
        }
        // Not what the parser says: it quotes what it stumbled over.
        let given: Given<'_> = serde_json::from_slice(&answer.body)
            .map_err(|_| StoreError::BadAnswer(WHOM.to_owned(), "it is no token".to_owned()))?;
        let period = of_seconds(given.expires_in.unwrap_or(UNSAID));
        Ok(Held {
            pass: bearer(&given.access_token)?,
            expires: from_now(period),
            due: from_now(period.saturating_sub(SLACK).max(PAUSE.min(period))),
        })
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
