//! A response, held in memory.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::headers::Headers;
use super::url;
use crate::error::Error;

/// How much of a body an error shows. Enough to see what the server says, not a page of HTML.
const EXCERPT: usize = 2048;

/// A response that is held in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    pub(crate) url: String,
    pub(crate) attempts: u32,
}

#[derive(Serialize)]
struct StatusDetails<'a> {
    status: u16,
    url: &'a str,
    body: String,
}

impl Response {
    /// A response without headers or a body, for tests.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self {
            status,
            headers: Headers::new(),
            body: Vec::new(),
            url: String::new(),
            attempts: 1,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, and the `content-type`.
    #[must_use]
    pub fn with_json(self, value: impl Into<serde_json::Value>) -> Self {
        self.with_header("content-type", "application/json")
            .with_body(value.into().to_string())
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success (2xx).
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, without a copy.
    #[must_use]
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The URL that answered: the last one, where redirects were followed.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How often the request was sent. Redirects do not count, retries do.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether `content-type` says JSON: `application/json` or a type that ends in `+json`.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let content_type = self.headers.get("content-type").unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
            || essence.to_ascii_lowercase().ends_with("+json")
    }

    /// The body as text.
    ///
    /// # Errors
    /// `http-not-text` if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|e| {
            let url = url::without_query(&self.url);
            Error::failed(
                "http-not-text",
                format_args!("the body of {url} is not UTF-8 text: {e}"),
            )
        })
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// `http-not-json` if it is not that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|e| {
            let url = url::without_query(&self.url);
            let message = format_args!("the body of {url} is not the JSON that was expected: {e}");
            Error::failed("http-not-json", message).with_details(self.details())
        })
    }

    /// The response if its status is one of success, else what the server said, as an error.
    ///
    /// # Errors
    /// `http-status`, with the status, the URL without its query and the beginning of the body
    /// in the details.
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.is_success() {
            return Ok(self);
        }
        Err(self.status_error())
    }

    /// The error of [`error_for_status`](Self::error_for_status), whatever the status is.
    #[must_use]
    pub fn status_error(&self) -> Error {
        let url = url::without_query(&self.url);
        let message = format_args!("{url} answered with status {}", self.status);
        Error::failed("http-status", message).with_details(self.details())
    }

    fn details(&self) -> StatusDetails<'_> {
        let excerpt = &self.body[..self.body.len().min(EXCERPT)];
        StatusDetails {
            status: self.status,
            url: url::without_query(&self.url),
            body: String::from_utf8_lossy(excerpt).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_content_type() {
        let json = |value: &str| {
            Response::new(200)
                .with_header("Content-Type", value)
                .is_json()
        };
        assert!(json("application/json; charset=utf-8"));
        assert!(json("application/problem+json"));
        assert!(!json("text/html"));
        assert!(!Response::new(200).is_json());
    }

    #[test]
    fn an_error_status_says_what_the_server_said_and_not_the_query() {
        let mut response = Response::new(503).with_body("x".repeat(5000));
        response.url = "https://a/b?token=1".into();
        let Err(Error::Failed(failure)) = response.error_for_status() else {
            panic!("expected a failure");
        };
        assert_eq!(failure.code, "http-status");
        assert_eq!(failure.message, "https://a/b answered with status 503");
        let details = failure.details.unwrap();
        assert_eq!(details["status"], 503);
        assert_eq!(details["url"], "https://a/b");
        assert_eq!(details["body"].as_str().unwrap().len(), EXCERPT);
    }
}
