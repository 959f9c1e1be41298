//! Small files of the state folder that hold what must not be forgotten: read whole, written whole, and
//! never passed over.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_bundle::read_file;

use crate::AgentError;
use crate::private_file::write_whole;

/// The largest such file. A name and what is remembered of it are a few hundred bytes.
const MAX_FILE: usize = 16 << 20;

/// One such file.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// What is kept from being rolled back by it, in the plural.
    what: &'static str,
}

impl StateFile {
    /// The file of this name in the state folder.
    pub(crate) fn new(state: &Path, name: &str, what: &'static str) -> Self {
        Self {
            path: state.join(name),
            what,
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is in it; nothing if there is no file.
    ///
    /// # Errors
    /// It cannot be read: it is not passed over, since that would forget.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, AgentError> {
        let bytes = match read_file(&self.path, MAX_FILE) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.damaged(error.to_string())),
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| self.damaged(error.to_string()))
    }

    /// Writes it anew.
    ///
    /// # Errors
    /// It could not be written, and is as it was.
    pub(crate) fn write<T: Serialize>(&self, content: &T) -> Result<(), AgentError> {
        let json =
            serde_json::to_vec_pretty(content).map_err(|error| self.damaged(error.to_string()))?;
        write_whole(&self.path, &json)
    }

    /// The error for a file that cannot be used.
    pub(crate) fn damaged(&self, reason: String) -> AgentError {
        AgentError::Remembered {
            path: self.path.clone(),
            reason,
            what: self.what,
        }
    }
}
