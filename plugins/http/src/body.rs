//! A body in either direction: JSON as it is, text as text, anything else in Base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use wharf_plugin::Error;
use wharf_plugin::http::Response;

/// A body.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Body {
    /// A JSON document. Kept as it is written: no number loses a digit.
    #[schemars(with = "Value")]
    Json(Box<RawValue>),
    /// Text, in UTF-8.
    Text(String),
    /// Bytes, in Base64 (RFC 4648, with padding).
    Base64(String),
}

impl Body {
    /// The bytes, and the content type that goes with them if none is given.
    pub(crate) fn to_bytes(&self) -> Result<(Vec<u8>, &'static str), Error> {
        match self {
            Self::Json(document) => Ok((document.get().into(), "application/json")),
            Self::Text(text) => Ok((text.clone().into(), "text/plain; charset=utf-8")),
            Self::Base64(text) => {
                let bytes = STANDARD.decode(text);
                let bytes = bytes.map_err(|e| Error::invalid_input("/body/base64", e))?;
                Ok((bytes, "application/octet-stream"))
            }
        }
    }

    /// The body of a response, as readable as it is; nothing if it is empty.
    pub(crate) fn of(response: Response) -> Option<Self> {
        if response.body().is_empty() {
            return None;
        }
        let is_json = response.is_json();
        let text = match String::from_utf8(response.into_body()) {
            Ok(text) => text,
            Err(error) => return Some(Self::Base64(STANDARD.encode(error.as_bytes()))),
        };
        if is_json {
            // Not every server that says JSON sends it; then it is text.
            if let Ok(document) = serde_json::from_str::<Box<RawValue>>(&text) {
                return Some(Self::Json(document));
            }
        }
        Some(Self::Text(text))
    }
}
