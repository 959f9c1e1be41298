//! Sealed secrets, fetched from the controller. They are opened in `wharf-stores`, which believes
//! nothing that comes from here.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use wharf_policy::SecretName;
use wharf_stores::{LARGEST_SEALED, Shelf, ShelfError, Shelved};

use crate::controller::{Controller, FetchError};

/// The most bytes of an answer: a sealed secret in base64, and its signature.
const ANSWER: u64 = 2 * LARGEST_SEALED as u64;

#[derive(Deserialize)]
struct Answer {
    sealed: String,
    signature: Box<RawValue>,
}

#[async_trait]
impl Shelf for Controller {
    async fn get(&self, name: &SecretName) -> Result<Shelved, ShelfError> {
        let bytes = self
            .sealed(name, ANSWER)
            .await
            .map_err(|error| match error {
                FetchError::Missing(_) => ShelfError::Missing,
                error @ FetchError::Unavailable { .. } => {
                    ShelfError::Unavailable(error.to_string())
                }
                // Without its words, as of every store.
                FetchError::Rejected { what, .. } => {
                    ShelfError::Unusable(format!("the controller refuses {what}"))
                }
                error => ShelfError::Unusable(error.to_string()),
            })?;
        // Not what the parsers say: they quote what they stumbled over.
        let unusable = || ShelfError::Unusable("its answer is not one".to_owned());
        let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| unusable())?;
        Ok(Shelved {
            sealed: STANDARD.decode(answer.sealed).map_err(|_| unusable())?,
            signature: answer.signature.get().as_bytes().to_vec(),
        })
    }
}
