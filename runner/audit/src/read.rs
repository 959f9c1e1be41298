//! Reading a record: every line in order, each checked to be the next one.

use std::path::Path;

use serde_json::{Map, Value};

use crate::walk::walk;
use crate::{AuditError, Head};

/// One line of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its number and its hash.
    pub head: Head,
    /// The name of its event.
    pub event: String,
    /// Everything that it says.
    pub members: Map<String, Value>,
}

impl Record {
    /// A member that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }
}

/// Gives every line of a file or folder to `each`, in order, as far as the chain holds.
///
/// # Errors
/// The first line at which it does not, or a file that cannot be read.
pub fn read(path: &Path, mut each: impl FnMut(Record)) -> Result<(), AuditError> {
    walk(path, |line, head, event| {
        // It was read as a line before, so it is JSON.
        if let Ok(Value::Object(members)) = serde_json::from_slice(line) {
            each(Record {
                head,
                event: event.to_owned(),
                members,
            });
        }
    })
    .map(drop)
}
