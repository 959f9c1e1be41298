//! One service of a Sigstore instance, and requests to it: bounded in time and size, never
//! redirected, in the clear on this machine only.
//!
//! The clients of the Sigstore crates are not used: they read answers of any size, follow
//! redirects with the identity token in the body, and put the whole answer into their errors.

use std::fmt;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, StatusCode};
use url::Url;

use super::SigningError;
use crate::cause::innermost;
use crate::oci::is_loopback;

/// The largest answer, in bytes. Certificates, log entries and timestamps have a few thousand.
const MAX_ANSWER: usize = 1 << 20;

/// How long a service may take to be connected to, and to answer. Logs take seconds.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(60);

/// How much of what a service says is told to people, in characters.
const SAID: usize = 300;

/// Authorities of TLS to trust beside the system's.
#[derive(Debug, Clone, Default)]
pub struct TlsRoots(Vec<reqwest::Certificate>);

impl TlsRoots {
    /// Reads a PEM file of certificates.
    ///
    /// # Errors
    /// It holds none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, SigningError> {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| SigningError::Tls(error.to_string()))?;
        if certificates.is_empty() {
            return Err(SigningError::Tls("the file has no certificate".to_owned()));
        }
        Ok(Self(certificates))
    }
}

/// A service, by its checked address.
pub struct Service {
    name: &'static str,
    url: Url,
    http: Client,
}

impl Service {
    /// A service at an address: `https`, or `http` on this machine.
    ///
    /// # Errors
    /// Another address.
    pub(super) fn new(
        name: &'static str,
        url: &str,
        roots: &TlsRoots,
    ) -> Result<Self, SigningError> {
        let (url, loopback) = check(name, url)?;
        let mut http = Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(Policy::none())
            .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")));
        if !roots.0.is_empty() {
            http = http.tls_certs_merge(roots.0.iter().cloned());
        }
        if loopback {
            http = http.no_proxy();
        }
        let http = http
            .build()
            .map_err(|error| SigningError::Tls(error.to_string()))?;
        Ok(Self { name, url, http })
    }

    /// Posts to a path below the address, or to the address itself if the path is empty.
    /// What must not be told again, such as a token, is named in `hide`.
    pub(super) async fn post(
        &self,
        path: &str,
        content_type: &str,
        accept: &str,
        body: Vec<u8>,
        hide: &[&str],
    ) -> Result<Vec<u8>, SigningError> {
        let request = self
            .http
            .post(self.below(path))
            .header(CONTENT_TYPE, content_type)
            .header(ACCEPT, accept)
            .body(body);
        self.send(request, hide).await
    }

    /// Gets the address itself, with a token.
    pub(super) async fn get(&self, bearer: &str) -> Result<Vec<u8>, SigningError> {
        let request = self.http.get(self.url.clone()).bearer_auth(bearer);
        self.send(request, &[bearer]).await
    }

    /// An answer that is none.
    pub(super) fn answered(&self, why: impl fmt::Display) -> SigningError {
        SigningError::Answer {
            service: self.name,
            url: self.shown(),
            why: why.to_string().chars().take(SAID).collect(),
        }
    }

    async fn send(&self, request: RequestBuilder, hide: &[&str]) -> Result<Vec<u8>, SigningError> {
        let response = request
            .send()
            .await
            .map_err(|error| self.unreachable(reason(&error)))?;
        let status = response.status();
        let body = self.read(response).await?;
        if status.is_success() {
            return Ok(body);
        }
        if status.is_redirection() {
            return Err(self.answered("it sends elsewhere, and that is not followed"));
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            return Err(self.unreachable(format!("it answered {status}")));
        }
        Err(SigningError::Refused {
            service: self.name,
            url: self.shown(),
            status: status.as_u16(),
            said: said(&body, hide),
        })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Vec<u8>, SigningError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unreachable(reason(&error)))?
        {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(self.answered(format!("more than {MAX_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        if !path.is_empty() {
            url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        }
        url
    }

    fn unreachable(&self, why: String) -> SigningError {
        SigningError::Unreachable {
            service: self.name,
            url: self.shown(),
            why,
        }
    }

    /// The address without its query, which may say more than is to be told.
    fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.to_string()
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Service({} at {})", self.name, self.shown())
    }
}

/// Whether the address may be used, and whether it is on this machine.
fn check(service: &'static str, text: &str) -> Result<(Url, bool), SigningError> {
    let bad = |why| SigningError::Address {
        service,
        url: text.chars().take(200).collect(),
        why,
    };
    let url: Url = text
        .parse()
        .map_err(|_| bad("write https://HOST or https://HOST:PORT/PATH"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(SigningError::Address {
            service,
            url: String::new(),
            why: "it must not carry a user or password",
        });
    }
    let loopback = match url.host_str() {
        None => return Err(bad("it names no host")),
        Some(host) => is_loopback(host),
    };
    match url.scheme() {
        "https" => Ok((url, loopback)),
        "http" if loopback => Ok((url, true)),
        "http" => Err(bad(
            "plain http is only for a service on this machine: use https",
        )),
        _ => Err(bad("write https://HOST or https://HOST:PORT/PATH")),
    }
}

/// Why a request came to nothing, down to the cause, without the URL.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it does not answer in time".to_owned();
    }
    innermost(error)
}

/// The beginning of an answer, for people: one line, printable, without what is to be hidden.
fn said(body: &[u8], hide: &[&str]) -> String {
    let mut text = String::from_utf8_lossy(body).into_owned();
    for secret in hide.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "…");
    }
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SAID)
        .collect();
    match line.trim() {
        "" => "it did not say why".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_spoken_to_by_https_or_on_this_machine() {
        for good in [
            "https://fulcio.example",
            "https://ca.example:8443/fulcio/",
            "http://127.0.0.1:5555",
            "http://[::1]:5555",
            "http://localhost:5555",
        ] {
            assert!(check("a service", good).is_ok(), "{good}");
        }
        for bad in [
            "http://fulcio.example",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "ftp://fulcio.example",
            "fulcio.example",
            "https://user:password@fulcio.example",
            "",
        ] {
            let error = check("a service", bad).unwrap_err();
            assert_eq!(error.failure(), super::super::SigningFailure::Usage);
            assert!(!error.to_string().contains("password@"), "{error}");
        }
    }

    #[test]
    fn what_a_service_says_is_told_short_and_without_the_token() {
        let token = "aaaa.bbbb.cccc";
        let body = format!("no:\n\u{1b}[31m {token} {}", "x".repeat(1000));
        let told = said(body.as_bytes(), &[token]);
        assert!(!told.contains(token) && !told.contains('\u{1b}') && !told.contains('\n'));
        assert!(told.chars().count() <= SAID);
        assert_eq!(said(b"", &[]), "it did not say why");
    }
}
