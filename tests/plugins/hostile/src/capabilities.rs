//! Reaches for what it may not have been given.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_plugin::Error;
use wharf_plugin::http::{Method, Request};
use wharf_plugin::secrets::{Digest, Secret};

/// What to fetch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fetch {
    /// Where.
    url: String,
    /// GET if left out.
    #[serde(default)]
    method: Option<String>,
    /// Headers to send.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A body to send.
    #[serde(default)]
    body: Option<String>,
}

/// What came back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Fetched {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Sends one request, and shows all that comes back.
#[wharf_plugin::action]
pub(crate) fn fetch(input: Fetch) -> Result<Fetched, Error> {
    let method = input.method.as_deref().unwrap_or("GET");
    let method: Method = method
        .parse()
        .map_err(|e| Error::invalid_input("/method", e))?;
    let mut request = Request::new(method, input.url);
    for (name, value) in input.headers {
        request = request.header(name, value);
    }
    if let Some(body) = input.body {
        request = request.body(body);
    }
    let response = request.send()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = response.headers().iter();
    Ok(Fetched {
        status: response.status(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), text(value)))
            .collect(),
        body: text(response.body()),
    })
}

/// Where the credentials of a cloud machine are, if the guest can get there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metadata {
    /// The metadata service of most clouds if left out.
    #[serde(default = "link_local")]
    url: String,
}

fn link_local() -> String {
    "http://169.254.169.254/latest/meta-data/".into()
}

/// Asks the metadata service of the cloud for credentials.
#[wharf_plugin::action]
pub(crate) fn metadata(input: Metadata) -> Result<Fetched, Error> {
    let Metadata { url } = input;
    fetch(Fetch {
        url,
        method: None,
        headers: BTreeMap::new(),
        body: None,
    })
}

/// What to authenticate, and with which secret.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hmac {
    /// The name of the secret.
    secret: String,
    /// The message.
    message: String,
}

/// The message authentication code.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Authenticated {
    /// HMAC-SHA256 in hexadecimal.
    hmac: String,
}

/// Has the host compute an HMAC with a secret.
#[wharf_plugin::action(idempotent)]
pub(crate) fn hmac(input: Hmac) -> Result<Authenticated, Error> {
    let mac = Secret::open(&input.secret)?.hmac(Digest::Sha256, input.message.as_bytes())?;
    Ok(Authenticated { hmac: mac.hex() })
}
