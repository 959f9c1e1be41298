//! What can be wrong with an archive.

use std::io;

use wharf_policy::Digest;

use crate::oci::OciError;

/// An archive that cannot be used. Nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// Reading failed.
    #[error("the archive cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Not the kind of tar file that is written here.
    #[error("the archive is damaged or was made by something else, at byte {offset}: {why}")]
    Tar {
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        why: String,
    },
    /// A name that has no place in an image layout.
    #[error(
        "the archive has an entry {0:?}, which has no place in an image layout of plugins: make it with `wharf bundle save`"
    )]
    Stranger(String),
    /// The same entry twice.
    #[error("the archive has the entry {0:?} twice")]
    Twice(String),
    /// More than an archive may hold.
    #[error(
        "the archive has more than {limit} {what}: make several, each with fewer of the plugins (`wharf bundle save`)"
    )]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: u64,
    },
    /// Something is missing.
    #[error("the archive has no {0}: it is not whole; copy it again")]
    Missing(String),
    /// Something is there for nothing.
    #[error("the archive has {0}, which belongs to nothing in it")]
    Unused(Digest),
    /// The index is not the one of what is in the archive.
    #[error(
        "the index of the archive is not that of its content: it was changed, or not made by `wharf bundle save`"
    )]
    Index,
    /// A document or blob in it is wrong.
    #[error("in the archive, {0}")]
    Oci(#[from] OciError),
}
