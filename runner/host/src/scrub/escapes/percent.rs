//! Percent-encoding, with large and small digits: bytes, and the `%u20AC` of JavaScript's `escape`.

use super::{Escape, Reader};

/// What follows the `%`.
pub(super) fn read(reader: &Reader<'_>, at: usize, level: u8) -> Option<Escape> {
    let (first, next) = reader.unit(at, level)?;
    if first == b'u' {
        return reader.utf16(next, b"%u", level);
    }
    let (value, next) = reader.hex(at, 2, level)?;
    Some(Escape::byte(u8::try_from(value).ok()?, next))
}
