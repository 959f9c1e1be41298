//! Who the runner is to Google: a service account by its key, or the machine that it is on.

use std::path::Path;

use reqwest::header::HeaderValue;
use wharf_policy::GcpConfig;
use zeroize::Zeroizing;

use super::key;
use super::machine::Machine;
use super::refused;
use crate::StoreError;
use crate::credential::Credential;
use crate::file::Readers;
use crate::http::wiped_header;
use crate::open::Unusable;

/// Where tokens come from.
pub(super) enum Identity {
    /// The runner signs one for each question, with the key as it is then.
    Key(Credential),
    /// The metadata server gives one for a while.
    Machine(Machine),
}

impl Identity {
    /// Looks at the table; nothing is asked for yet.
    pub(super) fn open(config: &GcpConfig, folder: &Path) -> Result<Self, Unusable> {
        match &config.key {
            Some(key) => Ok(Self::Key(Credential::find(key, folder, Readers::Owner)?)),
            None => Machine::open(config).map(Self::Machine),
        }
    }

    /// What to show, as the header `authorization`.
    pub(super) async fn pass(&self) -> Result<HeaderValue, StoreError> {
        match self {
            Self::Key(key) => bearer(&key::token(&key.read().await?)?),
            Self::Machine(machine) => machine.pass().await,
        }
    }

    /// What to show instead of what was not taken, if there is something else.
    pub(super) async fn another(
        &self,
        refused: &HeaderValue,
    ) -> Result<Option<HeaderValue>, StoreError> {
        match self {
            // It was made a moment ago: another would be no better.
            Self::Key(_) => Ok(None),
            Self::Machine(machine) => {
                machine.forget(refused).await;
                let pass = machine.pass().await?;
                Ok((pass != refused).then_some(pass))
            }
        }
    }
}

/// A token as the header that it is sent in.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, StoreError> {
    // Room for all of it, so that the buffer does not move and leave a copy.
    let mut header = Zeroizing::new(Vec::with_capacity("Bearer ".len() + token.len()));
    header.extend_from_slice(b"Bearer ");
    header.extend_from_slice(token.as_bytes());
    wiped_header(header).map_err(|_| refused("its token is none that can be sent"))
}
