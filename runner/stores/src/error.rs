//! Why a store gave no value, said so that it can be mended and so that it tells no secret.

use std::path::PathBuf;

use rustix::io::Errno;

use crate::LARGEST;

/// Why there is no value. Messages name the place, never what is in it, and never repeat what a
/// server said.
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
    /// The file belongs to another user, who could put another secret in its place.
    #[error("{} belongs to user {owner}, and a secret is in a file of the runner's user or of root: chown it", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number of the user.
        owner: u32,
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
    /// The reference has `#FIELD` and what is there has no fields.
    #[error("{place} is one value without fields: write the reference without `#{field}`")]
    NoFields {
        /// The place.
        place: String,
        /// The field that was asked for.
        field: String,
    },
    /// What is there has other fields.
    #[error("{place} has no field `{field}`: add it there, or correct the reference")]
    NoField {
        /// The place.
        place: String,
        /// The field that was asked for.
        field: String,
    },
    /// What is there has fields and the reference names none.
    #[error(
        "{0} has fields: write which one with #FIELD at the end of the reference, or #* for all as one JSON object"
    )]
    FieldNeeded(String),
    /// The store has nothing there.
    #[error("there is nothing at {0}: store the secret there, or correct the reference")]
    Absent(String),
    /// The store does not let this runner read it.
    #[error("this runner may not read {0}: {1}")]
    Denied(String, String),
    /// The store does not let this runner in at all.
    #[error("{0} does not accept this runner's login: {1}")]
    Login(String, String),
    /// What the store lets this runner in by is not there. It was not asked.
    #[error("the store cannot be asked without what it lets this runner in by: {0}")]
    NoCredential(Box<StoreError>),
    /// The store cannot be asked for such a thing.
    #[error("{place} cannot be a place in this store: {why}")]
    BadPlace {
        /// The place.
        place: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A sealed secret that opens and is not used.
    #[error("{what} is not used: {why}")]
    NotTaken {
        /// Which.
        what: String,
        /// Why not.
        why: crate::NotTaken,
    },
    /// The store's answer is not one.
    #[error("{0} gave an answer that cannot be used: {1}")]
    BadAnswer(String, String),
    /// The store does not answer now.
    #[error("{0} does not answer: {1}")]
    Unavailable(String, String),
}

/// Whether this says nothing of a file: the system has no more room now, or a network or a disk that
/// the file is on does not answer.
fn passes(error: &std::io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| {
        [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::AGAIN,
            Errno::INTR,
            Errno::IO,
            Errno::STALE,
            Errno::TIMEDOUT,
            Errno::NETDOWN,
            Errno::NETUNREACH,
            Errno::HOSTDOWN,
            Errno::HOSTUNREACH,
        ]
        .contains(&errno)
    })
}

/// What kind of trouble an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The store answered, and has no such secret.
    Absent,
    /// The store answered, and does not let this runner have it.
    Denied,
    /// The store cannot be asked now; later it may.
    Outage,
    /// Something has to be mended before this can work.
    Unusable,
}

impl StoreError {
    /// What kind of trouble this is.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::NoVariable(_)
            | Self::NoFile(_)
            | Self::Empty(_)
            | Self::NoFields { .. }
            | Self::NoField { .. }
            | Self::Absent(_) => Trouble::Absent,
            Self::Denied(..) | Self::Login(..) | Self::Exposed { .. } | Self::Foreign { .. } => {
                Trouble::Denied
            }
            Self::Unavailable(..) => Trouble::Outage,
            Self::Unreadable { source, .. } if passes(source) => Trouble::Outage,
            Self::NoCredential(why) if why.trouble() == Trouble::Outage => Trouble::Outage,
            Self::NotAFile(_)
            | Self::Unreadable { .. }
            | Self::TooLarge(_)
            | Self::FieldNeeded(_)
            | Self::BadPlace { .. }
            | Self::NoCredential(_)
            | Self::NotTaken { .. }
            | Self::BadAnswer(..) => Trouble::Unusable,
        }
    }
}
