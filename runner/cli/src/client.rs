//! The controller's API, as the commands use it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use wharf_bundle::MAX_CA_FILE;

use crate::exit::{Context, Exit, Failure, Result};
use crate::home;
use crate::local::{self, Papers};

/// A path that may be empty, as of a variable that is set to nothing: that is an error for whoever needs
/// it, and nobody's else.
fn may_be_empty() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// Which controller, and as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// The controller's URL
    #[arg(long, env = "WHARF_CONTROLLER", value_name = "URL", default_value_t = format!("http://{}", home::LISTEN))]
    pub(crate) controller: String,
    /// A file that holds an API token; for a controller on this machine its own admin token if left
    /// out. WHARF_TOKEN holds the token itself
    #[arg(long, env = "WHARF_TOKEN_FILE", value_name = "FILE", value_parser = may_be_empty())]
    pub(crate) token_file: Option<PathBuf>,
    /// A PEM file of authorities to trust beside the system's
    #[arg(long, env = "WHARF_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

impl Connection {
    fn token(&self) -> Result<String> {
        if let Ok(token) = std::env::var("WHARF_TOKEN") {
            return Ok(token.trim().to_owned());
        }
        let file = match &self.token_file {
            Some(file) if file.as_os_str().is_empty() => {
                return Err(Failure::usage(
                    "no API token: --token-file (or WHARF_TOKEN_FILE) is empty",
                )
                .help("name a file with it, set WHARF_TOKEN, or unset both"));
            }
            Some(file) => file.clone(),
            None => home::controller_data()?.join("admin.token"),
        };
        local::read_token(&file).map_err(|error| {
            Failure::usage(format!("no API token: {}: {error}", file.display())).help(
                "set WHARF_TOKEN, or name a file with --token-file; `wharf token create --role operator` makes one",
            )
        })
    }
}

/// A client of one controller.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    pub(crate) fn connect(connection: &Connection) -> Result<Self> {
        wharf_agent::check_controller(&connection.controller)
            .or_exit(Exit::Usage, "the token is not sent")?;
        let mut http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10));
        if let Some(file) = &connection.ca_file {
            let pem = local::read_up_to(file, MAX_CA_FILE)?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).or_exit(
                Exit::Usage,
                format_args!("{} holds no certificates", file.display()),
            )?;
            http = http.tls_certs_merge(certificates);
        }
        let http = http.build().or_exit(Exit::Usage, "cannot set up TLS")?;
        Ok(Self::new(http, &connection.controller, connection.token()?))
    }

    pub(crate) fn new(http: reqwest::Client, base: &str, token: String) -> Self {
        Self {
            http,
            base: base.trim_end_matches('/').to_owned(),
            token,
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(self.http.get(self.url(path))).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        self.json(self.http.request(Method::POST, self.url(path)).json(body))
            .await
    }

    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<T> {
        let request = self
            .http
            .put(self.url(path))
            .header("content-type", content_type);
        self.json(request.body(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        let _: Value = self.json(self.http.delete(self.url(path))).await?;
        Ok(())
    }

    /// Uploads a component and what is to vouch for it. The signatures go last: who finds them finds
    /// the attestations as well.
    pub(crate) async fn publish(&self, component: Vec<u8>, papers: Papers) -> Result<Value> {
        let digest = wharf_bundle::digest(&component);
        let path = format!("/v1/bundles/{digest}");
        let published = self.put(&path, "application/wasm", component).await?;
        for (name, content_type, content) in [
            ("attestations", "application/jsonl", papers.attestations),
            ("signature", "application/json", papers.signatures),
        ] {
            if let Some(content) = content {
                let _: Value = self
                    .put(&format!("{path}/{name}"), content_type, content)
                    .await?;
            }
        }
        Ok(published)
    }

    /// A stream of server-sent events.
    pub(crate) async fn events(&self, path: &str) -> Result<Response> {
        let request = self
            .http
            .get(self.url(path))
            .header("accept", "text/event-stream");
        self.send(request).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    async fn json<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T> {
        let response = self.send(request).await?;
        let body = response
            .bytes()
            .await
            .or_exit(Exit::Unreachable, "the controller's answer broke off")?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).or_exit(
            Exit::Unreachable,
            format_args!("{} does not answer like a Wharf controller", self.base),
        )
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response> {
        let response = request.bearer_auth(&self.token).send().await.map_err(|error| {
            let mut reason: &dyn std::error::Error = &error;
            while let Some(inner) = reason.source() {
                reason = inner;
            }
            Failure::unreachable(format!("the controller at {} cannot be reached: {reason}", self.base))
                .help("is it running (`wharf controller start`), and is --controller or WHARF_CONTROLLER right?")
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body: Value = response.json().await.unwrap_or_default();
        Err(refusal(&self.base, status, &body))
    }
}

/// What a person should know of an answer that is not a success.
fn refusal(base: &str, status: StatusCode, body: &Value) -> Failure {
    let exit = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Refused,
        status if status.is_client_error() => Exit::Usage,
        _ => Exit::Unreachable,
    };
    let error = &body["error"];
    let Some(message) = error["message"].as_str() else {
        return Failure::new(exit, format!("{base} answered {status}"));
    };
    let fields = error["fields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| {
            format!(
                "\n  at {}: {}",
                field["path"]
                    .as_str()
                    .filter(|path| !path.is_empty())
                    .unwrap_or("the whole document"),
                field["message"].as_str().unwrap_or_default()
            )
        });
    Failure::new(exit, format!("{message}{}", fields.collect::<String>()))
}
