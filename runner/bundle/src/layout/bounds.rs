//! How much an archive may hold: counted alike by who writes and by who reads one, so that what is
//! written can be read.

use super::LayoutError;
use crate::oci::OciError;

/// The most entries of an archive, and the most bytes in it.
const MAX_ENTRIES: usize = 4096;
const MAX_ARCHIVE: u64 = 1 << 30;

/// How often the bytes of an archive may be used, on the average: images can share a component, and each
/// costs what it holds.
const MAX_USES: u64 = 8;

/// The entries of an archive, as they come.
#[derive(Default)]
pub(super) struct Entries {
    count: usize,
    bytes: u64,
}

impl Entries {
    /// Counts one of that size, which is itself no larger than `most`.
    ///
    /// # Errors
    /// It is larger, or there are too many, or they are too large together.
    pub(super) fn add(&mut self, size: u64, most: u64) -> Result<(), LayoutError> {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(size);
        if self.count > MAX_ENTRIES {
            return Err(LayoutError::TooMuch {
                what: "entries",
                limit: MAX_ENTRIES as u64,
            });
        }
        if self.bytes > MAX_ARCHIVE {
            return Err(LayoutError::TooMuch {
                what: "bytes",
                limit: MAX_ARCHIVE,
            });
        }
        if size > most {
            return Err(LayoutError::Oci(OciError::TooLarge {
                what: "an entry",
                size,
                limit: most,
            }));
        }
        Ok(())
    }

    /// What may be used of them.
    pub(super) fn uses(&self) -> Uses {
        let limit = self.bytes.saturating_mul(MAX_USES);
        Uses { limit, left: limit }
    }
}

/// The bytes of an archive that may be used, and those that still may.
pub(super) struct Uses {
    limit: u64,
    left: u64,
}

impl Uses {
    /// Counts the use of a blob, whoever else uses it too.
    ///
    /// # Errors
    /// They are used too often.
    pub(super) fn add(&mut self, size: u64) -> Result<(), LayoutError> {
        self.left = self.left.checked_sub(size).ok_or(LayoutError::TooMuch {
            what: "bytes, each counted as often as it is used",
            limit: self.limit,
        })?;
        Ok(())
    }
}
