//! Sending: once, after redirects, and again.

use super::authentication::{Authenticated, Authentication};
use super::credential::{Attached, Credential};
use super::error::HttpError;
use super::redirect::{self, Next};
use super::request::Request;
use super::response::Response;
use super::retry::{Retry, spread};
use super::url;
use crate::control::{self, Interrupted};
use crate::secrets::Secret;
use crate::{host, log};

/// How requests are sent: how many redirects are followed, how often a request is sent again, and
/// whether a credential goes with it.
#[derive(Debug, Clone, Copy)]
pub struct Client<T = Plain> {
    redirects: u32,
    retry: Retry,
    transport: T,
}

/// Hands one request to the host. A type parameter of [`Client`] and not a choice at run time, so that a
/// plugin without credentials does not import their interface.
pub trait Transport {
    /// Sends one request. `left_origin` once a redirect led to another origin.
    fn send(&self, request: &Request, left_origin: bool) -> Result<Response, HttpError>;
}

/// The transport that adds nothing. The host still adds what the operator bound to the destination.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Transport for Plain {
    fn send(&self, request: &Request, _left_origin: bool) -> Result<Response, HttpError> {
        host::http_send(request)
    }
}

impl Client {
    /// A client that sends once and follows no redirect.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            redirects: 0,
            retry: Retry::never(),
            transport: Plain,
        }
    }

    /// Has the host put a credential on the requests.
    #[must_use]
    pub const fn credential(self, credential: &Credential) -> Client<Attached<'_>> {
        Client {
            redirects: self.redirects,
            retry: self.retry,
            transport: Attached(credential),
        }
    }
}

impl Client {
    /// Has the host authenticate the requests with a secret (*operate*).
    ///
    /// ```no_run
    /// use wharf_plugin::http::{self, Authentication, Client};
    /// use wharf_plugin::secrets::Secret;
    /// # fn call() -> Result<(), wharf_plugin::Error> {
    /// let secret = Secret::open("registry")?;
    /// let how = Authentication::basic("robot");
    /// let request = http::get("https://registry.example.com/v2/");
    /// let response = Client::new().authenticated(&secret, &how).send(&request)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn authenticated<'a>(
        self,
        secret: &'a Secret,
        how: &'a Authentication,
    ) -> Client<Authenticated<'a>> {
        Client {
            redirects: self.redirects,
            retry: self.retry,
            transport: Authenticated { secret, how },
        }
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Transport> Client<T> {
    /// Follows up to that many redirects. Each hop is a request of its own to the host, which must be granted.
    /// Headers that say who is asking are dropped where a redirect leads to another origin.
    ///
    /// With 0, a redirect is an answer like any other.
    #[must_use]
    pub fn follow_redirects(mut self, limit: u32) -> Self {
        self.redirects = limit;
        self
    }

    /// Sends again where that is safe and may help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Sends a request, and gives the answer that stands after redirects and retries.
    pub fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let mut sent = 1;
        loop {
            let mut outcome = self.send_following(request);
            if let Ok(response) = &mut outcome {
                response.attempts = sent;
            }
            let call = control::call();
            let spread = spread(&call.execution, call.attempt, sent);
            let Some(pause) = self.retry.pause(&request.method, sent, &outcome, spread) else {
                return outcome;
            };
            let reason = match &outcome {
                Ok(response) => format!("status {}", response.status),
                Err(error) => error.to_string(),
            };
            log::warn(
                "sending again",
                &[
                    ("url", &url::without_query(&request.url)),
                    ("sent", &sent),
                    ("reason", &reason),
                    ("pause_ms", &pause.as_millis()),
                ],
            );
            match control::wait(pause) {
                Ok(()) => sent += 1,
                Err(Interrupted::Cancelled) => return Err(HttpError::Cancelled),
                Err(Interrupted::Deadline) => return outcome,
            }
        }
    }

    fn send_following(&self, request: &Request) -> Result<Response, HttpError> {
        let mut request = request.clone();
        let mut left_origin = false;
        let mut followed = 0;
        loop {
            let mut response = self.transport.send(&request, left_origin)?;
            response.url.clone_from(&request.url);
            if self.redirects == 0 {
                return Ok(response);
            }
            match redirect::next(&request, &response) {
                Next::Done => return Ok(response),
                Next::Unusable(location) => {
                    let location = location.escape_debug();
                    return Err(HttpError::Protocol(format!(
                        "it redirects to `{location}`, which is not a URL"
                    )));
                }
                Next::Follow { .. } if followed == self.redirects => {
                    return Err(HttpError::TooManyRedirects(self.redirects));
                }
                Next::Follow {
                    request: next,
                    leaves,
                } => {
                    log::debug(
                        "redirected",
                        &[
                            ("status", &response.status),
                            ("to", &url::without_query(&next.url)),
                        ],
                    );
                    followed += 1;
                    left_origin |= leaves;
                    request = next;
                }
            }
        }
    }
}
