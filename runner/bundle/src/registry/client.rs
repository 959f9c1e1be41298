//! A client of one repository in one registry.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{ACCEPT, LOCATION};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect};

use super::answer::{self, unreachable};
use super::auth::Auth;
use super::{RegistryError, origin, retry};
use crate::oci::Reference;

const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come.
const SILENCE: Duration = Duration::from_secs(60);

/// What is going to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading.
    Pull,
    /// Reading and writing.
    Push,
}

/// How a registry is reached.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// A PEM file with authorities to trust beside the system's. A registry on this machine is then
    /// asked over https too.
    pub ca_file: Option<PathBuf>,
    /// The folder with Docker's `config.json`, where credentials are. `None`: there are none.
    pub docker_config: Option<PathBuf>,
}

/// A client of the repository that a reference names.
pub struct Client {
    pub(super) reference: Reference,
    /// The registry, for messages.
    pub(super) registry: String,
    base: Url,
    http: reqwest::Client,
    auth: Auth,
}

impl Client {
    /// Sets up a client. Nothing is sent yet.
    ///
    /// # Errors
    /// The file of authorities cannot be used, or TLS not be set up.
    pub fn new(
        reference: &Reference,
        access: Access,
        options: &Options,
    ) -> Result<Self, RegistryError> {
        let setup = |why: String| RegistryError::Setup(why);
        let registry = reference.registry().to_string();
        let base = origin::base(reference.registry(), options.ca_file.is_some()).map_err(setup)?;
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .https_only(base.scheme() == "https")
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE);
        if reference.registry().is_loopback() {
            http = http.no_proxy();
        }
        if let Some(file) = &options.ca_file {
            let bad = |why: String| setup(format!("the CA file {} {why}", file.display()));
            let pem = crate::read_file(file, crate::MAX_CA_FILE)
                .map_err(|error| bad(format!("cannot be read: {error}")))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|error| bad(format!("holds no certificates: {error}")))?;
            if certificates.is_empty() {
                return Err(bad("holds no certificates: it must be PEM".to_owned()));
            }
            http = http.tls_certs_merge(certificates);
        }
        let http = http
            .build()
            .map_err(|error| setup(format!("TLS cannot be set up: {error}")))?;
        let auth = Auth::new(
            registry.clone(),
            base.clone(),
            reference.repository(),
            access,
            options.docker_config.clone(),
        );
        Ok(Self {
            reference: reference.clone(),
            registry,
            base,
            http,
            auth,
        })
    }

    /// A URL of the repository.
    pub(super) fn url(&self, path: &str) -> Result<Url, RegistryError> {
        self.base
            .join(&format!("v2/{}/{path}", self.reference.repository()))
            .map_err(|error| RegistryError::Setup(format!("{path}: {error}")))
    }

    /// A URL that the registry named for an upload.
    pub(super) fn upload_url(&self, from: &Url, response: &Response) -> Result<Url, RegistryError> {
        let location = self.location(response)?;
        origin::upload(&self.base, from, location).map_err(|why| self.misleading(why))
    }

    /// A URL that the registry named for the next page of a list.
    pub(super) fn page_url(&self, from: &Url, next: &str) -> Result<Url, RegistryError> {
        match from.join(next) {
            Ok(url) if url.origin() == self.base.origin() => Ok(url),
            _ => Err(self.misleading("its next page is elsewhere".to_owned())),
        }
    }

    /// Sends a request to the registry, and once more with what the registry asks for. Whatever it
    /// answers then is the answer, redirects included.
    pub(super) async fn send(
        &self,
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
        again: Again,
    ) -> Result<Response, RegistryError> {
        let request = || self.auth.apply(build(&self.http));
        let first = send(&self.registry, request, again).await?;
        if first.status() != StatusCode::UNAUTHORIZED {
            return Ok(first);
        }
        self.auth.answer(&self.http, first.headers()).await?;
        let second = send(&self.registry, request, again).await?;
        if second.status() == StatusCode::UNAUTHORIZED {
            return Err(RegistryError::NotAllowed {
                registry: self.registry.clone(),
                why: "it does not accept the credentials, or they are not for this repository"
                    .to_owned(),
            });
        }
        Ok(second)
    }

    /// Sends a request that must succeed. Redirects are not followed: something would be sent on.
    pub(super) async fn must(
        &self,
        what: &str,
        build: impl Fn(&reqwest::Client) -> RequestBuilder,
        again: Again,
    ) -> Result<Response, RegistryError> {
        let response = self.send(build, again).await?;
        answer::check(&self.registry, what, response).await
    }

    /// Gets something whose digest will be compared, or that is only a name for it. Redirects are
    /// followed, and nobody but the registry gets a credential. Any status may be the answer.
    pub(super) async fn get(
        &self,
        url: Url,
        accept: &str,
        patience: Duration,
    ) -> Result<Response, RegistryError> {
        let mut at = url;
        for hop in 0..=MAX_REDIRECTS {
            let request = |http: &reqwest::Client| {
                http.get(at.clone())
                    .header(ACCEPT, accept)
                    .timeout(patience)
            };
            // Who was redirected once is not the registry any more, wherever that leads.
            let response = match hop {
                0 => self.send(request, Again::IfItMayHelp).await?,
                _ => send(&self.registry, || request(&self.http), Again::IfItMayHelp).await?,
            };
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = self.location(&response)?;
            at = origin::redirect(&at, location).map_err(|why| self.misleading(why))?;
        }
        Err(self.misleading(format!("it redirects more than {MAX_REDIRECTS} times")))
    }

    pub(super) fn misleading(&self, why: String) -> RegistryError {
        RegistryError::Misleading {
            registry: self.registry.clone(),
            why,
        }
    }

    fn location<'r>(&self, response: &'r Response) -> Result<&'r str, RegistryError> {
        response
            .headers()
            .get(LOCATION)
            .and_then(|location| location.to_str().ok())
            .ok_or_else(|| self.misleading("it says to go on elsewhere, and not where".to_owned()))
    }
}

/// Whether the same request is sent again where that may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    IfItMayHelp,
    Never,
}

/// Sends a request to one who is called so in errors.
pub(super) async fn send(
    name: &str,
    request: impl Fn() -> RequestBuilder,
    again: Again,
) -> Result<Response, RegistryError> {
    let mut tries = 0;
    loop {
        tries += 1;
        let sent = request().send().await;
        let outcome = sent.map_err(|error| unreachable(name, &error));
        if let Ok(response) = &outcome {
            tracing::debug!(registry = name, status = %response.status(), "answered");
        }
        match retry::wait(tries, &outcome) {
            Some(wait) if again == Again::IfItMayHelp => tokio::time::sleep(wait).await,
            _ => return outcome,
        }
    }
}
