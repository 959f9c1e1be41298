//! A request, built up piece by piece.

use std::time::Duration;

use serde::Serialize;

use super::client::Client;
use super::error::HttpError;
use super::headers::Headers;
use super::method::Method;
use super::response::Response;
use super::url;

/// A request that is held in memory. Nothing is sent before [`send`](Self::send) or
/// [`Client::send`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Headers,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timeout: Option<Duration>,
}

/// A GET request.
#[must_use]
pub fn get(url: impl Into<String>) -> Request {
    Request::new(Method::GET, url)
}

/// A HEAD request.
#[must_use]
pub fn head(url: impl Into<String>) -> Request {
    Request::new(Method::HEAD, url)
}

/// A POST request.
#[must_use]
pub fn post(url: impl Into<String>) -> Request {
    Request::new(Method::POST, url)
}

/// A PUT request.
#[must_use]
pub fn put(url: impl Into<String>) -> Request {
    Request::new(Method::PUT, url)
}

/// A PATCH request.
#[must_use]
pub fn patch(url: impl Into<String>) -> Request {
    Request::new(Method::PATCH, url)
}

/// A DELETE request.
#[must_use]
pub fn delete(url: impl Into<String>) -> Request {
    Request::new(Method::DELETE, url)
}

impl Request {
    /// A request to an absolute `http` or `https` URL.
    #[must_use]
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Headers::new(),
            body: None,
            timeout: None,
        }
    }

    /// Adds a header, beside others of that name.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds a pair to the query of the URL, percent-encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.url = url::with_query(&self.url, name, &value.to_string());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the body to a value as JSON, and `content-type` if it is not set.
    pub fn json(mut self, value: &(impl Serialize + ?Sized)) -> Result<Self, serde_json::Error> {
        self.body = Some(serde_json::to_vec(value)?);
        if !self.headers.contains("content-type") {
            self.headers.append("content-type", "application/json");
        }
        Ok(self)
    }

    /// How long the whole response may take; without it, as long as the execution has.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it once: no redirects, no retries. [`Client`] does those.
    pub fn send(&self) -> Result<Response, HttpError> {
        Client::new().send(self)
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The URL, with the query.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers set so far.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body set so far.
    #[must_use]
    pub fn body_bytes(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }
}
