//! How far along the action is. Only the newest report is kept.

use crate::host;

/// Tells how much is done: a fraction from 0 to 1 where that is known, and words.
///
/// ```
/// use wharf_plugin::progress;
/// progress::report(0.5, "half of the rows");
/// progress::report(None, "waiting for the export");
/// ```
pub fn report(fraction: impl Into<Option<f32>>, message: &str) {
    host::progress(fraction.into().map(|f| f.clamp(0.0, 1.0)), message);
}
