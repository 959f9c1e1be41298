//! What all runs of a runner share: for now the way out.

use std::path::PathBuf;
use std::sync::Arc;

use crate::egress::{Egress, Lookup, SystemLookup};

/// How the shared services are set up.
#[derive(Clone, Default)]
pub struct ServicesConfig {
    /// A file of certificates (PEM) that are trusted beside those of the system.
    pub extra_ca: Option<PathBuf>,
}

/// The services cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ServicesError {
    /// The file of certificates cannot be used.
    #[error("the certificates in {path} cannot be used: {why}; give a PEM file with at least one")]
    ExtraCa {
        /// The file.
        path: String,
        /// Why.
        why: String,
    },
    /// TLS cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

/// Shared by all runs of a runner.
pub struct Services {
    pub(crate) egress: Egress,
}

impl Services {
    /// The services, with names looked up by the system.
    ///
    /// # Errors
    /// The file of certificates cannot be used, or TLS cannot be set up.
    pub fn new(config: &ServicesConfig) -> Result<Self, ServicesError> {
        Self::with_lookup(config, Arc::new(SystemLookup))
    }

    /// The services, with names looked up in another way.
    ///
    /// # Errors
    /// As [`Services::new`].
    pub fn with_lookup(
        config: &ServicesConfig,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, ServicesError> {
        Ok(Self {
            egress: Egress::new(config, lookup)?,
        })
    }
}
