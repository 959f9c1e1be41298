//! What `request` takes, and the request that it means.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Number;
use wharf_plugin::Error;
use wharf_plugin::http::{Method, Request};

use crate::body::Body;

/// An HTTP request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The method, such as GET or POST.
    #[serde(default = "get")]
    pub(crate) method: String,

    /// An absolute `http` or `https` URL.
    pub(crate) url: String,

    /// Headers by name. A list sends the header once for each value.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Values<String>>,

    /// Pairs to add to the query of the URL, percent-encoded on the way. A list adds one pair for
    /// each value.
    #[serde(default)]
    pub(crate) query: BTreeMap<String, Values<Scalar>>,

    /// The body: `{"json": …}`, `{"text": "…"}` or `{"base64": "…"}`.
    #[serde(default)]
    pub(crate) body: Option<Body>,

    /// Milliseconds that each try may take; without it, as long as the execution has.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) timeout_ms: Option<u64>,

    /// How often to try again after 429, 502, 503 and 504, when the server cannot be reached or does
    /// not answer in time. Only for GET, HEAD, OPTIONS, TRACE, PUT and DELETE; others are sent once.
    #[serde(default)]
    #[schemars(range(max = 20))]
    pub(crate) retries: u32,

    /// How many bytes the body of the response may have, where the grant allows more.
    #[serde(default)]
    pub(crate) max_response_bytes: Option<u64>,

    /// Which statuses are no error.
    #[serde(default)]
    pub(crate) expect_status: Expected,

    /// How many redirects to follow. Each must be granted as a request of its own.
    #[serde(default)]
    #[schemars(range(max = 20))]
    pub(crate) follow_redirects: u32,
}

fn get() -> String {
    "GET".into()
}

/// One value or several.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a value or a list of values")]
pub(crate) enum Values<T> {
    /// One.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> Values<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// A value in a query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a string, a number or a boolean")]
pub(crate) enum Scalar {
    /// Text.
    Text(String),
    /// A number.
    #[schemars(with = "f64")]
    Number(Number),
    /// True or false.
    Bool(bool),
}

impl std::fmt::Display for Scalar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => number.fmt(f),
            Self::Bool(value) => value.fmt(f),
        }
    }
}

/// Which statuses are no error.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "expected `success`, `any`, a status or a list of statuses"
)]
pub(crate) enum Expected {
    /// A class of statuses.
    Class(Class),
    /// This one.
    One(u16),
    /// One of these.
    Several(Vec<u16>),
    /// Success, if nothing is said.
    #[default]
    #[serde(skip)]
    Default,
}

/// A class of statuses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// 200 to 299.
    Success,
    /// Every status.
    Any,
}

impl Expected {
    /// Whether that status is no error.
    pub(crate) fn holds(&self, status: u16) -> bool {
        match self {
            Self::Class(Class::Any) => true,
            Self::Class(Class::Success) | Self::Default => (200..300).contains(&status),
            Self::One(expected) => *expected == status,
            Self::Several(expected) => expected.contains(&status),
        }
    }
}

impl Input {
    /// The request that is meant.
    pub(crate) fn to_request(&self) -> Result<Request, Error> {
        let method: Method = self
            .method
            .parse()
            .map_err(|e| Error::invalid_input("/method", e))?;
        let scheme = self
            .url
            .split_once("://")
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !matches!(scheme.as_deref(), Some("http" | "https")) {
            return Err(Error::invalid_input(
                "/url",
                "must be an absolute URL that begins with https:// or http://",
            ));
        }

        let mut request = Request::new(method, &self.url);
        for (name, values) in &self.query {
            for value in values.as_slice() {
                request = request.query(name, value);
            }
        }
        for (name, values) in &self.headers {
            for value in values.as_slice() {
                request = request.header(name, value.as_str());
            }
        }
        if let Some(body) = &self.body {
            let (bytes, content_type) = body.to_bytes()?;
            if !request.headers().contains("content-type") {
                request = request.header("content-type", content_type);
            }
            request = request.body(bytes);
        }
        if let Some(ms) = self.timeout_ms {
            request = request.timeout(Duration::from_millis(ms));
        }
        Ok(request)
    }
}
