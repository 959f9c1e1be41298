//! Requests in Vault's words: paths below `/v1`, a token and a namespace as headers, JSON.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{HeaderValue, InvalidHeaderValue};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;
use url::Url;
use wharf_policy::VaultConfig;
use zeroize::Zeroizing;

use crate::address;
use crate::http::{self, Answer, ELSEWHERE};
use crate::open::Unusable;
use crate::{SecretValue, StoreError};

/// What a standby is given to catch up before it is asked once more.
const CATCHING_UP: Duration = Duration::from_millis(200);

/// One server, in one namespace.
pub(super) struct Api {
    client: Client,
    base: Url,
    namespace: Option<HeaderValue>,
    whom: String,
}

/// What is asked.
pub(super) struct Ask<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Option<(&'a str, &'a str)>,
    body: Option<&'a Value>,
}

impl<'a> Ask<'a> {
    pub(super) const fn read(path: &'a [&'a str]) -> Self {
        Self {
            method: Method::GET,
            path,
            query: None,
            body: None,
        }
    }

    /// The same, with a parameter.
    pub(super) const fn with(mut self, query: Option<(&'a str, &'a str)>) -> Self {
        self.query = query;
        self
    }

    pub(super) const fn write(path: &'a [&'a str], body: &'a Value) -> Self {
        Self {
            method: Method::POST,
            path,
            query: None,
            body: Some(body),
        }
    }
}

/// What came of it.
pub(super) enum Reply {
    /// It was done; the body may be empty.
    Answer(Zeroizing<Vec<u8>>),
    /// There is no such thing.
    Absent,
    /// The token is not taken, or may not do this.
    Forbidden,
    /// Something else is wrong with the question.
    Refused(u16),
}

/// A token as the header that it is sent in. Wiped when the last clone is dropped.
#[derive(Clone)]
pub(super) struct Token(HeaderValue);

impl Token {
    pub(super) fn new(token: &SecretValue) -> Result<Self, InvalidHeaderValue> {
        http::wiped_header(Zeroizing::new(token.expose().to_vec())).map(Self)
    }

    /// Whether it is the same token.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Api {
    pub(super) fn open(config: &VaultConfig, folder: &Path) -> Result<Self, Unusable> {
        let base = address::parse(&config.address, config.plain_http)?;
        let ca = config.ca.as_ref().map(|file| folder.join(file));
        let namespace = match &config.namespace {
            None => None,
            Some(name) => Some(
                HeaderValue::from_str(name)
                    .map_err(|_| Unusable::Table(format!("`{name}` cannot be a namespace")))?,
            ),
        };
        Ok(Self {
            client: http::client(&base, ca.as_deref(), config.timeout.duration())?,
            whom: format!("Vault at {}", base.as_str().trim_end_matches('/')),
            namespace,
            base,
        })
    }

    /// How the server is called in messages.
    pub(super) fn whom(&self) -> &str {
        &self.whom
    }

    pub(super) async fn ask(
        &self,
        ask: &Ask<'_>,
        token: Option<&Token>,
    ) -> Result<Reply, StoreError> {
        let mut answer = self.once(ask, token).await?;
        // A standby that answers reads by itself may not know yet of a token that was just made.
        if answer.status == StatusCode::PRECONDITION_FAILED && ask.method == Method::GET {
            sleep(CATCHING_UP).await;
            answer = self.once(ask, token).await?;
        }
        let Answer { status, body } = answer;
        match status {
            status if status.is_success() => Ok(Reply::Answer(body)),
            StatusCode::NOT_FOUND => Ok(Reply::Absent),
            StatusCode::FORBIDDEN => Ok(Reply::Forbidden),
            // What it wants to be known by is not here yet, or a standby has to catch up.
            StatusCode::PRECONDITION_FAILED => Err(StoreError::Unavailable(
                self.whom.clone(),
                "it is behind its primary".to_owned(),
            )),
            status if matches!(status.as_u16(), 472 | 473) => Err(StoreError::Unavailable(
                self.whom.clone(),
                "it is a standby".to_owned(),
            )),
            // For now: so does a standby, also when the active server has just died.
            StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT => Err(
                StoreError::Unavailable(self.whom.clone(), format!("as a standby, {ELSEWHERE}")),
            ),
            status if status.is_redirection() => Err(StoreError::BadAnswer(
                self.whom.clone(),
                ELSEWHERE.to_owned(),
            )),
            status => Ok(Reply::Refused(status.as_u16())),
        }
    }

    async fn once(&self, ask: &Ask<'_>, token: Option<&Token>) -> Result<Answer, StoreError> {
        let mut request = self
            .client
            .request(ask.method.clone(), self.url(ask))
            .header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(Token(token)) = token {
            request = request.header("x-vault-token", token);
        }
        if let Some(body) = ask.body {
            let body = Zeroizing::new(body.to_string().into_bytes());
            request = request
                .header("content-type", "application/json")
                .body(http::wiped(body));
        }
        http::exchange(request, &self.whom).await
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("v1").extend(ask.path);
        }
        if let Some((name, value)) = ask.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    }
}
