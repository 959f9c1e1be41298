//! Where in a store something is.

use std::fmt;

use wharf_policy::StoreRef;

/// A place in a store: the path and version of a reference, without its field. Two references
/// with equal places are answered by one look into the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The path within the store.
    pub path: String,
    /// Which version; the newest, if none is named.
    pub version: Option<String>,
}

impl Place {
    /// The place that a reference names.
    pub fn of(reference: &StoreRef) -> Self {
        Self {
            path: reference.path().to_owned(),
            version: reference.version().map(str::to_owned),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.version
            .iter()
            .try_for_each(|version| write!(f, "?version={version}"))
    }
}
