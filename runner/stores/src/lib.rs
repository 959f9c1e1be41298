//! Where secrets come from: small stores behind one trait, chosen by the scheme of a reference.
//!
//! A value leaves this crate only as a [`SecretValue`], which is wiped when it is dropped and
//! shows nothing when it is printed. Nothing here may log a value, put one into an error, or
//! decide who may use it.

#![forbid(unsafe_code)]

mod env;
mod error;
mod file;
mod registry;
mod value;

use async_trait::async_trait;

pub use env::EnvStore;
pub use error::StoreError;
pub use file::FileStore;
pub use registry::{ResolveError, Stores};
pub use value::{LARGEST, SecretValue};

/// A place that holds secrets.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// The value at a path, or of one field there.
    ///
    /// # Errors
    /// Why there is no value. The error never carries any part of one.
    async fn get(&self, path: &str, field: Option<&str>) -> Result<SecretValue, StoreError>;
}

#[cfg(test)]
mod tests;
