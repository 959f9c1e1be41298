//! Why a store gave no value, said so that it can be mended and so that it tells no secret.

use std::path::PathBuf;

use crate::LARGEST;

/// Why there is no value. Messages name the place, never what is in it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The environment has no such variable.
    #[error(
        "the environment variable {0} was not set when the runner started: set it, or use `file:`"
    )]
    NoVariable(String),
    /// There is no such file.
    #[error("there is no file {}: create it with mode 600", .0.display())]
    NoFile(PathBuf),
    /// The file can be read by others than its owner.
    #[error("{} can be read by others (mode {mode:03o}): chmod 600 {}", path.display(), path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory, a device, a pipe.
    #[error("{} is not a regular file: a secret is the content of one", .0.display())]
    NotAFile(PathBuf),
    /// It is there and cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// More than any secret should be.
    #[error("{0} holds more than {LARGEST} bytes: a secret is a key or a token")]
    TooLarge(String),
    /// Nothing, or only a line end.
    #[error("{0} is empty: put the secret into it")]
    Empty(String),
    /// The reference has `#FIELD` and the store has no fields.
    #[error("the store `{store}` has no fields: write the reference without `#{field}`")]
    NoFields {
        /// The store.
        store: &'static str,
        /// The field that was asked for.
        field: String,
    },
    /// The store does not answer.
    #[error("{0} does not answer: {1}")]
    Unavailable(String, String),
}

impl StoreError {
    /// Whether the store answered, and the answer is that there is no such secret.
    pub fn is_not_found(&self) -> bool {
        matches!(
            self,
            Self::NoVariable(_) | Self::NoFile(_) | Self::Empty(_) | Self::NoFields { .. }
        )
    }
}
