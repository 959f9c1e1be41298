//! What a prepared action is called with.

use std::sync::Arc;

use wharf_host::{Events, Secrets, Services};

use crate::Cancel;

/// One run to do.
pub struct Call {
    /// The execution it belongs to.
    pub execution: String,
    /// Which try at it, from 1.
    pub attempt: u32,
    /// The input.
    pub input: Input,
    /// How to end it early.
    pub cancel: Cancel,
    /// Where it tells what it does.
    pub events: Arc<dyn Events>,
    /// What all runs of this process share.
    pub services: Arc<Services>,
    /// The secrets of its rights, resolved.
    pub secrets: Arc<Secrets>,
}

/// The input of an action: a JSON document as text. Whether it is one is checked by the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input(String);

impl Input {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for Input {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Input {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<&serde_json::Value> for Input {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string())
    }
}
