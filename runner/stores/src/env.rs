//! The `env:` store: variables of the runner's own environment, read once when it starts.
//!
//! What a process was started with stays readable in `/proc/PID/environ` for the same user and
//! for root; `file:` has no such copy and is preferred.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use async_trait::async_trait;

use crate::{Document, Place, SecretStore, SecretValue, StoreError};

/// A snapshot of environment variables.
pub struct EnvStore {
    variables: HashMap<String, SecretValue>,
}

impl EnvStore {
    /// The variables of this process as they are now.
    pub fn snapshot() -> Self {
        Self::of(std::env::vars_os())
    }

    /// These variables. Those whose names are not UTF-8 cannot be referred to and are left out.
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let variables = variables
            .into_iter()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, SecretValue::new(value.into_vec())))
            })
            .collect();
        Self { variables }
    }
}

#[async_trait]
impl SecretStore for EnvStore {
    async fn fetch(&self, place: &Place) -> Result<Document, StoreError> {
        self.variables
            .get(&place.path)
            .map(|value| Document::whole(value.clone()))
            .ok_or_else(|| StoreError::NoVariable(place.path.clone()))
    }
}
