//! What `webhook` takes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::sign::Sign;

/// A webhook.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// Where to post it.
    pub(crate) url: String,

    /// What to post: `{"json": …}` or `{"text": "…"}`.
    pub(crate) payload: Payload,

    /// Headers by name.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,

    /// How to sign it; not at all if left out.
    #[serde(default)]
    pub(crate) sign: Option<Sign>,

    /// Milliseconds that each try may take; without it, as long as the execution has.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) timeout_ms: Option<u64>,

    /// How often to try again after 429, 502, 503 and 504, when the receiver cannot be reached or
    /// does not answer in time.
    #[serde(default = "three")]
    #[schemars(range(max = 20))]
    pub(crate) retries: u32,
}

fn three() -> u32 {
    3
}

/// What to post.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Payload {
    /// A JSON document, posted as it is written.
    #[schemars(with = "Value")]
    Json(Box<RawValue>),
    /// Text, in UTF-8. Its `content-type` is `text/plain` if the headers say nothing else.
    Text(String),
}

impl Payload {
    /// The bytes that are posted and signed, and their content type.
    pub(crate) fn bytes(&self) -> (&[u8], &'static str) {
        match self {
            Self::Json(document) => (document.get().as_bytes(), "application/json"),
            Self::Text(text) => (text.as_bytes(), "text/plain; charset=utf-8"),
        }
    }
}
