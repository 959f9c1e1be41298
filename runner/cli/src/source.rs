//! A plugin as commands name it: a file with its signatures and attestations beside it, or one in a
//! registry.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use wharf_bundle::oci::Reference;

use crate::exit::{Failure, Result};
use crate::local::{self, Papers};
use crate::registry::Reach;

/// Where a plugin is.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// What follows `oci://`, which may not be a reference.
    Registry(String),
}

/// The bytes of a plugin and what is to vouch for it. Nothing of it is verified.
pub(crate) struct Found {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) papers: Papers,
}

impl Source {
    /// Reads or fetches it.
    pub(crate) async fn read(&self, reach: &Reach, quiet: bool) -> Result<Found> {
        match self {
            Self::File(file) => Ok(Found {
                bytes: local::read(file)?.into(),
                papers: Papers::beside(file)?,
            }),
            Self::Registry(named) => {
                let reference: Reference = named.parse().map_err(Failure::usage)?;
                let (published, _) = reach.fetch(&reference, None, quiet).await?;
                Ok(Found {
                    bytes: published.component().clone(),
                    papers: Papers {
                        signatures: published.signature_file(),
                        attestations: published.attestations_file(),
                    },
                })
            }
        }
    }
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.strip_prefix(Reference::SCHEME) {
            Some(reference) => Self::Registry(reference.to_owned()),
            None => Self::File(PathBuf::from(text)),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Registry(reference) => write!(f, "{}{reference}", Reference::SCHEME),
        }
    }
}
